import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it as plainIt } from 'vitest';
import { connectBus } from '../../agents/world/bus.ts';
import { prng } from '../../src/std/prng.ts';
import { AgentProcess } from '../agents/agent-process.ts';
import { Membus } from '../support/membus.ts';
import { patient } from '../support/patient-bus.ts';
import { RawClient } from '../support/raw-client.ts';

const SEED = Number(process.env['MEMBUS_SEED'] ?? Date.now() % 2 ** 31);
const MAIN = '../../agents/membus/main.ts';

const it = plainIt.extend<{ membus: Membus; directory: string }>({
  membus: async ({}, use) => {
    await using membus = await Membus.start();
    await use(membus);
  },
  directory: async ({}, use) => {
    const directory = mkdtempSync(join(tmpdir(), 'reveille-membus-'));
    await use(directory);
    rmSync(directory, { recursive: true, force: true });
  },
});

/** Keys in the file, of a membus that has ended. */
function keysIn(file: string): readonly string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const rows = database.prepare('SELECT key FROM items').all();
  database.close();
  return rows.map((row) => Buffer.from(row['key'] as Uint8Array).toString('latin1'));
}

const uniqueOf = (said: string): bigint => BigInt(/ (\d+)\r\n/.exec(said)![1]!);

describe('membus as a process', () => {
  it('has everything that it answered after it was killed in the middle of writing', async ({ membus }) => {
    const rounds = 4;
    const random = prng(SEED);
    let [answered, sent, counted, counts] = [0, 0, 0, 0];
    for (let round = 0; round < rounds; round += 1) {
      const raw = await RawClient.open(membus.place);
      const firstSent = sent;
      const wanted = 100 + random.below(1000);
      const writing = (async () => {
        while (!raw.closed) {
          const batch = Array.from({ length: 1 + random.below(40) }, () => {
            sent += 1;
            counts += 1;
            // Of many sizes, so that a kill meets every part of a write.
            const value = `${sent}:`.padEnd(10 + random.below(1500), 'x');
            return `set k${sent % 20} 0 0 ${value.length}\r\n${value}\r\n${counts === 1 ? 'add n 0 0 1\r\n1\r\n' : 'incr n 1\r\n'}`;
          });
          raw.send(batch.join(''));
          do await nextTurn();
          while (raw.socket.writableLength > 100_000 && !raw.socket.destroyed);
        }
      })();
      await raw.until(() => raw.received.length > wanted * 12);
      const ended = membus.end('SIGKILL');
      await Promise.all([ended, writing, raw.untilClosed()]);
      const said = raw.received.split('\r\n').slice(0, -1);
      expect(said.filter((line) => !/^(?:STORED|[0-9]+)$/.test(line))).toEqual([]);
      // Each set and the counting after it; the first counting is an add.
      const setsAnswered = Math.ceil(said.length / 2);
      answered = firstSent + setsAnswered;
      counted = Math.max(counted, ...said.filter((line) => line !== 'STORED').map(Number));
      await membus.startAgain();

      const bus = patient(connectBus(membus.place));
      const found = await bus.getMany(Array.from({ length: 20 }, (_, index) => `k${index}`));
      for (let last = Math.max(1, answered - 19); last <= answered; last += 1) {
        expect(Number.parseInt(found.get(`k${last % 20}`)!, 10), `k${last % 20} of round ${round}`).toBeGreaterThanOrEqual(last);
      }
      const kept = Number(await bus.get('n'));
      expect(kept).toBeGreaterThanOrEqual(counted);
      expect(kept).toBeLessThanOrEqual(counts);
      [counted, counts] = [kept, kept];
      bus.close();
      await raw[Symbol.asyncDispose]();
    }
    console.log(`membus: ${rounds} kills, ${answered} sets and as many counts, none lost (MEMBUS_SEED=${SEED})`);
  });

  it('keeps times to live over a restart: what was over meanwhile is gone, from the file too, and the rest is there', async ({
    membus,
  }) => {
    await using raw = await RawClient.open(membus.place);
    const over = Date.now() + 1000;
    await raw.ask(
      'set brief 0 1 1\r\nx\r\nset long 5 3600 4\r\nx\0\r\n\r\nset ever 0 0 0\r\n\r\nset touched 0 1 1\r\nx\r\ntouch touched 60\r\n',
    );
    await membus.end('SIGKILL');
    await pause(Math.max(0, over - Date.now()) + 1);
    await membus.startAgain();
    await using again = await RawClient.open(membus.place);
    expect(await again.ask('get brief long ever touched\r\n')).toBe(
      'VALUE long 5 4\r\nx\0\r\n\r\nVALUE ever 0 0\r\n\r\nVALUE touched 0 1\r\nx\r\nEND\r\n',
    );
    expect((await membus.end('SIGTERM')).code).toBe(0);
    expect(keysIn(membus.file).toSorted()).toEqual(['ever', 'long', 'touched']);
  });

  it('takes what is over out of the file without being asked', async ({ membus }) => {
    await using raw = await RawClient.open(membus.place);
    await raw.ask('set brief 0 1 1\r\nx\r\n');
    const items = async (): Promise<unknown> =>
      ((await (await fetch(`${membus.url}/stats`)).json()) as { readonly items: unknown }).items;
    await expect.poll(items, { timeout: 120_000 }).toBe(0);
    await membus.end('SIGKILL');
    expect(keysIn(membus.file)).toEqual([]);
  });

  it('gives no cas unique twice, however it ended, and takes those that it gave before', async ({ membus }) => {
    const seen: bigint[] = [];
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      await using raw = await RawClient.open(membus.place);
      await raw.ask('set kept 0 0 1\r\nx\r\nset gone 0 0 1\r\nx\r\n');
      const kept = uniqueOf(await raw.ask('gets kept\r\n'));
      seen.push(kept, uniqueOf(await raw.ask('gets gone\r\n')));
      await raw.ask('delete gone\r\n');
      await membus.end(signal);
      await membus.startAgain();
      await using again = await RawClient.open(membus.place);
      expect(await again.ask(`cas kept 0 0 1 ${kept}\r\ny\r\ncas kept 0 0 1 ${kept}\r\nz\r\n`)).toBe('STORED\r\nEXISTS\r\n');
      seen.push(uniqueOf(await again.ask('gets kept\r\n')));
    }
    expect(seen).toEqual(seen.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('evicts what was used least recently when its memory is full, from the file too', async ({}) => {
    await using membus = await Membus.start({ MEMBUS_MEMORY_MB: '2' });
    const bus = patient(connectBus(membus.place));
    await bus.set('first', 'x', 0);
    for (let index = 0; index < 60; index += 1) {
      await bus.set(`k${index}`, 'x'.repeat(100_000), 0);
      expect(await bus.get('first')).toBe('x');
    }
    const keys = ['first', ...Array.from({ length: 60 }, (_, index) => `k${index}`)];
    const kept = [...(await bus.getMany(keys)).keys()];
    expect(kept.length).toBeGreaterThan(15);
    expect(kept.length).toBeLessThan(22);
    expect(kept).toEqual(['first', ...keys.slice(keys.length - kept.length + 1)]);
    expect(await (await fetch(membus.url)).json()).toMatchObject({ items: kept.length, evictions: 61 - kept.length });
    await membus.end('SIGKILL');
    expect(keysIn(membus.file).toSorted()).toEqual(kept.toSorted());
    expect(statSync(membus.file).size).toBeLessThan(8 * 1024 * 1024);
    await membus.startAgain();
    expect([...(await bus.getMany(keys)).keys()].toSorted()).toEqual(kept.toSorted());
    bus.close();
  });

  it('answers what is under way when it is told to stop, accepts nobody any more, and ends with 0', async ({ membus }) => {
    await using raw = await RawClient.open(membus.place);
    await using idle = await RawClient.open(membus.place);
    await raw.ask('');
    raw.send('set a 0 0 5\r\nhe');
    raw.send('ll');
    const ended = membus.end('SIGTERM');
    await idle.untilClosed();
    expect(raw.closed).toBe(false);
    await expect(RawClient.open(membus.place)).rejects.toThrow('ECONNREFUSED');
    raw.send('o\r\n');
    expect(await raw.untilClosed()).toBe('STORED\r\n');
    expect((await ended).code).toBe(0);
    await membus.startAgain();
    await using again = await RawClient.open(membus.place);
    expect(await again.ask('get a\r\n')).toBe('VALUE a 0 5\r\nhello\r\nEND\r\n');
  });

  it('is healthy where memcached listens, and keeps its file to itself', async ({ membus }) => {
    expect((await fetch(`${membus.url}/api/health`)).status).toBe(200);
    expect(statSync(dirname(membus.file)).mode & 0o777).toBe(0o700);
    expect(statSync(membus.file).mode & 0o777).toBe(0o600);
  });

  it('says in one line why it cannot start, and by its code whether that is for now', async ({ membus, directory }) => {
    const file = join(directory, 'm.sqlite');
    const ends = async (environment: Readonly<Record<string, string>>): Promise<string> => {
      const started = AgentProcess.start(MAIN, { MEMBUS_PORT: '0', MEMBUS_FILE: file, ...environment });
      return started.then(
        () => 'it started',
        (error: unknown) => (error as Error).message,
      );
    };
    mkdirSync(join(directory, 'd'));
    writeFileSync(file, 'not a database, and longer than the head of one'.repeat(100));
    const other = join(directory, 'other.sqlite');
    const database = new DatabaseSync(other);
    database.exec('CREATE TABLE t (x)');
    database.close();
    const fresh = join(directory, 'fresh.sqlite');
    const expected: readonly (readonly [environment: Readonly<Record<string, string>>, line: RegExp])[] = [
      [{ MEMBUS_FILE: join(directory, 'd') }, /^it ended with 78: MEMBUS_FILE \S+ cannot be used: [^\n]*$/],
      [{}, /^it ended with 78: MEMBUS_FILE \S+ cannot be used: file is not a database$/],
      [{ MEMBUS_FILE: join(file, 'below') }, /^it ended with 78: MEMBUS_FILE [^\n]*$/],
      [{ MEMBUS_FILE: other }, /^it ended with 78: [^\n]*it is a database of something else$/],
      [{ MEMBUS_PORT: 'x' }, /^it ended with 78: MEMBUS_PORT is "x"[^\n]*$/],
      [{ MEMBUS_MEMORY_MB: '1' }, /^it ended with 78: MEMBUS_MEMORY_MB is "1"; [^\n]* 2 to 4096$/],
      [{ MEMBUS_FILE: membus.file }, /^it ended with 75: MEMBUS_FILE \S+ is in use by another process[^\n]*$/],
      [
        { MEMBUS_FILE: fresh, MEMBUS_PORT: String(membus.port) },
        /^it ended with 75: MEMBUS_PORT: [^\n]*another process listens there$/,
      ],
      [{ MEMBUS_FILE: `${fresh}2`, MEMBUS_HOST: '192.0.2.1' }, /^it ended with 78: MEMBUS_PORT: cannot listen on [^\n]*$/],
    ];
    const said = await Promise.all(expected.map(([environment]) => ends(environment)));
    for (const [index, [, line]] of expected.entries()) expect(said[index]).toMatch(line);
  });

  it('refuses a file that was damaged while it was away, and leaves it as it is', async ({ membus }) => {
    const bus = patient(connectBus(membus.place));
    for (let index = 0; index < 50; index += 1) await bus.set(`k${index}`, 'x'.repeat(2000), 0);
    bus.close();
    await membus.end('SIGTERM');
    const { size } = statSync(membus.file);
    const file = openSync(membus.file, 'r+');
    writeSync(file, Buffer.alloc(20_000, 0xff), 0, 20_000, 8192);
    closeSync(file);
    await expect(membus.startAgain()).rejects.toThrow(/^it ended with 78: MEMBUS_FILE [^\n]*$/);
    expect(statSync(membus.file).size).toBe(size);
  });
});
