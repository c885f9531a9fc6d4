import { readFileSync, readdirSync } from 'node:fs';

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
