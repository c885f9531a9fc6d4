import { mkdtempSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lookUpNanos } from './lookup-alone.ts';
import { LOAD_CORE, PROXY_CORE, Running, freePort, median } from './measure.ts';
import { ENTRY } from './peers.ts';
import type { Section } from './report.ts';
import type { Row } from './rows.ts';
import { rest, sleepers } from './start.ts';
import { type Lengths } from './throughput.ts';
import { type Figures, load } from './wrk.ts';

/**
 * Whether it matters how many there are: small GETs by hostnames that agents registered, at a daemon with one agent and one
 * such name, and at one with a thousand agents asleep and ten thousand names, of which every request takes the next. Who
 * registers has to be awake, so ten agents more are, which do nothing; their names lead to the origin.
 */
const TOKEN = 'bench';
const HOLDERS = 10;
const GOALS = { residentMb: 150, idleCpuPercent: 1, atMost: 1.1 } as const;
const AWAKE_WITHIN_MS = 20_000;
const REGISTERED_AT_A_TIME = 20;

interface Size {
  readonly agents: number;
  readonly holders: number;
  readonly names: number;
}
const SIZES: readonly [Size, Size] = [
  { agents: 0, holders: 1, names: 1 },
  { agents: 1000, holders: HOLDERS, names: 10_000 },
];

const holderOf = (index: number, size: Size): string => `holder-${index % size.holders}`;
const nameOf = (index: number, size: Size): string => `n${index}.${holderOf(index, size)}.localhost`;

class Crowd {
  readonly server: Running;
  readonly script: string;
  private constructor(server: Running, script: string) {
    this.server = server;
    this.script = script;
  }

  static async start(size: Size, directory: string, origin: number): Promise<Crowd> {
    const home = mkdtempSync(join(directory, 'crowd-'));
    const [port, admin] = [await freePort(), await freePort()];
    const holders = Array.from(
      { length: size.holders },
      (_, index) =>
        `  holder-${index}: { hostname: holder-${index}.localhost, domains: ["*.holder-${index}.localhost"], policy: always-on, ` +
        `process: { command: [sleep, infinity] }, health: { url: "http://127.0.0.1:${origin}/", path: null } }`,
    );
    const file = join(home, 'orchestrator.yaml');
    const agents = [...holders, ...sleepers(size.agents)].join('\n');
    writeFileSync(
      file,
      `listen: 127.0.0.1:${port}\nadmin_listen: 127.0.0.1:${admin}\nadmin_token: ${TOKEN}\nagents:\n${agents}\n`,
    );
    const command = [process.execPath, '--max-semi-space-size=16', ENTRY, 'serve', '--config', file] as const;
    const server = await Running.start('reveille', { command, port }, PROXY_CORE);
    await register(size, admin, origin);
    const script = join(home, 'hosts.lua');
    const hosts = Array.from({ length: size.names }, (_, index) => `"${nameOf(index, size)}"`);
    writeFileSync(
      script,
      `local requests = {}\nfor i, host in ipairs({${hosts.join(',')}}) do\n` +
        `  requests[i] = "GET / HTTP/1.1\\r\\nHost: " .. host .. "\\r\\n\\r\\n"\nend\n` +
        `local next = 0\nrequest = function() next = next % #requests + 1; return requests[next] end\n`,
    );
    return new Crowd(server, script);
  }
}

async function register(size: Size, admin: number, origin: number): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const until = performance.now() + AWAKE_WITHIN_MS;
  try {
    for (let first = 0; first < size.names; first += REGISTERED_AT_A_TIME) {
      const some = Array.from({ length: Math.min(REGISTERED_AT_A_TIME, size.names - first) }, (_, index) => first + index);
      await Promise.all(
        some.map(async (index) => {
          const body = { hostname: nameOf(index, size), target: `:${origin}`, agent: holderOf(index, size) };
          for (;;) {
            const { status, text } = await post(admin, agent, JSON.stringify(body));
            if (status === 200) return;
            if (performance.now() > until || !text.includes('agent-asleep')) throw new Error(`not registered: ${status} ${text}`);
            await sleep(100);
          }
        }),
      );
    }
  } finally {
    agent.destroy();
  }
}

function post(port: number, agent: Agent, body: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' };
    const sent = request({ host: '127.0.0.1', port, agent, method: 'POST', path: '/api/services', headers });
    sent.on('error', reject);
    sent.on('response', (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.end(body);
  });
}

export async function measureLookUp(small: Row, directory: string, lengths: Lengths): Promise<Section> {
  const port = await freePort();
  const origin = await Running.start('the origin', small.origin(mkdtempSync(join(directory, 'origin-')), port), LOAD_CORE);
  const running = [origin];
  const runs = new Map<Size, Figures[]>(SIZES.map((size) => [size, []]));
  const faults: string[] = [];
  try {
    const crowds = new Map<Size, Crowd>();
    for (const size of SIZES) {
      const crowd = await Crowd.start(size, directory, port);
      running.push(crowd.server);
      crowds.set(size, crowd);
    }
    const atRest = await rest(crowds.get(SIZES[1])?.server.pid ?? 0);
    for (const { server, script } of crowds.values()) await load(server, { path: '/', script }, lengths.warmUpSeconds);
    for (let round = 0; round < lengths.rounds; round += 1) {
      for (const [size, { server, script }] of crowds) {
        const figures = await load(server, { path: '/', script }, lengths.seconds);
        runs.get(size)?.push(figures);
        if (figures.errors > 0) faults.push(`${size.names} names (${figures.errors} requests failed)`);
      }
    }
    return section(runs, atRest, faults, [lookUpNanos(1, 1), lookUpNanos(SIZES[1].agents, SIZES[1].names)]);
  } finally {
    for (const one of running.reverse()) await one.stop();
  }
}

function section(
  runs: ReadonlyMap<Size, readonly Figures[]>,
  atRest: Awaited<ReturnType<typeof rest>>,
  faults: readonly string[],
  alone: readonly [number, number],
): Section {
  const middle = (size: Size, key: keyof Figures): number => median((runs.get(size) ?? []).map((run) => run[key]));
  const [few, many] = SIZES;
  const reached = median(
    (runs.get(many) ?? []).map(
      (run, round) => run.cpuMicrosPerRequest / (runs.get(few)?.[round]?.cpuMicrosPerRequest ?? Number.NaN),
    ),
  );
  const crowd = `${many.agents} agents and ${many.names} registered routes`;
  return {
    id: 'lookup',
    verdicts: [
      {
        what: `${crowd}, look-up`,
        goal: `flat: <= ${GOALS.atMost} x the CPU with one of each`,
        reached: `${reached.toFixed(2)} x`,
        met: faults.length === 0 ? reached <= GOALS.atMost : null,
      },
      {
        what: `${crowd}, RSS at rest`,
        goal: `< ${GOALS.residentMb} MB`,
        reached: `${atRest.residentMb.toFixed(0)} MB`,
        met: atRest.residentMb < GOALS.residentMb,
      },
      {
        what: `${crowd}, CPU at rest`,
        goal: `< ${GOALS.idleCpuPercent} % of a core`,
        reached: `${atRest.idleCpuPercent.toFixed(1)} %`,
        met: atRest.idleCpuPercent < GOALS.idleCpuPercent,
      },
    ],
    columns: ['small GET by a registered name', 'requests/s', 'CPU us/request', 'p50 ms', 'p99 ms', 'runs'],
    rows: [...runs].map(([size, figures]) => [
      `of ${size.names}, with ${size.agents + size.holders} ${size.agents + size.holders === 1 ? 'agent' : 'agents'}`,
      middle(size, 'requestsPerSecond').toFixed(0),
      middle(size, 'cpuMicrosPerRequest').toFixed(1),
      middle(size, 'p50Ms').toFixed(2),
      middle(size, 'p99Ms').toFixed(2),
      `${figures.length}`,
    ]),
    note:
      `Those who registered are awake, ${HOLDERS} agents that do nothing; the others sleep. A look-up by itself took ` +
      `${alone[0].toFixed(0)} ns with one agent and one name, and ${alone[1].toFixed(0)} ns with all of them.`,
    faults,
    runs: { atRest, aloneNanos: alone, ...Object.fromEntries([...runs].map(([size, figures]) => [size.names, figures])) },
  };
}
