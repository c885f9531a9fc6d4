import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { STARTS_KEPT, StoreError, type StoredRoute } from '../../src/ports/store.ts';
import { STEPS, migrate, pragma } from '../../src/sqlite/schema.ts';
import { STORE_FILE, type SqliteStore, type StoreOptions, openStore } from '../../src/sqlite/store.ts';
import { millisOf, wallTimeOf } from '../../src/std/time.ts';
import { scratch, withoutWriting } from './rig.ts';

function opened(stateDir: string, options: StoreOptions = {}): SqliteStore {
  const store = openStore(stateDir, options);
  if (!store.ok) throw new Error(store.failure.detail);
  onTestFinished(() => {
    store.value.close();
  });
  return store.value;
}

const route = (hostname: string, parts: Partial<StoredRoute> = {}): StoredRoute => ({
  hostname,
  agent: 'kai',
  task: 't1',
  port: 3000,
  createdAt: wallTimeOf(1_700_000_000_123.5),
  expiresAt: null,
  leftMs: null,
  ...parts,
});

describe('the store', () => {
  test('gives back after reopening what was put into it', () => {
    const stateDir = scratch();
    const store = opened(stateDir);
    const expiring = route('b.example.com', { expiresAt: wallTimeOf(1_700_000_600_000) });
    store.putRoute(route('c.example.com'));
    store.putRoute(expiring);
    store.putRoute(route('a.example.com', { port: 1 }));
    store.putRoute(route('a.example.com', { port: 2 }));
    store.deleteRoutes(['c.example.com', 'never.example.com']);
    const body = { name: 'eve', backend: 'http://127.0.0.1:1', nested: ['ä', null] };
    store.putAgent({ name: 'eve', body, createdAt: wallTimeOf(5) });
    store.putAgent({ name: 'old', body: {}, createdAt: wallTimeOf(5) });
    store.deleteAgent('old');
    store.addStart('kai', millisOf(12.5));
    store.close();
    const again = opened(stateDir);
    expect(again.routes()).toEqual([route('a.example.com', { port: 2 }), expiring]);
    expect(again.agents()).toEqual([{ name: 'eve', body, createdAt: 5 }]);
    expect(again.starts('kai')).toEqual([12.5]);
  });

  test('keeps the latest starts of each agent, newest last, and no more', () => {
    const store = opened(scratch());
    for (let took = 1; took <= STARTS_KEPT + 5; took += 1) store.addStart('kai', millisOf(took));
    store.addStart('eve', millisOf(7));
    expect(store.starts('kai')).toEqual(Array.from({ length: STARTS_KEPT }, (_, index) => index + 6));
    expect(store.starts('eve')).toEqual([7]);
    expect(store.starts('nobody')).toEqual([]);
  });

  test('a write that was acknowledged is found again after kill -9', async () => {
    const stateDir = scratch();
    const child = spawn(process.execPath, [join(import.meta.dirname, 'holder.ts'), stateDir], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const store = opened(stateDir);
    expect(store.routes()).toMatchObject([{ hostname: 'preview.example.com', port: 3000 }]);
    expect([store.starts('kai'), store.lastActivity('kai')]).toEqual([[412], 2]);
    expect(store.overrides()).toEqual([{ agent: 'kai', state: 'asleep', since: 3, until: null }]);
    expect([store.lastEventId(), store.eventsAfter(0, 10)]).toEqual([7, [{ id: 7, body: { id: 7, type: 'agent.kept' } }]]);
  });

  test('is readable by its owner alone, also what SQLite puts beside it', () => {
    const stateDir = scratch();
    const before = process.umask(0);
    try {
      opened(stateDir).putRoute(route('a.example.com'));
    } finally {
      process.umask(before);
    }
    const modes = readdirSync(stateDir).map((name) => [name, statSync(join(stateDir, name)).mode & 0o777]);
    expect(modes).toEqual([
      [STORE_FILE, 0o600],
      [`${STORE_FILE}-wal`, 0o600],
    ]);
  });

  test('takes the steps of the schema that are missing, each whole or not at all', () => {
    const stateDir = scratch();
    opened(stateDir).close();
    const database = new DatabaseSync(join(stateDir, STORE_FILE));
    const next = [...STEPS, "INSERT INTO agents VALUES ('new', '{}', 1)"];
    migrate(database, next);
    migrate(database, next);
    expect(pragma(database, 'user_version')).toBe(STEPS.length + 1);
    expect(database.prepare('SELECT name FROM agents').all()).toEqual([{ name: 'new' }]);
    expect(() => {
      migrate(database, [...next, "INSERT INTO agents VALUES ('half', '{}', 1); INSERT INTO nowhere VALUES (1)"]);
    }).toThrow('nowhere');
    database.close();
    const again = new DatabaseSync(join(stateDir, STORE_FILE));
    expect(again.prepare('SELECT name FROM agents').all()).toEqual([{ name: 'new' }]);
    expect(pragma(again, 'user_version')).toBe(STEPS.length + 1);
    again.close();
  });

  test('takes over what the first version of the schema kept', () => {
    const stateDir = scratch();
    const database = new DatabaseSync(join(stateDir, STORE_FILE));
    migrate(database, STEPS.slice(0, 1));
    database.exec(`INSERT INTO routes VALUES ('a.example.com', 'kai', 't1', 3000, 1700000000123.5, NULL);
      INSERT INTO agents VALUES ('eve', '{"a":1}', 5); INSERT INTO starts (agent, took) VALUES ('kai', 12.5)`);
    database.close();
    const store = opened(stateDir);
    expect(store.routes()).toEqual([route('a.example.com')]);
    expect(store.agents()).toEqual([{ name: 'eve', body: { a: 1 }, createdAt: 5 }]);
    expect(store.starts('kai')).toEqual([12.5]);
    expect([store.lastActivity('kai'), store.overrides(), store.lastEventId()]).toEqual([null, [], 0]);
  });

  test('refuses what a later version wrote, and leaves it as it is', () => {
    const stateDir = scratch();
    opened(stateDir).close();
    const file = join(stateDir, STORE_FILE);
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 99');
    database.close();
    const before = readFileSync(file);
    const refused = openStore(stateDir);
    expect(refused).toMatchObject({ ok: false, failure: { kind: 'newer' } });
    expect(refused.ok ? '' : refused.failure.detail).toContain('schema 99');
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('refuses a file that is no database, one of something else, and one with a broken page', () => {
    const noDatabase = scratch();
    writeFileSync(join(noDatabase, STORE_FILE), 'Once upon a time there was a file. '.repeat(100));
    expect(openStore(noDatabase)).toMatchObject({ ok: false, failure: { kind: 'damaged' } });

    const foreign = scratch();
    const database = new DatabaseSync(join(foreign, STORE_FILE));
    database.exec('CREATE TABLE recipes (title TEXT)');
    database.close();
    expect(openStore(foreign)).toMatchObject({ ok: false, failure: { kind: 'damaged' } });

    const broken = scratch();
    const store = opened(broken);
    for (let index = 0; index < 200; index += 1) store.putRoute(route(`host-${index}.example.com`));
    store.close();
    const file = join(broken, STORE_FILE);
    const bytes = readFileSync(file);
    bytes.fill(0xff, 4096, 12_288);
    writeFileSync(file, bytes);
    const refused = openStore(broken);
    expect(refused).toMatchObject({ ok: false, failure: { kind: 'damaged' } });
    expect(refused.ok ? '' : refused.failure.detail).toContain('Move it away');
  });

  test('says so when the directory cannot be written to', () => {
    const stateDir = scratch();
    const refused = withoutWriting(stateDir, () => openStore(stateDir));
    expect(refused).toMatchObject({ ok: false, failure: { kind: 'unusable' } });
    expect(refused.ok ? '' : refused.failure.detail).toContain(join(stateDir, STORE_FILE));
  });

  test('refuses a file of any length but its own, and takes an empty one for a new one', () => {
    const stateDir = scratch();
    const store = opened(stateDir);
    for (let index = 0; index < 100; index += 1) store.putRoute(route(`host-${index}.example.com`));
    store.close();
    const file = join(stateDir, STORE_FILE);
    const whole = readFileSync(file);
    for (let length = whole.length - 1; length > 0; length -= 1000) {
      writeFileSync(file, whole.subarray(0, length));
      const refused = openStore(stateDir);
      expect(refused, String(length)).toMatchObject({ ok: false, failure: { kind: 'damaged' } });
      expect(refused.ok ? '' : refused.failure.detail).toMatch(new RegExp(`^${file} is damaged: .*\\. Move it away`));
    }
    writeFileSync(file, '');
    expect(opened(stateDir).routes()).toEqual([]);
  });

  test('names the file, the cause and what to do about it when it cannot be used', () => {
    const said = (stateDir: string, work: () => ReturnType<typeof openStore> = () => openStore(stateDir)): string => {
      const refused = work();
      return refused.ok ? 'opened' : refused.failure.detail;
    };
    const directory = scratch();
    mkdirSync(join(directory, STORE_FILE));
    expect(said(directory)).toMatch(
      new RegExp(`^${join(directory, STORE_FILE)} cannot be used: EISDIR.*\\. Something else has that name: `),
    );
    const readOnly = scratch();
    opened(readOnly).close();
    const file = join(readOnly, STORE_FILE);
    chmodSync(file, 0o444);
    chmodSync(readOnly, 0o755);
    expect(said(readOnly, () => withoutWriting(readOnly, () => openStore(readOnly)))).toMatch(
      new RegExp(`^${file} cannot be used: EACCES.*\\. Let the user that the daemon runs as read and write it$`),
    );
  });

  test('a write for which there is no room is refused, changes nothing, and later ones go through', () => {
    const store = opened(scratch(), { bytesMax: 64 * 1024 });
    store.putAgent({ name: 'small', body: { a: 1 }, createdAt: wallTimeOf(1) });
    const big = { filler: 'x'.repeat(100_000) };
    expect(() => {
      store.putAgent({ name: 'small', body: big, createdAt: wallTimeOf(2) });
    }).toThrow(StoreError);
    expect(store.agents()).toEqual([{ name: 'small', body: { a: 1 }, createdAt: 1 }]);
    expect(() => {
      store.addStart('x'.repeat(100_000), millisOf(1));
    }).toThrow(/reveille\.db: .*full/);
    store.addStart('kai', millisOf(3));
    expect(store.starts('kai')).toEqual([3]);
  });
});
