import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Which processes a run of ours has left behind, known by a mark that they inherited in their environment. The parent would
 * not do: whoever loses his own is given another.
 */
export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

const MARK = 'REVEILLE_TEST_RUN';

/** The environment that marks whatever is started with it, and what that starts in turn. */
export const marked = (mark: string): NodeJS.ProcessEnv => ({ ...process.env, [MARK]: mark });

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
      if (!readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${MARK}=${mark}`)) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ').trim();
      return [{ pid: Number(pid), command }];
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
