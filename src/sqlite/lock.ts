import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Outcome, done, failed } from '../std/outcome.ts';
import { BUSY, NOT_A_DATABASE, codeOf, unusable } from './errors.ts';

/**
 * One daemon per state_dir. The lock is an exclusive transaction on an empty database of its own: SQLite takes it with
 * fcntl(2), so the kernel drops it the moment the process is gone, kill -9 included, and no stale lock is ever to be judged.
 * A pid file was rejected for that reason, and flock(1) because Node has no binding to it. The pid that is written beside
 * the lock is for people only. On network file systems the lock is as good as their fcntl.
 */
export type LockFailure =
  /** Another process has it; `pid` is the holder's, where it could be read. */
  | { readonly kind: 'in-use'; readonly pid: number | null; readonly detail: string }
  /** It cannot be locked at all: not a directory, read-only, not ours. */
  | { readonly kind: 'unusable'; readonly detail: string };

export interface StateLock {
  release(): void;
}

// Nothing may open and close `lock` by other means while it is held: POSIX drops a process's locks on a file when the
// process closes any descriptor of it. Hence the pid in a file of its own.
const LOCK_FILE = 'lock';
const PID_FILE = 'daemon.pid';

/** Locks that this process holds. Without this, a lock whose owner forgot it would end with the next garbage collection. */
const held = new Set<DatabaseSync>();

/** Makes the directory (0700) where it is missing, and holds it until released or until the process ends. */
export function acquireLock(stateDir: string): Outcome<StateLock, LockFailure> {
  const pidFile = join(stateDir, PID_FILE);
  let database: DatabaseSync | null = null;
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    makePrivate(join(stateDir, LOCK_FILE));
    database = new DatabaseSync(join(stateDir, LOCK_FILE), { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    if (database?.isOpen === true) database.close();
    const code = codeOf(error);
    if (code !== BUSY) {
      // What the system refuses it names itself; SQLite does not.
      const lock = join(stateDir, LOCK_FILE);
      if (code !== NOT_A_DATABASE)
        return failed({ kind: 'unusable', detail: unusable(code === null ? `state_dir ${stateDir}` : lock, error) });
      return failed({ kind: 'unusable', detail: `${lock} is not our lock. Move it away; there is nothing of worth in a lock` });
    }
    const pid = readPid(pidFile);
    const holder = pid === null ? 'another daemon' : `the daemon with pid ${pid}`;
    return failed({
      kind: 'in-use',
      pid,
      detail: `state_dir ${stateDir} is in use by ${holder}; stop that one first, or give this one a state_dir of its own`,
    });
  }
  const holding = database;
  held.add(holding);
  return done({
    release: () => {
      if (!held.delete(holding)) return;
      // First, or it might be the next holder's.
      rmSync(pidFile, { force: true });
      holding.close();
    },
  });
}

/** Nobody else may open it, or they could lock us out. Only ever makes it: see above for why an existing one is left alone. */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function readPid(file: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
    return Number.isSafeInteger(pid) ? pid : null;
  } catch {
    return null;
  }
}
