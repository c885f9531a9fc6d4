import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Tally, answer, expiryOf } from '../../agents/membus/answer.ts';
import { Keeper } from '../../agents/membus/keeper.ts';
import type { Request, StoreVerb } from '../../agents/membus/request.ts';
import { type Change, type Item, Store } from '../../agents/membus/store.ts';

const SEED = Number(process.env['MEMBUS_SEED'] ?? Date.now() % 2 ** 31);
console.log(`membus store: seed ${SEED} (MEMBUS_SEED repeats it)`);

const NOW = 1_800_000_000_000;
const ROOM = 64 * 1024 * 1024;
const said = (parts: readonly (string | Buffer)[]): string => parts.map((part) => part.toString('latin1')).join('');

const put = (key: string, value: string | Buffer, more: Partial<Extract<Request, { kind: 'store' }>> = {}): Request => ({
  kind: 'store',
  verb: 'set',
  key,
  flags: 0,
  exptime: 0,
  value: Buffer.from(value),
  unique: null,
  noreply: false,
  ...more,
});

/** A store with a file that is a map, and that can be made to fail. */
function kept(bytesMax = ROOM): {
  readonly keeper: Keeper;
  readonly file: Map<string, Item>;
  breakFor: (writes: number) => void;
} {
  const file = new Map<string, Item>();
  let broken = 0;
  const write = (changes: readonly Change[]): void => {
    if (broken > 0) {
      broken -= 1;
      throw new Error('disk full');
    }
    for (const { key, after } of changes) {
      if (after === null) file.delete(key);
      else file.set(key, after);
    }
  };
  const keeper = new Keeper(new Store({ bytesMax, lastUnique: 0 }), { write }, () => []);
  return { keeper, file, breakFor: (writes) => (broken = writes) };
}

/** What protocol.txt says, as short as it can be said: no limits, and everything looked at anew each time. */
class Model {
  private readonly items = new Map<string, { flags: number; value: string; expiresAt: number; unique: number }>();
  private unique = 0;

  answer(request: Request, now: number): string {
    for (const [key, item] of this.items) if (item.expiresAt <= now) this.items.delete(key);
    if (request.kind === 'get') {
      const found = request.keys.flatMap((key) => {
        const item = this.items.get(key);
        return item === undefined ? [] : [`VALUE ${key} ${item.flags} ${item.value.length} ${item.unique}\r\n${item.value}\r\n`];
      });
      return `${found.join('')}END\r\n`;
    }
    return `${this.change(request, now)}\r\n`;
  }

  private change(request: Request, now: number): string {
    if (!('key' in request)) return '';
    const item = this.items.get(request.key);
    const stored = (flags: number, value: string, expiresAt: number): string => {
      this.items.set(request.key, { flags, value, expiresAt, unique: (this.unique += 1) });
      return 'STORED';
    };
    if (request.kind === 'store') {
      const value = request.value.toString('latin1');
      const expiresAt = expiryOf(request.exptime, now);
      if (request.verb === 'set') return stored(request.flags, value, expiresAt);
      if (request.verb === 'add') return item === undefined ? stored(request.flags, value, expiresAt) : 'NOT_STORED';
      if (request.verb === 'cas' && item === undefined) return 'NOT_FOUND';
      if (item === undefined) return 'NOT_STORED';
      if (request.verb === 'cas' && item.unique !== request.unique) return 'EXISTS';
      if (request.verb === 'append') return stored(item.flags, item.value + value, item.expiresAt);
      if (request.verb === 'prepend') return stored(item.flags, value + item.value, item.expiresAt);
      return stored(request.flags, value, expiresAt);
    }
    if (item === undefined) return 'NOT_FOUND';
    if (request.kind === 'delete') {
      this.items.delete(request.key);
      return 'DELETED';
    }
    if (request.kind === 'touch') {
      this.items.set(request.key, { ...item, expiresAt: expiryOf(request.exptime, now) });
      return 'TOUCHED';
    }
    if (!/^[0-9]+ *$/.test(item.value) || BigInt(item.value) >= 2n ** 64n) {
      return 'CLIENT_ERROR cannot increment or decrement non-numeric value';
    }
    const value = BigInt(item.value);
    const sum = request.down ? (value < request.by ? 0n : value - request.by) : BigInt.asUintN(64, value + request.by);
    stored(item.flags, sum.toString().padEnd(item.value.length), item.expiresAt);
    return sum.toString();
  }
}

const key = fc.constantFrom('a', 'b', 'c');
const exptime = fc.constantFrom(0, 0, 0, -1, 1, 3, 30 * 86_400, NOW / 1000 + 2, NOW / 1000 - 5);
const value = fc.oneof(
  fc.constantFrom('', '0', '9', '99', '18446744073709551615', 'x'),
  fc.string({ maxLength: 6, unit: 'binary-ascii' }),
);
const request: fc.Arbitrary<Request> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom<StoreVerb[]>('set', 'set', 'add', 'replace', 'append', 'prepend', 'cas'),
      key,
      value,
      exptime,
      fc.nat(40),
    )
    .map(([verb, name, text, seconds, unique]) =>
      put(name, text, { verb, exptime: seconds, flags: unique, unique: verb === 'cas' ? unique : null }),
    ),
  fc.array(key, { minLength: 1, maxLength: 4 }).map((keys): Request => ({ kind: 'get', keys, withUnique: true })),
  key.map((name): Request => ({ kind: 'delete', key: name, noreply: false })),
  fc
    .tuple(key, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(3), fc.boolean())
    .map(([name, large, small, down]): Request => ({
      kind: 'count',
      key: name,
      by: small === 0 ? large : BigInt(small),
      down,
      noreply: false,
    })),
  fc.tuple(key, exptime).map(([name, seconds]): Request => ({ kind: 'touch', key: name, exptime: seconds, noreply: false })),
);
/** Requests with the milliseconds that pass before each, and whether what is over is swept away then. */
const lives = fc.array(fc.tuple(request, fc.constantFrom(0, 0, 1, 500, 1000, 2999, 86_400_000), fc.boolean()), { maxLength: 60 });

describe('what membus remembers', () => {
  it('is what the protocol says, whatever is asked and however time goes by', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const { keeper, file } = kept();
        const model = new Model();
        let now = NOW;
        for (const [asked, wait, sweeps] of life) {
          now += wait;
          if (sweeps) keeper.sweep(now);
          expect(said(keeper.carryOut([asked], now).flat())).toBe(model.answer(asked, now));
        }
        expect(file.size).toBe(keeper.store.count);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('is the same in memory and in the file, however often writing fails, and what failed is as if it had not been asked', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.array(request, { maxLength: 6 }), fc.nat(3)), { maxLength: 15 }), (batches) => {
        const { keeper, file, breakFor } = kept(3000);
        for (const [requests, failures] of batches) {
          breakFor(failures);
          const before = new Map(file);
          const answers = keeper.carryOut(requests, NOW).map(said);
          expect(answers).toHaveLength(requests.length);
          if (answers.every((text) => /^SERVER_ERROR|^VALUE|^END|^NOT_|^EXISTS/.test(text))) expect(file).toEqual(before);
          const { store } = keeper;
          expect(store.count).toBe(file.size);
          expect(store.bytes).toBe([...file].reduce((sum, [name, item]) => sum + name.length + item.value.length + 320, 0));
          breakFor(0);
          for (const [name, item] of file) if (item.expiresAt > NOW) expect(store.find(name, NOW)).toEqual(item);
        }
      }),
      { seed: SEED },
    );
  });

  it('takes no more room than it has: what was used least recently goes first, from the file too', () => {
    const { keeper, file } = kept(100 * 1400);
    const ask = (...requests: Request[]): string => said(keeper.carryOut(requests, NOW).flat());
    for (let index = 0; index < 90; index += 1) ask(put(`k${index}`, 'x'.repeat(1000)));
    ask({ kind: 'get', keys: ['k0'], withUnique: false });
    for (let index = 90; index < 150; index += 1) ask(put(`k${index}`, 'x'.repeat(1000)));
    const { store } = keeper;
    expect(store.bytes).toBeLessThanOrEqual(store.bytesMax);
    expect(store.evictions).toBe(150 - store.count);
    expect([file.has('k0'), file.has('k1'), file.has('k149')]).toEqual([true, false, true]);
    expect(file.size).toBe(store.count);
  });

  it('never gives a unique twice, not even for what could not be written', () => {
    const { keeper, breakFor } = kept();
    keeper.carryOut([put('a', '1')], NOW);
    breakFor(1);
    expect(said(keeper.carryOut([put('a', '2')], NOW).flat())).toMatch(/^SERVER_ERROR /);
    expect(keeper.store.find('a', NOW)).toMatchObject({ unique: 1, value: Buffer.from('1') });
    keeper.carryOut([put('a', '3')], NOW);
    expect(keeper.store.find('a', NOW)?.unique).toBe(3);
  });

  it('goes on reading when the disk is full, and says nothing to noreply', () => {
    const { keeper, breakFor } = kept();
    keeper.carryOut([put('a', '1')], NOW);
    breakFor(99);
    const get: Request = { kind: 'get', keys: ['a', 'b'], withUnique: false };
    const answers = keeper.carryOut([put('b', '2'), get, put('a', '2', { noreply: true }), get], NOW).map(said);
    const found = 'VALUE a 0 1\r\n1\r\nEND\r\n';
    expect(answers).toEqual(['SERVER_ERROR the value could not be written to disk\r\n', found, '', found]);
  });

  it('takes an exptime for a time from now up to 30 days and for a date above', () => {
    expect(expiryOf(0, NOW)).toBe(Infinity);
    expect(expiryOf(-1, NOW)).toBeLessThanOrEqual(NOW);
    expect(expiryOf(30 * 86_400, NOW)).toBe(NOW + 30 * 86_400_000);
    expect(expiryOf(30 * 86_400 + 1, NOW)).toBe((30 * 86_400 + 1) * 1000);
    const tally: Tally = { gets: 0, hits: 0, stores: 0 };
    const store = new Store({ bytesMax: ROOM, lastUnique: 0 });
    answer(store, put('a', 'x', { exptime: 2 }), NOW, tally, () => []);
    expect(store.find('a', NOW + 1999)).not.toBeNull();
    expect(store.find('a', NOW + 2000)).toBeNull();
  });
});
