import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Starting what is measured on a core of its own, reading off what it cost, and ending all of it, whatever happens. */
export const PROXY_CORE = '0';
export const LOAD_CORE = '1';
const CLOCK_TICKS_PER_SECOND = 100;
const ENDS_WITHIN_MS = 15_000;

export interface Program {
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** It is up once this port takes connections. */
  readonly port: number;
}

const alive = new Set<ChildProcess>();
const scratch: string[] = [];
let watching = false;

/** Nothing outlives this process, neither after Ctrl-C nor after an error that nobody caught. */
function watch(): void {
  if (watching) return;
  watching = true;
  process.once('exit', () => {
    for (const child of alive) child.kill('SIGKILL');
    for (const directory of scratch) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
}

export function scratchDirectory(): string {
  watch();
  const directory = mkdtempSync(join(tmpdir(), 'reveille-bench-'));
  scratch.push(directory);
  return directory;
}

export function tracked(command: readonly [string, ...string[]], options: SpawnOptions): ChildProcess {
  watch();
  const child = spawn(command[0], command.slice(1), options);
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  return child;
}

export const onCore = (core: string, command: readonly string[]): readonly [string, ...string[]] => [
  'taskset',
  '-c',
  core,
  ...command,
];

export class Running {
  readonly port: number;
  private readonly child: ChildProcess;
  private readonly said: () => string;

  private constructor(port: number, child: ChildProcess, said: () => string) {
    this.port = port;
    this.child = child;
    this.said = said;
  }

  /** Resolves once its port takes connections. */
  static async start(name: string, program: Program, core: string): Promise<Running> {
    const env = { ...process.env, ...program.env };
    const child = tracked(onCore(core, program.command), { stdio: ['ignore', 'ignore', 'pipe'], env });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
    for (let tries = 0; tries < 400; tries += 1) {
      if (child.exitCode !== null) throw new Error(`${name} ended: ${said}`);
      if (await connects(program.port)) return new Running(program.port, child, () => said);
      await sleep(25);
    }
    child.kill('SIGKILL');
    throw new Error(`${name} does not listen: ${said}`);
  }

  /** Throws when it has ended by itself, with what it said. */
  get pid(): number {
    const { pid, exitCode, signalCode } = this.child;
    if (pid === undefined || exitCode !== null || signalCode !== null)
      throw new Error(`it ended (${exitCode ?? signalCode ?? 'never begun'}): ${this.said().trim()}`);
    return pid;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), ENDS_WITHIN_MS);
    await gone;
    clearTimeout(late);
  }
}

/** All that a program writes to its standard output. Rejects when it ends badly. */
export async function output(command: readonly [string, ...string[]]): Promise<string> {
  const child = tracked(command, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code ?? 'a signal'}: ${text}`);
  return text;
}

/** The process and its children and theirs; threads are counted within their process. */
export function family(pid: number): readonly number[] {
  const children = threads(pid).flatMap((thread) =>
    (read(`/proc/${pid}/task/${thread}/children`) ?? '').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

/** None of a process that has just ended, as threads and children may at any time. */
function threads(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

export function residentMegabytes(processes: readonly number[]): number {
  const kilobytes = processes.map((each) => Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${each}/status`) ?? '')?.[1] ?? 0));
  return sum(kilobytes) / 1024;
}

/** User and system time: fields 14 and 15 of stat, counted after the last bracket, since a program's name may hold anything. */
export function cpuSeconds(processes: readonly number[]): number {
  const ticks = processes.map((each) => {
    const stat = read(`/proc/${each}/stat`) ?? '';
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  });
  return sum(ticks) / CLOCK_TICKS_PER_SECOND;
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

/** A port that nobody had a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return address.port;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
