import type { ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { BenchDaemon, HERE, type Place, now, quantile } from './daemon.ts';

/**
 * What a caller waits who is held: for a thaw, and for a cold start, of which the agent's own boot is taken off. Beside it the
 * same start for a client that is refused and comes back when Retry-After says. `npm run bench:held` measures it on processes;
 * `npm run bench:wake` on a Swarm too.
 */
const THAWS = Number(process.env['BENCH_THAWS'] ?? 100);
const STARTS = Number(process.env['BENCH_STARTS'] ?? 20);
const RETRIES = 5;
/** Longer than a request and its answer take. */
const FREEZE_AFTER = '30ms';

/** Answers from the moment it listens, with when that was and when its process began, in milliseconds since 1970. */
export const AGENT = `
  const server = require('node:http').createServer((_, response) => response.end(JSON.stringify(server.times)));
  server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? '0.0.0.0', () => {
    server.times = { began: performance.timeOrigin, listening: performance.timeOrigin + performance.now() };
  });
  process.once('SIGTERM', () => process.exit(0));`;

export interface Times {
  readonly began: number;
  readonly listening: number;
}

/** How each of the agents differs: one to freeze, one to hold for, one that refuses. */
const ROLES = {
  ice: { on_sleeping: 'hold', idle: { timeout: '1h', freeze_after: FREEZE_AFTER } },
  held: { on_sleeping: 'hold' },
  refused: { on_sleeping: 'refuse' },
} as const;
export type Role = keyof typeof ROLES;
export const ROLE_NAMES = Object.keys(ROLES) as readonly Role[];

/** Where agents run that are not simply children of the daemon. */
export interface Elsewhere {
  readonly place: Place;
  /** Follows what happens there; ended at the end. */
  readonly events: (daemon: BenchDaemon) => ChildProcess;
  /** When what is not the daemon's began, of a start that was asked for at `asked`. */
  readonly began: (daemon: BenchDaemon, role: Role, asked: number) => Promise<number>;
}

/** `agentOf`: what the config says of how it runs. */
export async function measureHeld(
  where: string,
  settings: object,
  agentOf: (role: Role) => object,
  elsewhere: Elsewhere | null = null,
): Promise<void> {
  const agents = Object.fromEntries(
    ROLE_NAMES.map((role) => [role, { hostname: `${role}.test`, health: { path: '/' }, ...agentOf(role), ...ROLES[role] }]),
  );
  const daemon = await BenchDaemon.start({ ...settings, agents }, elsewhere?.place ?? HERE);
  const events = elsewhere?.events(daemon);
  const began = async (role: Role, times: Times, asked: number): Promise<number> =>
    elsewhere === null ? times.began : elsewhere.began(daemon, role, asked);
  try {
    const thaws = await measureThaws(daemon);
    const held = await measureStarts(daemon, 'held', STARTS, began);
    const refused = await measureStarts(daemon, 'refused', RETRIES, began);
    console.log(`\n${where}, in milliseconds, from the request to the first byte of its answer`);
    console.log(`| ${'what'.padEnd(52)} | ${['p50', 'p90', 'p99'].map((share) => share.padStart(8)).join(' | ')} |`);
    console.log(`|${'-'.repeat(54)}|---------:|---------:|---------:|`);
    row(`a request at a frozen agent, over ${thaws.frozen.length}`, thaws.frozen);
    row('the same at one that is awake', thaws.awake);
    row(`a cold start, held, over ${held.all.length}`, held.all);
    row("  of it until the agent listens: not the daemon's", held.boot);
    row("  of it the rest: the daemon's own share", held.rest);
    row(`a cold start, 503 and retry, over ${refused.all.length}`, refused.all);
  } finally {
    events?.kill('SIGTERM');
    await daemon.end();
  }
}

async function measureThaws(
  daemon: BenchDaemon,
): Promise<{ readonly frozen: readonly number[]; readonly awake: readonly number[] }> {
  const frozen: number[] = [];
  const awake: number[] = [];
  for (let round = 0; round < THAWS; round += 1) {
    await daemon.call('ice');
    const since = now();
    awake.push(await timed(daemon, 'ice'));
    await daemon.marks.first('agent.frozen ice', since);
    frozen.push(await timed(daemon, 'ice'));
  }
  return { frozen, awake };
}

async function timed(daemon: BenchDaemon, role: Role): Promise<number> {
  const asked = now();
  const { status, headAt } = await daemon.call(role);
  if (status !== 200) throw new Error(`${role} answered ${status}`);
  return headAt - asked;
}

interface Starts {
  readonly all: number[];
  readonly boot: number[];
  readonly rest: number[];
}

async function measureStarts(
  daemon: BenchDaemon,
  role: Role,
  rounds: number,
  began: (role: Role, times: Times, asked: number) => Promise<number>,
): Promise<Starts> {
  const starts: Starts = { all: [], boot: [], rest: [] };
  for (let round = 0; round < rounds; round += 1) {
    const asked = now();
    let reply = await daemon.call(role);
    while (reply.status === 503) {
      await pause(reply.retryAfterSeconds * 1000);
      reply = await daemon.call(role);
    }
    const times = JSON.parse(reply.text) as Times;
    const boot = times.listening - (await began(role, times, asked));
    const all = reply.headAt - asked;
    starts.all.push(all);
    starts.boot.push(boot);
    starts.rest.push(all - boot);
    const told = now();
    await daemon.order(role, 'sleep');
    await daemon.marks.first(`agent.sleep ${role}`, told);
  }
  return starts;
}

function row(what: string, values: readonly number[]): void {
  const cells = [0.5, 0.9, 0.99].map((share) => quantile(values, share).toFixed(1).padStart(8));
  console.log(`| ${what.padEnd(52)} | ${cells.join(' | ')} |`);
}

export const measureHeldOnProcesses = (): Promise<void> =>
  measureHeld('On processes', { engine: 'process' }, () => ({ process: { command: ['node', '--eval', AGENT] } }));

if (import.meta.main) await measureHeldOnProcesses();
