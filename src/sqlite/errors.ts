/** What went wrong with a file of state_dir, whoever says so: SQLite by its result codes, the system by the names of errno(3). */

/** Primary result codes of SQLite (sqlite.org/rescode.html) that have an answer of their own. */
export const BUSY = 5;
const READ_ONLY = 8;
const IO_ERROR = 10;
export const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
export const NOT_A_DATABASE = 26;

/** The primary result code of an error that came from SQLite, or null. The lower byte: the rest only says it more exactly. */
export function codeOf(error: unknown): number | null {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : null;
  return typeof code === 'number' ? code & 0xff : null;
}

const MAKE_ROOM = 'Free space on its disk';
const ALLOW = 'Let the user that the daemon runs as read and write it';
const BE_A_FILE = 'It must be a file that the user of the daemon may read and write';
const MAKE_WRITABLE = 'Mount its file system for writing, or give another state_dir';
const MOVE_AWAY = 'Something else has that name: move it away, or give another state_dir';
const MEND_DISK = 'See the log of the system for the state of its disk';

const REMEDIES: Readonly<Record<string | number, string>> = {
  EROFS: MAKE_WRITABLE,
  [READ_ONLY]: MAKE_WRITABLE,
  EACCES: ALLOW,
  EPERM: ALLOW,
  [CANNOT_OPEN]: BE_A_FILE,
  ENOSPC: MAKE_ROOM,
  EDQUOT: MAKE_ROOM,
  [FULL]: MAKE_ROOM,
  EISDIR: MOVE_AWAY,
  ENOTDIR: MOVE_AWAY,
  EEXIST: MOVE_AWAY,
  EIO: MEND_DISK,
  [IO_ERROR]: MEND_DISK,
};

/** One sentence: what cannot be used, why, and what the operator does about it. */
export function unusable(what: string, error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return `${what} cannot be used: ${message}. ${REMEDIES[codeOf(error) ?? code] ?? MAKE_WRITABLE}`;
}
