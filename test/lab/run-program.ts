import { spawn } from 'node:child_process';

/**
 * One program, run to its end. Nothing here blocks: who runs programs for the lab has to notice meanwhile that it is to stop.
 */
export interface ProgramOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Ends the program with SIGKILL. */
  readonly signal?: AbortSignal;
}

const TOLD_CHARS_MAX = 4000;

/** Resolves to its standard output, trimmed; rejects with the end of what it wrote when it does not exit with 0. */
export function runProgram(command: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { input, env = process.env, signal } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command[0] ?? '', command.slice(1), {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(signal === undefined ? {} : { signal, killSignal: 'SIGKILL' }),
    });
    const stdout: Buffer[] = [];
    const all: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => (stdout.push(chunk), all.push(chunk)));
    child.stderr.on('data', (chunk: Buffer) => all.push(chunk));
    child.on('error', reject);
    // EPIPE: it did not want its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
    child.on('close', (code, ended) => {
      if (code === 0) resolve(Buffer.concat(stdout).toString('utf8').trim());
      else {
        const told = Buffer.concat(all).toString('utf8').trim().slice(-TOLD_CHARS_MAX);
        reject(new Error(`${command.join(' ')} ended with ${ended ?? String(code)}:\n${told}`));
      }
    });
  });
}
