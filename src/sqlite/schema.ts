import type { DatabaseSync } from 'node:sqlite';

/**
 * The tables, as the steps that led to them. A step that was released is never changed: databases out there have taken it.
 * `user_version` counts the steps taken, `application_id` says that the file is ours.
 */
export const APPLICATION_ID = 0x5276_6c65;

export const STEPS: readonly string[] = [
  `CREATE TABLE routes (
     hostname TEXT PRIMARY KEY,
     agent TEXT NOT NULL,
     task TEXT NOT NULL,
     port INTEGER NOT NULL,
     created_at REAL NOT NULL,
     expires_at REAL
   ) STRICT;
   CREATE TABLE agents (
     name TEXT PRIMARY KEY,
     body TEXT NOT NULL,
     created_at REAL NOT NULL
   ) STRICT;
   CREATE TABLE starts (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     agent TEXT NOT NULL,
     took REAL NOT NULL
   ) STRICT;
   CREATE INDEX starts_by_agent ON starts (agent, id);`,
  `ALTER TABLE routes ADD COLUMN left_ms REAL;
   CREATE TABLE last_activity (
     agent TEXT PRIMARY KEY,
     at REAL NOT NULL
   ) STRICT;
   CREATE TABLE overrides (
     agent TEXT PRIMARY KEY,
     state TEXT NOT NULL CHECK (state IN ('asleep', 'awake')),
     since REAL NOT NULL,
     until REAL
   ) STRICT;
   CREATE TABLE events (
     id INTEGER PRIMARY KEY,
     body TEXT NOT NULL
   ) STRICT;`,
];

/** A number of the database's own. */
export function pragma(database: DatabaseSync, name: 'user_version' | 'application_id' | 'page_count' | 'page_size'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

/** Takes the steps that are missing, each whole or not at all. */
export function migrate(database: DatabaseSync, steps: readonly string[] = STEPS): void {
  for (let version = pragma(database, 'user_version'); version < steps.length; version += 1) {
    const step = steps[version] ?? '';
    database.exec(`BEGIN; ${step}; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version + 1}; COMMIT`);
  }
}
