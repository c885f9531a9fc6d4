import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { run } from '../../src/cli/run.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { systemClock } from '../../src/system/clock.ts';
import { StubDaemon } from './stub-daemon.ts';

export interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** What one test works with: a directory, and an internal port that is a stub. New for each test. */
export interface Bench {
  directory: string;
  daemon: StubDaemon;
  url: string;
}

export function bench(): Bench {
  const made: Bench = { directory: '', daemon: new StubDaemon(), url: '' };
  beforeEach(async () => {
    made.directory = mkdtempSync(join(tmpdir(), 'reveille-cli-'));
    made.daemon = new StubDaemon();
    made.url = await made.daemon.listen();
  });
  afterEach(async () => {
    await made.daemon.close();
    rmSync(made.directory, { recursive: true });
  });
  return made;
}

/** The environment that names the stub. */
export const toStub = ({ url }: Bench): Readonly<Record<string, string>> => ({
  REVEILLE_ADMIN: url,
  REVEILLE_ADMIN_TOKEN: 'sesame',
});

/** Runs `reveille` in this process. */
export async function reveille(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  { clock = systemClock, whenOut = () => undefined }: { readonly clock?: Clock; readonly whenOut?: () => void } = {},
): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const exit = await run(argv, {
    env,
    clock,
    out: (text) => {
      out.push(text);
      whenOut();
    },
    err: (text) => void err.push(text),
    onInterrupt: () => undefined,
  });
  return { exit, out: out.join('\n'), err: err.join('\n') };
}
