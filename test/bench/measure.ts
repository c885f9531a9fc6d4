import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Peer } from './peers.ts';

/** Starting what is measured, loading it, and reading off what it cost. */
const SERVER_CORE = '0';
const LOAD_CORE = '1';
const CLOCK_TICKS_PER_SECOND = 100;

export interface Figures {
  readonly requestsPerSecond: number;
  /** User and system time of the server, from /proc/PID/stat. */
  readonly cpuMicrosPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

export class Running {
  readonly peer: Peer;
  private readonly child: ChildProcess;

  private constructor(peer: Peer, child: ChildProcess) {
    this.peer = peer;
    this.child = child;
  }

  /** Resolves once its port takes connections. `core` null: wherever the kernel likes. */
  static async start(peer: Peer, core: string | null): Promise<Running> {
    if (peer.command === null) throw new Error(`${peer.name} is not installed`);
    const [program, args] = core === null ? [peer.command[0], peer.command.slice(1)] : ['taskset', ['-c', core, ...peer.command]];
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...peer.env } });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    for (let tries = 0; tries < 400; tries += 1) {
      if (child.exitCode !== null) throw new Error(`${peer.name} ended: ${said}`);
      if (await connects(peer.port)) return new Running(peer, child);
      await sleep(25);
    }
    child.kill('SIGKILL');
    throw new Error(`${peer.name} does not listen: ${said}`);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await Promise.race([gone, sleep(15_000).then(() => this.child.kill('SIGKILL'))]);
  }
}

export const startServer = (peer: Peer): Promise<Running> => Running.start(peer, SERVER_CORE);
export const startBackend = (peer: Peer): Promise<Running> => Running.start(peer, LOAD_CORE);

export function residentMegabytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? Number.NaN) / 1024;
}

/** Fields 14 and 15 of stat, counted after the last bracket, since a program's name may hold anything. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

/** One run of wrk from the other core. */
export async function load(server: Running, seconds: number): Promise<Figures> {
  const before = cpuSeconds(server.pid);
  const url = `http://127.0.0.1:${server.peer.port}/`;
  const text = await output('taskset', [
    '-c',
    LOAD_CORE,
    'wrk',
    '-t1',
    '-c50',
    `-d${seconds}s`,
    '--latency',
    '-H',
    'Host: bench.localhost',
    url,
  ]);
  const spent = cpuSeconds(server.pid) - before;
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? Number.NaN);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const broken = [...(/Socket errors: (.*)/.exec(text)?.[1] ?? '').matchAll(/\d+/g)].reduce(
    (sum, [count]) => sum + Number(count),
    0,
  );
  return {
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? Number.NaN),
    cpuMicrosPerRequest: (spent / requests) * 1e6,
    p50Ms: percentile(text, '50%'),
    p99Ms: percentile(text, '99%'),
    errors: refused + broken,
  };
}

function percentile(text: string, name: string): number {
  const match = new RegExp(`${name}\\s+([\\d.]+)(us|ms|s)`).exec(text);
  const scale = { us: 0.001, ms: 1, s: 1000 }[match?.[2] ?? ''] ?? Number.NaN;
  return Number(match?.[1] ?? Number.NaN) * scale;
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
  return text;
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
