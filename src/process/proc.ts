import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { assert } from '../std/assert.ts';

/**
 * What the kernel says of processes, read from /proc. A pid alone proves nothing: pids wrap within a minute on a busy
 * machine. Proof is pid and start time and boot id together. Where there is no /proc (not Linux) everything here answers
 * "nothing known", and who asks falls back to what kill(2) can tell.
 */
export interface ProcessFacts {
  readonly pid: number;
  readonly group: number;
  readonly parent: number;
  /** In clock ticks since boot, as text: it is only ever compared. Unchanged by exec. */
  readonly start: string;
  /** False for a zombie: it holds its pid and answers kill(pid, 0), but there is nothing left to end. */
  readonly live: boolean;
  /** SIGSTOP or a debugger has stopped it. */
  readonly stopped: boolean;
}

/** /proc/PID/stat (proc_pid_stat(5)); null when it is not that. */
export function parseStat(text: string): ProcessFacts | null {
  // The second field is the program's own name and may hold spaces and brackets: `7 (a) R 1 (b) S 1 7 ...`. Only what
  // follows the last bracket can be split.
  const close = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  const [state, parent, group, ...rest] = text.slice(close + 2).split(' ');
  // Field 22 is the start time; `rest` begins with field 6.
  const start = rest[16];
  if (close < 0 || !Number.isInteger(pid) || start === undefined) return null;
  return {
    pid,
    group: Number(group),
    parent: Number(parent),
    start,
    live: state !== 'Z' && state !== 'X',
    stopped: state === 'T' || state === 't',
  };
}

/** Null: there is no such process, or no /proc. */
export function readProcess(pid: number): ProcessFacts | null {
  const text = readOrNull(`/proc/${pid}/stat`);
  return text === null ? null : parseStat(text);
}

/** Every process that can be seen, zombies too. About 10 microseconds each. */
export function listProcesses(): readonly ProcessFacts[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  return names.filter((name) => /^[0-9]+$/.test(name)).flatMap((name) => readProcess(Number(name)) ?? []);
}

/**
 * Whether the environment the process was started with holds all of these `NAME=value` pairs. Children inherit it, so it
 * finds what has left its group; a program that overwrites its own title may have wiped it, so it cannot prove the opposite.
 */
export function carries(pid: number, pairs: readonly string[]): boolean {
  // Everything carries nothing: an empty mark would make every process of the machine ours.
  assert(pairs.length > 0 && pairs.every((pair) => /^\w+=./.test(pair)), 'a mark says something');
  const environment = readOrNull(`/proc/${pid}/environ`)?.split('\0') ?? [];
  return pairs.every((pair) => environment.includes(pair));
}

/** Inodes of the sockets that a process holds. Null: it does not show them, being another user's. */
export function socketsOf(pid: number): readonly string[] | null {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    // A process that has just ended shows nothing either, and needs not: it holds nothing any more.
    return readProcess(pid)?.live === true ? null : [];
  }
  return names.flatMap((name) => {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`)) ?? [];
      return inode === undefined ? [] : [inode];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

/** Whether there is a /proc to ask. */
export const procIsThere = (): boolean => readOrNull('/proc/self/stat') !== null;

/** Differs after every boot of the machine. Null without /proc. */
export const bootId = (): string | null => readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? null;

/** Sends a signal to a process, or to a whole group where `target` is negative. Nobody there, or nobody we may signal: nothing. */
export function signal(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name);
  } catch {
    // ESRCH and EPERM. Whether anything is left is found out by looking, not from here.
  }
}

/** Whether the group has a member, be it a zombie. */
export function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    // EPERM: it exists, and belongs to another user by now.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
