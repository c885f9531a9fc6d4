import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Change, Item } from './store.ts';

/**
 * What membus remembers, on disk: a table that is always what the store is. Write-ahead log with `synchronous = NORMAL`, as the
 * daemon's own store: what was written outlives this process however that ends; a power cut may take the last of it, never
 * the file. A log of commands to be played again was left out: it would have to be cut short while commands come in.
 */
export interface Opened {
  readonly journal: Journal;
  /** No unique up to this one is given again. */
  readonly lastUnique: number;
  /** Least recently stored first. */
  readonly items: IterableIterator<readonly [key: string, item: Item]>;
}

/** The file cannot be used; the message says why in one line. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
  /** Another process has it: a matter of time or of a second membus, not of the file. */
  readonly inUse: boolean;

  constructor(message: string, inUse = false) {
    super(message);
    this.inUse = inUse;
  }
}

/** 'MBus': that the file is ours. */
const APPLICATION_ID = 0x4d42_7573;
const SCHEMA = 1;
const BUSY = 5;
/** The one before may still be ending. */
const LOCK_TIMEOUT_MS = 2000;
/** Uniques are given from blocks, so that the table of one row is written once for so many. */
const UNIQUES_RESERVED = 1_000_000;

const TABLES = `
  CREATE TABLE items (
    key BLOB NOT NULL UNIQUE,
    flags INTEGER NOT NULL,
    value BLOB NOT NULL,
    expires_at REAL,
    cas INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX items_by_age ON items (cas);
  CREATE TABLE uniques (reserved INTEGER NOT NULL) STRICT;`;

/** Makes the file (0600), and its directory (0700) where that is missing. Throws a {@link JournalError}. */
export function openJournal(file: string, now: number): Opened {
  let database: DatabaseSync | null = null;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // Before SQLite makes it with whatever the umask allows. Its log takes over the mode of the file.
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
    database = new DatabaseSync(file, { timeout: LOCK_TIMEOUT_MS });
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    database.exec('PRAGMA journal_size_limit = 16777216');
    prepare(database, now);
    const reserved = Number(database.prepare('SELECT reserved FROM uniques').get()?.['reserved']);
    return { journal: new Journal(database, reserved), lastUnique: reserved, items: itemsOf(database) };
  } catch (error) {
    if (database?.isOpen === true) database.close();
    const inUse = ((error as { readonly errcode?: unknown }).errcode as number | undefined) === BUSY;
    if (inUse)
      throw new JournalError(`MEMBUS_FILE ${file} is in use by another process; give each membus a file of its own`, true);
    throw new JournalError(`MEMBUS_FILE ${file} cannot be used: ${(error as Error).message}`);
  }
}

function prepare(database: DatabaseSync, now: number): void {
  const pragma = (name: string): unknown => database.prepare(`PRAGMA ${name}`).get()?.[name];
  if (database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'] === 0) {
    // A file that is lost takes its uniques with it. What a client still holds of them is not met again: nobody stores a
    // million times a second, so the clock is ahead of all that were given.
    const first = Math.floor(now) * 1000;
    database.exec(
      `BEGIN; ${TABLES} INSERT INTO uniques VALUES (${first});
       PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA}; COMMIT`,
    );
  }
  if (pragma('application_id') !== APPLICATION_ID) throw new Error('it is a database of something else');
  if (pragma('user_version') !== SCHEMA) throw new Error('it was written by a later membus');
  const check = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (check !== 'ok') throw new Error(`it is damaged: ${String(check).replaceAll('\n', ' ')}; move it away to begin anew`);
}

function* itemsOf(database: DatabaseSync): IterableIterator<readonly [string, Item]> {
  for (const row of database.prepare('SELECT key, flags, value, expires_at, cas FROM items ORDER BY cas').iterate()) {
    const value = row['value'] as Uint8Array;
    yield [
      Buffer.from(row['key'] as Uint8Array).toString('latin1'),
      {
        flags: Number(row['flags']),
        value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
        expiresAt: row['expires_at'] === null ? Infinity : Number(row['expires_at']),
        unique: Number(row['cas']),
      },
    ];
  }
}

export class Journal {
  private readonly database: DatabaseSync;
  private readonly put: StatementSync;
  private readonly remove: StatementSync;
  private readonly reserve: StatementSync;
  private reserved: number;

  constructor(database: DatabaseSync, reserved: number) {
    this.database = database;
    this.reserved = reserved;
    this.put = database.prepare(
      `INSERT INTO items (key, flags, value, expires_at, cas) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE
       SET flags = excluded.flags, value = excluded.value, expires_at = excluded.expires_at, cas = excluded.cas`,
    );
    this.remove = database.prepare('DELETE FROM items WHERE key = ?');
    this.reserve = database.prepare('UPDATE uniques SET reserved = ?');
  }

  /** All of `changes` or none: throws whatever kept them from being written. Returns once they outlive this process. */
  write(changes: readonly Change[], lastUnique: number): void {
    const reserved = lastUnique > this.reserved ? lastUnique + UNIQUES_RESERVED : this.reserved;
    const last = new Map(changes.map(({ key, after }) => [key, after]));
    this.database.exec('BEGIN');
    try {
      for (const [key, item] of last) this.lay(Buffer.from(key, 'latin1'), item);
      if (reserved !== this.reserved) this.reserve.run(reserved);
      this.database.exec('COMMIT');
    } catch (error) {
      // A full disk may have rolled it back already.
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      throw error;
    }
    this.reserved = reserved;
  }

  close(): void {
    if (this.database.isOpen) this.database.close();
  }

  private lay(key: Buffer, item: Item | null): void {
    if (item === null) this.remove.run(key);
    else this.put.run(key, item.flags, item.value, item.expiresAt === Infinity ? null : item.expiresAt, item.unique);
  }
}
