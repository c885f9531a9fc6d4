import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { LOAD_CORE, Running, freePort, median, onCore, output } from './measure.ts';
import type { Peer } from './peers.ts';
import type { Section, Verdict } from './report.ts';
import type { Row } from './rows.ts';
import type { Steady } from './steady.ts';
import { type Lengths, secondsFor, startPeer } from './throughput.ts';

/** What a proxy adds to the time of a request at a rate that all of them can bear, beside a direct connection to the origin. */
const REQUESTS_PER_SECOND = 1000;
const PROGRAM = join(import.meta.dirname, 'steady.ts');
const DIRECT = 'direct';
const OURS = 'reveille';
const GOALS = [
  ['p50Ms', 'p50', 0.2],
  ['p99Ms', 'p99', 2],
] as const;
type Key = (typeof GOALS)[number][0];

export async function measureLatency(small: Row, peers: readonly Peer[], directory: string, lengths: Lengths): Promise<Section> {
  const runs = new Map<string, Steady[]>();
  const faults = new Map<string, string>();
  const port = await freePort();
  const origin = await Running.start('the origin', small.origin(mkdtempSync(join(directory, 'origin-')), port), LOAD_CORE);
  const ports = new Map([[DIRECT, port]]);
  // What everything is held against is measured as often and as long as those whom the goals name.
  const turns = { ...lengths, goalsName: (name: string) => name === DIRECT || lengths.goalsName(name) };
  const servers: Running[] = [origin];
  try {
    for (const peer of peers) {
      const server = await startPeer(peer, directory, port, false);
      servers.push(server);
      ports.set(peer.name, server.port);
    }
    for (let round = 0; round < lengths.rounds; round += 1) {
      for (const [name, at] of ports) {
        if (faults.has(name) || (round > 0 && !turns.goalsName(name))) continue;
        const command = [process.execPath, PROGRAM, `${at}`, `${REQUESTS_PER_SECOND}`, `${secondsFor(name, turns)}`];
        try {
          const run = JSON.parse(await output(onCore(LOAD_CORE, command))) as Steady;
          runs.set(name, [...(runs.get(name) ?? []), run]);
        } catch (error) {
          faults.set(name, (error as Error).message.split('\n')[0] ?? '');
        }
      }
    }
  } finally {
    for (const server of servers.reverse()) await server.stop();
  }
  return section(runs, faults);
}

function section(runs: ReadonlyMap<string, readonly Steady[]>, faults: ReadonlyMap<string, string>): Section {
  const middle = (name: string, key: keyof Steady): number => median((runs.get(name) ?? []).map((run) => run[key]));
  const direct = runs.get(DIRECT) ?? [];
  const added = (name: string, key: Key): number =>
    median((runs.get(name) ?? []).map((run, round) => run[key] - (direct[round]?.[key] ?? Number.NaN)));
  const verdicts = GOALS.map(([key, name, atMost]): Verdict => {
    const reached = added(OURS, key);
    const told = Number.isFinite(reached);
    return {
      what: `latency added at ${REQUESTS_PER_SECOND} requests/s, ${name}`,
      goal: `<= ${atMost} ms`,
      reached: told ? `${reached.toFixed(2)} ms` : '-',
      met: told ? reached <= atMost : null,
    };
  });
  return {
    id: 'latency',
    verdicts,
    columns: [`${REQUESTS_PER_SECOND} requests/s`, 'p50 ms', 'p99 ms', 'p50 added', 'p99 added', 'runs'],
    rows: [...runs].map(([name, all]) => [
      name,
      middle(name, 'p50Ms').toFixed(2),
      middle(name, 'p99Ms').toFixed(2),
      name === DIRECT ? '' : added(name, 'p50Ms').toFixed(2),
      name === DIRECT ? '' : added(name, 'p99Ms').toFixed(2),
      `${all.length}`,
    ]),
    note:
      `Counted from when a request was due, whether or not it could be sent then. The load itself was late by ` +
      `${middle(DIRECT, 'lagP50Ms').toFixed(2)} ms in the median and ${middle(DIRECT, 'lagP99Ms').toFixed(2)} in the 99th percentile, direct.`,
    faults: [...faults].map(([name, fault]) => `${name} (${fault})`),
    runs: Object.fromEntries(runs),
  };
}
