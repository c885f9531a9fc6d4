import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import type { KeptState } from '../contract/events.ts';
import {
  EVENTS_BATCH,
  EVENTS_KEPT,
  STARTS_KEPT,
  type Store,
  type StoredAgent,
  StoreError,
  type StoredEvent,
  type StoredOverride,
  type StoredRoute,
} from '../ports/store.ts';
import { type Outcome, done, failed } from '../std/outcome.ts';
import { type Millis, type WallTime, millisOf, wallTimeOf } from '../std/time.ts';
import { CORRUPT, NOT_A_DATABASE, codeOf, unusable } from './errors.ts';
import { APPLICATION_ID, STEPS, migrate, pragma } from './schema.ts';

/**
 * The daemon's memory in one SQLite file. Write-ahead log with `synchronous = NORMAL`: a commit is in the kernel's hands when
 * the call returns, so it outlives the daemon however that dies; a power cut may take the last commits, never the file.
 * Flushing each commit to the disk was rejected: it would hold up every request for as long as the disk takes. The file is
 * locked for as long as it is open, which also spares the shared memory that a write-ahead log otherwise wants.
 */
export type StoreFailure =
  /** It cannot be opened or written. */
  | { readonly kind: 'unusable'; readonly detail: string }
  /** It is not a database of ours, or no longer one. */
  | { readonly kind: 'damaged'; readonly detail: string }
  /** A later Reveille has written it. */
  | { readonly kind: 'newer'; readonly detail: string };

export interface StoreOptions {
  /** Largest size of the file; a write beyond it is refused as if the disk were full. */
  readonly bytesMax?: number;
}

export const STORE_FILE = 'reveille.db';
const BYTES_MAX = 64 * 1024 * 1024;

/** Opens the store in a directory that is there, and that {@link acquireLock} holds. */
export function openStore(stateDir: string, options: StoreOptions = {}): Outcome<SqliteStore, StoreFailure> {
  const file = join(stateDir, STORE_FILE);
  let database: DatabaseSync | null = null;
  try {
    const hasLog = (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
    // Before SQLite makes it with whatever the umask allows. Its log takes over the mode of the file.
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
    database = new DatabaseSync(file, { timeout: 1000 });
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    const wrong = refusal(database, file, hasLog);
    if (wrong !== null) {
      database.close();
      return failed(wrong);
    }
    migrate(database);
    return done(new SqliteStore(database, file, options.bytesMax ?? BYTES_MAX));
  } catch (error) {
    if (database?.isOpen === true) database.close();
    const code = codeOf(error);
    if (code === CORRUPT || code === NOT_A_DATABASE) return failed(damaged(file, (error as Error).message));
    return failed({ kind: 'unusable', detail: unusable(file, error) });
  }
}

function refusal(database: DatabaseSync, file: string, hasLog: boolean): StoreFailure | null {
  const version = pragma(database, 'user_version');
  const empty = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'] === 0;
  if (!empty && pragma(database, 'application_id') !== APPLICATION_ID) return damaged(file, 'it is a database of something else');
  if (version > STEPS.length) {
    const detail = `${file} was written by a later Reveille (schema ${version}, this one knows ${STEPS.length}); run that one`;
    return { kind: 'newer', detail };
  }
  // What is missing of a page SQLite reads as zeros. With a log beside it the file may be short: the rest is in there.
  const bytes = pragma(database, 'page_count') * pragma(database, 'page_size');
  if (!hasLog && statSync(file).size < bytes) return damaged(file, 'its end is missing');
  const check = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  return check === 'ok' ? null : damaged(file, String(check));
}

const damaged = (file: string, cause: string): StoreFailure => ({
  kind: 'damaged',
  detail: `${file} is damaged: ${cause}. Move it away to begin anew, or put a copy in its place; agents made through the API, overrides and registered routes are in it`,
});

/** Tables of what is remembered of agents, whoever made them. */
const REMEMBERED = ['starts', 'last_activity', 'overrides'];

type Row = Readonly<Record<string, SQLOutputValue>>;

export class SqliteStore implements Store {
  private readonly database: DatabaseSync;
  private readonly file: string;
  private readonly statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, file: string, bytesMax: number) {
    this.database = database;
    this.file = file;
    database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(bytesMax / pragma(database, 'page_size')))}`);
  }

  routes(): readonly StoredRoute[] {
    return this.read('SELECT * FROM routes ORDER BY hostname').map((row) => ({
      hostname: String(row['hostname']),
      agent: String(row['agent']),
      task: String(row['task']),
      port: Number(row['port']),
      createdAt: wallTimeOf(Number(row['created_at'])),
      expiresAt: row['expires_at'] === null ? null : wallTimeOf(Number(row['expires_at'])),
      leftMs: row['left_ms'] === null ? null : millisOf(Number(row['left_ms'])),
    }));
  }

  putRoute({ hostname, agent, task, port, createdAt, expiresAt, leftMs }: StoredRoute): void {
    const values = [hostname, agent, task, port, createdAt, expiresAt, leftMs];
    this.write('INSERT OR REPLACE INTO routes VALUES (?, ?, ?, ?, ?, ?, ?)', ...values);
  }

  deleteRoutes(hostnames: readonly string[]): void {
    this.write('DELETE FROM routes WHERE hostname IN (SELECT value FROM json_each(?))', JSON.stringify(hostnames));
  }

  agents(): readonly StoredAgent[] {
    return this.read('SELECT * FROM agents ORDER BY name').map((row) => ({
      name: String(row['name']),
      body: this.attempt(() => JSON.parse(String(row['body'])) as unknown),
      createdAt: wallTimeOf(Number(row['created_at'])),
    }));
  }

  putAgent({ name, body, createdAt }: StoredAgent): void {
    this.write('INSERT OR REPLACE INTO agents VALUES (?, ?, ?)', name, JSON.stringify(body), createdAt);
  }

  deleteAgent(name: string): void {
    this.together(() => {
      this.statement('DELETE FROM agents WHERE name = ?').run(name);
      for (const table of REMEMBERED) this.statement(`DELETE FROM ${table} WHERE agent = ?`).run(name);
    });
  }

  forgetAllBut(names: readonly string[]): void {
    const kept = JSON.stringify(names);
    this.together(() => {
      for (const table of REMEMBERED)
        this.statement(`DELETE FROM ${table} WHERE agent NOT IN (SELECT value FROM json_each(?))`).run(kept);
    });
  }

  starts(agent: string): readonly Millis[] {
    const rows = this.read('SELECT took FROM starts WHERE agent = ? ORDER BY id DESC LIMIT ?', agent, STARTS_KEPT);
    return rows.map((row) => millisOf(Number(row['took']))).reverse();
  }

  addStart(agent: string, took: Millis): void {
    this.together(() => {
      this.statement('INSERT INTO starts (agent, took) VALUES (?, ?)').run(agent, took);
      this.statement(
        'DELETE FROM starts WHERE agent = ?1 AND id NOT IN (SELECT id FROM starts WHERE agent = ?1 ORDER BY id DESC LIMIT ?2)',
      ).run(agent, STARTS_KEPT);
    });
  }

  lastActivity(agent: string): WallTime | null {
    const [row] = this.read('SELECT at FROM last_activity WHERE agent = ?', agent);
    return row === undefined ? null : wallTimeOf(Number(row['at']));
  }

  putLastActivity(agent: string, at: WallTime): void {
    this.write('INSERT OR REPLACE INTO last_activity VALUES (?, ?)', agent, at);
  }

  overrides(): readonly StoredOverride[] {
    return this.read('SELECT * FROM overrides ORDER BY agent').map((row) => ({
      agent: String(row['agent']),
      state: row['state'] as KeptState,
      since: wallTimeOf(Number(row['since'])),
      until: row['until'] === null ? null : wallTimeOf(Number(row['until'])),
    }));
  }

  putOverride({ agent, state, since, until }: StoredOverride): void {
    this.write('INSERT OR REPLACE INTO overrides VALUES (?, ?, ?, ?)', agent, state, since, until);
  }

  deleteOverride(agent: string): void {
    this.write('DELETE FROM overrides WHERE agent = ?', agent);
  }

  lastEventId(): number {
    return Number(this.read('SELECT max(id) AS id FROM events')[0]?.['id'] ?? 0);
  }

  eventsAfter(id: number, limit: number): readonly StoredEvent[] {
    return this.read('SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?', id, limit).map((row) => ({
      id: Number(row['id']),
      body: this.attempt(() => JSON.parse(String(row['body'])) as unknown),
    }));
  }

  addEvent({ id, body }: StoredEvent): void {
    this.together(() => {
      this.statement('INSERT INTO events VALUES (?, ?)').run(id, JSON.stringify(body));
      if (id % EVENTS_BATCH === 0) this.statement('DELETE FROM events WHERE id <= ?').run(id - EVENTS_KEPT);
    });
  }

  close(): void {
    if (this.database.isOpen) this.database.close();
  }

  /** Several writes, all or none. */
  private together(writes: () => void): void {
    this.attempt(() => {
      this.database.exec('BEGIN');
      try {
        writes();
        this.database.exec('COMMIT');
      } catch (error) {
        // A full disk may have rolled it back already.
        if (this.database.isTransaction) this.database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  private read(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.attempt(() => this.statement(sql).all(...values));
  }

  private write(sql: string, ...values: SQLInputValue[]): void {
    this.attempt(() => this.statement(sql).run(...values));
  }

  private statement(sql: string): StatementSync {
    const known = this.statements.get(sql) ?? this.database.prepare(sql);
    this.statements.set(sql, known);
    return known;
  }

  private attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new StoreError(`${this.file}: ${(error as Error).message}`);
    }
  }
}
