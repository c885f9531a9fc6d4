import type { Variables } from '../../kit/environment.ts';
import { type Outcome, failed } from '../../../src/std/outcome.ts';
import { runBoxed } from './boxed-program.ts';

/**
 * PicoClaw, the first source of texts: a program on this machine that asks a model and prints what it said. Its config is its
 * own, at its usual place (~/.picoclaw/config.json).
 */
const OUTPUT_BYTES_MAX = 64 * 1024;

/**
 * All that PicoClaw is given of the trooper's environment. It runs what a model thinks of, and a token or a secret is none of
 * its business. HOME and the PICOCLAW ones say where its config is. By the REVEILLE ones the process engine knows what belongs
 * to a task, should the trooper be killed while PicoClaw runs.
 */
const PASSED_ON = ['HOME', 'PATH', 'LANG', 'TZ', 'TMPDIR', 'PICOCLAW_HOME', 'PICOCLAW_CONFIG'] as const;
const MARKS = ['REVEILLE_OWNER', 'REVEILLE_TASK_ID'] as const;

/** Asks PicoClaw once, as `<program> agent -m "<prompt>"`. Resolves to all it printed, or why there is nothing. */
export async function askPicoclaw(
  program: string,
  prompt: string,
  timeoutMs: number,
  stopping: AbortSignal,
  variables: Variables = process.env,
): Promise<Outcome<string, string>> {
  const env = Object.fromEntries(
    [...PASSED_ON, ...MARKS].flatMap((name) => (variables[name] === undefined ? [] : [[name, variables[name]]])),
  ) as Readonly<Record<string, string>>;
  const answer = await runBoxed(program, ['agent', '-m', prompt], {
    env,
    timeoutMs,
    outputBytesMax: OUTPUT_BYTES_MAX,
    stopping,
  });
  return !answer.ok && answer.failure === 'ENOENT' ? failed(`there is no ${program} on the PATH`) : answer;
}
