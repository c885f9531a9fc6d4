import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Which processes a run of ours has left behind, known by a mark that they inherited. The parent would not do: whoever loses
 * his own is given another. A variable of ours would not do either: the process engine hands on a short list of variables,
 * and its guardian gets nothing but PATH. So the mark is part of PATH, where it does no harm.
 */
export interface Leftover {
  readonly pid: number;
  /** Cut off where it is long. */
  readonly command: string;
}

const COMMAND_CHARS_MAX = 200;

/** A mark that no other run has. */
export const newMark = (): string => `reveille-run-${randomBytes(8).toString('hex')}`;

/** The environment that marks whatever is started with it, and what that starts in turn. */
export const marked = (mark: string): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${process.env['PATH'] ?? ''}${delimiter}${join(tmpdir(), mark)}`,
});

/** Null where there is no /proc to look into. */
export function leftovers(mark: string): readonly Leftover[] | null {
  let pids;
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return null;
  }
  return pids.flatMap((pid) => {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
        .replaceAll(/[\0\s]+/g, ' ')
        .trim();
      return [{ pid: Number(pid), command: command.slice(0, COMMAND_CHARS_MAX) }];
    } catch {
      // Gone meanwhile, or of another user: not ours.
      return [];
    }
  });
}

/** How long processes that are about to end may take for it. */
const GRACE_MS = 2000;

/** Ends what is still there after a moment of grace, and says what that was. Null where there is no /proc to look into. */
export async function endLeftovers(mark: string): Promise<readonly Leftover[] | null> {
  const deadline = performance.now() + GRACE_MS;
  for (;;) {
    const left = leftovers(mark);
    if (left === null || left.length === 0) return left;
    if (performance.now() >= deadline) {
      for (const { pid } of left) end(pid);
      return left;
    }
    await pause(50);
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // Gone between looking and ending.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
