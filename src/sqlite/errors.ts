/** Primary result codes of SQLite (sqlite.org/rescode.html) that have an answer of their own. */
export const BUSY = 5;
export const CORRUPT = 11;
export const NOT_A_DATABASE = 26;

/** The primary result code of an error that came from SQLite, or null. The lower byte: the rest only says it more exactly. */
export function codeOf(error: unknown): number | null {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : null;
  return typeof code === 'number' ? code & 0xff : null;
}
