import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Rack } from './rack.ts';

/** A program of a rack, as a child that ends with the runner, in whatever way that ends. */
export interface RackProgram {
  readonly logFile: string;
  /** Its exit code; null where a signal ended it. */
  readonly exit: Promise<number | null>;
  readonly running: boolean;
  /** SIGTERM. The daemon ends its agents itself. */
  end(): void;
}

const REPOSITORY = resolve(import.meta.dirname, '../..');
const LOOK_MS = 100;

/** Starts the rack's daemon, which starts the rest. */
export function startDaemon(rack: Rack): RackProgram {
  mkdirSync(rack.directory, { recursive: true });
  const configFile = join(rack.directory, 'orchestrator.yaml');
  writeFileSync(configFile, `${JSON.stringify(rack.config, null, 2)}\n`);
  return start(join(rack.directory, 'daemon.log'), ['src/cli/main.ts', 'serve', '--config', configFile]);
}

function start(logFile: string, args: readonly string[]): RackProgram {
  const log = openSync(logFile, 'w');
  // A process group of its own: the terminal sends Ctrl-C to all of this one's, and each program is to hear of it once, from us.
  const child = spawn(process.execPath, [...args], {
    cwd: REPOSITORY,
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const guard = guardOf(child);
  let running = true;
  const exit = new Promise<number | null>((ended) => {
    child.once('exit', (code) => {
      running = false;
      guard.kill('SIGKILL');
      ended(code);
    });
    child.once('error', () => ended(null));
  });
  return {
    logFile,
    exit,
    get running() {
      return running;
    },
    end: () => void child.kill('SIGTERM'),
  };
}

/** Resolves once the racks answer and what runs from the start does. False: some program ended before. */
export async function areUp(racks: readonly Rack[], programs: readonly RackProgram[]): Promise<boolean> {
  while (programs.every(({ running }) => running)) {
    if ((await Promise.all(racks.map(isReady))).every(Boolean)) return true;
    await pause(LOOK_MS);
  }
  return false;
}

/** What a program that ended has said to people: the log is JSON, and this is not. */
export const lastWords = (logFile: string): string =>
  readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('{'))
    .slice(-5)
    .join('\n');

/**
 * A shell whose input ends when this process does, even by SIGKILL, and which then ends the program. It is in no terminal's
 * process group, so that Ctrl-C leaves it alone.
 */
function guardOf(program: ChildProcess): ChildProcess {
  const script = 'read -r _; kill -TERM "$1"';
  const guard = spawn('/bin/sh', ['-c', script, 'sh', String(program.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.on('error', () => program.kill('SIGTERM'));
  return guard;
}

/** The daemon answers, and so does the scoreboard, which means that membus is there. */
async function isReady({ adminUrl, scoreboardUrl }: Rack): Promise<boolean> {
  const asked = [`${adminUrl}/readyz`, `${scoreboardUrl.replace('localhost', '127.0.0.1')}api/scoreboard`];
  const answers = await Promise.all(asked.map((url) => fetch(url).catch(() => null)));
  return answers.every((answer) => answer?.ok === true);
}
