import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import type { Readable } from 'node:stream';
import { type Outcome, done, failed } from '../../../src/std/outcome.ts';

/**
 * A program that is not trusted to end, to be brief, or to clean up after itself. It leads a process group of its own, which is
 * ended whole: when the program ends, when its time is over, when it has written too much, when the trooper stops. Who
 * leaves the group as well is found by the daemon, which knows its own by their environment.
 */
export interface Box {
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly outputBytesMax: number;
  readonly stopping: AbortSignal;
}

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 500;
/** For what is left in the pipes of a program that has ended. Whoever holds them open longer has left the group. */
const LAST_WORDS_MS = 500;

/**
 * Resolves to what it wrote, stderr before stdout, once nothing of its group is left. Fails with why there is nothing: it did
 * not start, did not end well, wrote too much, was late, or the trooper stops. The reason holds nothing that it wrote.
 */
export async function runBoxed(program: string, args: readonly string[], box: Box): Promise<Outcome<string, string>> {
  if (box.stopping.aborted) return failed('the trooper stops');
  let child: ChildProcessByStdio<null, Readable, Readable>;
  try {
    child = spawn(program, args, { cwd: tmpdir(), env: box.env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    return failed(reasonOf(error));
  }
  const { pid } = child;
  if (pid === undefined) return new Promise((resolve) => child.once('error', (error) => resolve(failed(reasonOf(error)))));
  child.on('error', () => undefined);
  return new Promise((resolve) => watch(child, pid, box, resolve));
}

function watch(
  child: ChildProcessByStdio<null, Readable, Readable>,
  pid: number,
  box: Box,
  resolve: (outcome: Outcome<string, string>) => void,
): void {
  const written = { stderr: [] as Buffer[], stdout: [] as Buffer[] };
  let bytes = 0;
  let refusal: string | null = null;
  let killTimer: NodeJS.Timeout | undefined;

  const end = (reason: string): void => {
    if (refusal !== null) return;
    refusal = reason;
    signalGroup(pid, 'SIGTERM');
    killTimer = setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS);
  };
  const late = setTimeout(() => end('it took too long'), box.timeoutMs);
  const stop = (): void => end('the trooper stops');
  box.stopping.addEventListener('abort', stop, { once: true });

  for (const name of ['stderr', 'stdout'] as const) {
    // Read on after it was refused, and forgotten: a program that cannot write may not notice that it is to end.
    child[name].on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > box.outputBytesMax) end('it wrote too much');
      else written[name].push(chunk);
    });
    child[name].on('error', () => undefined);
  }

  child.once('exit', (code, signal) => {
    clearTimeout(late);
    clearTimeout(killTimer);
    box.stopping.removeEventListener('abort', stop);
    // Its children, at once: the number of the group is not given to another while one of them lives.
    signalGroup(pid, 'SIGKILL');
    const letGo = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, LAST_WORDS_MS);
    child.once('close', () => {
      clearTimeout(letGo);
      if (refusal !== null) resolve(failed(refusal));
      else if (code !== 0) resolve(failed(signal === null ? `it ended with ${String(code)}` : `it ended by ${signal}`));
      else resolve(done(['stderr', 'stdout'].map((name) => textOf(written[name as 'stderr' | 'stdout'])).join('\n')));
    });
  });
}

const textOf = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString('utf8');

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // ESRCH: nobody is left in it. EPERM cannot be helped.
  }
}

/** ENOENT, EACCES and the like. */
const reasonOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'it cannot be started';
