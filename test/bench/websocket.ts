import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOAD_CORE, Running, family, freePort, median, onCore, output, residentMegabytes, tracked } from './measure.ts';
import type { Peer } from './peers.ts';
import type { Section, Verdict } from './report.ts';
import { ORIGIN } from './rows.ts';
import type { Echoes } from './sockets.ts';
import { type Lengths, secondsFor, startPeer } from './throughput.ts';

/**
 * WebSockets: what an echoed message of 64 bytes costs the proxy, and how much memory a connection takes of which nothing is
 * heard. Memory is the growth from a first few connections on, so that what the first of them makes a program load is not shared
 * out over the others.
 */
const SOCKETS = 50;
const FIRST = 200;
const IDLE = 2000;
const SETTLES_MS = 1500;
const PROGRAM = join(import.meta.dirname, 'sockets.ts');
const OURS = 'reveille';
const BASE = 'nginx';

type Runs = ReadonlyMap<string, readonly number[]>;

/** Each peer by itself with an origin of its own, by turns: a proxy that has had connections is not the one it was. */
async function takeTurns(
  peers: readonly Peer[],
  directory: string,
  lengths: Lengths,
  once: (server: Running, peer: string) => Promise<number>,
): Promise<{ readonly runs: Runs; readonly faults: ReadonlyMap<string, string> }> {
  const runs = new Map<string, number[]>();
  const faults = new Map<string, string>();
  for (let round = 0; round < lengths.rounds; round += 1) {
    for (const peer of peers) {
      if (faults.has(peer.name) || (round > 0 && !lengths.goalsName(peer.name))) continue;
      const running: Running[] = [];
      try {
        const port = await freePort();
        running.push(await Running.start('the origin', { command: [process.execPath, ORIGIN, `${port}`], port }, LOAD_CORE));
        const server = await startPeer(peer, mkdtempSync(join(directory, 'sockets-')), port, false);
        running.push(server);
        runs.set(peer.name, [...(runs.get(peer.name) ?? []), await once(server, peer.name)]);
      } catch (error) {
        faults.set(peer.name, (error as Error).message);
      } finally {
        for (const one of running.reverse()) await one.stop();
      }
    }
  }
  return { runs, faults };
}

async function hold(port: number, count: number): Promise<() => Promise<void>> {
  const child = tracked(onCore(LOAD_CORE, [process.execPath, PROGRAM, `${port}`, `${count}`]), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`${count} WebSockets could not be opened (${code ?? 'a signal'})`)));
  });
  return async () => {
    child.stdin?.end();
    await gone;
  };
}

async function idleKilobytes(server: Running): Promise<number> {
  const letGo = [await hold(server.port, FIRST)];
  try {
    await sleep(SETTLES_MS);
    const before = residentMegabytes(family(server.pid));
    letGo.push(await hold(server.port, IDLE));
    await sleep(SETTLES_MS);
    return ((residentMegabytes(family(server.pid)) - before) * 1024) / IDLE;
  } finally {
    for (const end of letGo) await end();
  }
}

function section(
  id: string,
  what: string,
  unit: string,
  goal: { readonly text: string; readonly atMost: number },
  { runs, faults }: { readonly runs: Runs; readonly faults: ReadonlyMap<string, string> },
): Section {
  const middle = (name: string): number => median(runs.get(name) ?? []);
  const reached = middle(OURS) / middle(BASE);
  const told = Number.isFinite(reached);
  const verdict: Verdict = {
    what,
    goal: goal.text,
    reached: told ? `${reached.toFixed(2)} x` : '-',
    met: told ? reached <= goal.atMost : null,
  };
  return {
    id,
    verdicts: [verdict],
    columns: [what, unit, 'against nginx', 'runs'],
    rows: [...runs].map(([name, values]) => [
      name,
      middle(name).toFixed(1),
      Number.isNaN(middle(BASE)) ? '-' : (middle(name) / middle(BASE)).toFixed(2),
      `${values.length}`,
    ]),
    note: null,
    faults: [...faults].map(([name, fault]) => `${name} (${fault})`),
    runs: Object.fromEntries(runs),
  };
}

const tunnels = (peers: readonly Peer[]): readonly Peer[] => peers.filter((peer) => peer.tunnels);

export async function measureEchoes(peers: readonly Peer[], directory: string, lengths: Lengths): Promise<Section> {
  const once = async (server: Running, peer: string): Promise<number> => {
    const command = [process.execPath, PROGRAM, `${server.port}`, `${SOCKETS}`, `${secondsFor(peer, lengths)}`, `${server.pid}`];
    return (JSON.parse(await output(onCore(LOAD_CORE, command))) as Echoes).cpuMicrosPerMessage;
  };
  const goal = { text: '<= 1.25 x nginx', atMost: 1.25 };
  const results = await takeTurns(tunnels(peers), directory, lengths, once);
  return section('echo', 'WebSocket, 64 bytes there and back', 'CPU us/message', goal, results);
}

export async function measureIdleSockets(peers: readonly Peer[], directory: string, lengths: Lengths): Promise<Section> {
  const goal = { text: '<= nginx', atMost: 1 };
  const results = await takeTurns(tunnels(peers), directory, lengths, idleKilobytes);
  return section('idle', `idle WebSocket, of ${IDLE}`, 'KB each', goal, results);
}
