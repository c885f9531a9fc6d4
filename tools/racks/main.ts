import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { areUp, lastWords, startDaemon } from './programs.ts';
import { type Rack, racksIn, secretFile } from './rack.ts';

/**
 * `npm run racks`: two daemons with two worlds on this machine, between which troopers can revolt. Both live as long as this
 * program does. `--fresh` begins with empty worlds, `--shift N` adds N to every port, `--directory D` keeps them elsewhere.
 */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function main(): Promise<number> {
  const options = optionsOrNull();
  if (options === null) return refused('usage: npm run racks -- [--fresh] [--shift N] [--directory D]', 2);
  const { directory, shift, fresh } = options;
  const racks = racksIn(directory, shift);
  const taken = await takenPort(racks);
  if (taken !== null) {
    const advice = 'is it another `npm run racks`? With `-- --shift 1` every port is one higher.';
    return refused(`Port ${taken} of 127.0.0.1 is taken: ${advice}`);
  }
  if (fresh) for (const rack of racks) rmSync(rack.directory, { recursive: true, force: true });
  makeSecret(directory);

  const programs = racks.map(startDaemon);
  const ending = new AbortController();
  // Each is told once: a program that is about to exit listens to no signal any more, and a second one would kill it.
  ending.signal.addEventListener('abort', () => programs.forEach((program) => program.end()));
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (!ending.signal.aborted) process.stderr.write('\n  Ending both racks.\n');
      ending.abort();
    });
  }
  // Neither is of use without the other.
  const ends = programs.map(async (program) => {
    const code = await program.exit;
    const cause = ending.signal.aborted ? null : program;
    ending.abort();
    return { code, cause };
  });
  if (await areUp(racks, programs)) greet(racks);
  const ended = await Promise.all(ends);
  const cause = ended.find((each) => each.cause !== null)?.cause ?? null;
  if (cause !== null) return refused(`One rack ended by itself, and so both did: ${cause.logFile}\n${lastWords(cause.logFile)}`);
  return ended.every(({ code }) => code === 0) ? 0 : refused(`Not both of them ended well; their logs are in ${directory}.`);
}

function optionsOrNull(): { readonly directory: string; readonly shift: number; readonly fresh: boolean } | null {
  try {
    const { values } = parseArgs({
      options: { fresh: { type: 'boolean' }, shift: { type: 'string' }, directory: { type: 'string' } },
    });
    const shift = values.shift ?? '0';
    if (!/^[0-9]{1,4}$/.test(shift)) return null;
    const directory = resolve(values.directory ?? resolve(import.meta.dirname, '../../.reveille/racks'));
    return { directory, shift: Number(shift), fresh: values.fresh === true };
  } catch {
    return null;
  }
}

/** The first port that somebody listens on; null: all are free. */
async function takenPort(racks: readonly Rack[]): Promise<number | null> {
  for (const port of racks.flatMap(({ ports }) => ports)) {
    const server = createServer().listen(port, '127.0.0.1');
    const free = await Promise.race([once(server, 'listening').then(() => true), once(server, 'error').then(() => false)]).catch(
      () => false,
    );
    if (!free) return port;
    server.close();
    await once(server, 'close');
  }
  return null;
}

/** Known to both racks and to nobody else: with it they believe each other. */
function makeSecret(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = secretFile(directory);
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
}

function greet(racks: readonly Rack[]): void {
  const lines = racks.flatMap(({ label, url, scoreboardUrl, directory }) => [
    `  ${label}`,
    `    world       ${url}`,
    `    scoreboard  ${scoreboardUrl}`,
    `    logs        ${directory}`,
    '',
  ]);
  const rest = ['  Each world is asleep until its page is opened. ^C ends both.', ''];
  process.stderr.write(`${['', ...lines, ...rest].join('\n')}\n`);
}

function refused(text: string, exitCode = 1): number {
  process.stderr.write(`${text}\n`);
  return exitCode;
}

process.exitCode = await main();
