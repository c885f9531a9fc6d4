import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Every process of one daemon, known by a mark in its PATH: the daemon, its guardian, its agents and all that those start
 * inherit PATH and hardly anything else. Zombies do not count, since nobody is left in them. Needs /proc.
 */
export interface MarkedProcess {
  readonly pid: number;
  readonly command: string;
}

export const markedPath = (mark: string): string => `${process.env['PATH'] ?? ''}:/nowhere/${mark}`;

export function markedProcesses(mark: string): readonly MarkedProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark) || !isAlive(Number(pid))) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ').trim();
        return [{ pid: Number(pid), command }];
      } catch {
        // Gone meanwhile, or somebody else's.
        return [];
      }
    });
}

/** Whether the process is there and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]$/.test(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? 'Z');
  } catch {
    return false;
  }
}

/** Resolves to those that are still there at the end of `withinMs`, as soon as there are none. The kernel tells nobody when. */
export async function untilGone(find: () => readonly MarkedProcess[], withinMs: number): Promise<readonly MarkedProcess[]> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const left = find();
    if (left.length === 0 || performance.now() >= deadline) return left;
    await pause(25);
  }
}
