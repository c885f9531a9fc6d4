import type { Item, Store } from './store.ts';
import { ITEM_BYTES_MAX, type Request, SAID, UINT64, uint64 } from './request.ts';

/** What is said to a request, in the bytes that go out. Values are passed on as they lie, not copied. */
export type Answer = readonly (string | Buffer)[];

/** Counted for whoever asks how it goes. */
export interface Tally {
  gets: number;
  hits: number;
  stores: number;
}

const NOTHING: Answer = [];
/** Above it an exptime is a date (protocol.txt, "Expiration times"). */
const RELATIVE_SECONDS_MAX = 30 * 86_400;

type Asked<Kind extends Request['kind']> = Extract<Request, { readonly kind: Kind }>;

/** Carries `request` out at `now`, in milliseconds of wall time. `stats` are the lines for that command. */
export function answer(store: Store, request: Request, now: number, tally: Tally, stats: () => Answer): Answer {
  switch (request.kind) {
    case 'get':
      return get(store, request, now, tally);
    case 'stats':
      return stats();
    case 'end':
      return request.text === '' ? NOTHING : [`${request.text}\r\n`];
    case 'store':
    case 'delete':
    case 'count':
    case 'touch':
    case 'flush':
    case 'say':
    case 'too-large': {
      const text = change(store, request, now, tally);
      return request.noreply ? NOTHING : [`${text}\r\n`];
    }
  }
}

/** Wall time in milliseconds, infinite for 0. What is below 0 is over at once. */
export function expiryOf(exptime: number, now: number): number {
  if (exptime === 0) return Infinity;
  if (exptime < 0) return 0;
  return exptime > RELATIVE_SECONDS_MAX ? exptime * 1000 : now + exptime * 1000;
}

function get(store: Store, { keys, withUnique }: Asked<'get'>, now: number, tally: Tally): Answer {
  const parts: (string | Buffer)[] = [];
  tally.gets += keys.length;
  for (const key of keys) {
    const item = store.find(key, now);
    if (item === null) continue;
    tally.hits += 1;
    const unique = withUnique ? ` ${item.unique}` : '';
    parts.push(`VALUE ${key} ${item.flags} ${item.value.length}${unique}\r\n`, item.value, '\r\n');
  }
  parts.push('END\r\n');
  return parts;
}

function change(store: Store, request: Exclude<Request, Asked<'get' | 'stats' | 'end'>>, now: number, tally: Tally): string {
  switch (request.kind) {
    case 'store':
      tally.stores += 1;
      return storeValue(store, request, now);
    case 'delete':
      if (store.find(request.key, now) === null) return 'NOT_FOUND';
      store.remove(request.key);
      return 'DELETED';
    case 'count':
      return count(store, request, now);
    case 'touch': {
      const item = store.find(request.key, now);
      if (item === null) return 'NOT_FOUND';
      store.touch(request.key, item, expiryOf(request.exptime, now));
      return 'TOUCHED';
    }
    case 'flush':
      store.clear();
      return 'OK';
    case 'too-large':
      if (request.forget !== null) store.remove(request.forget);
      return SAID.tooLarge;
    case 'say':
      return request.text;
  }
}

function storeValue(store: Store, request: Asked<'store'>, now: number): string {
  const { verb, key, flags, value } = request;
  const found = store.find(key, now);
  const stored = (item: Omit<Item, 'unique'>): string => {
    store.put(key, item);
    return 'STORED';
  };
  const fresh = { flags, value, expiresAt: expiryOf(request.exptime, now) };
  switch (verb) {
    case 'set':
      return stored(fresh);
    case 'add':
      return found === null ? stored(fresh) : 'NOT_STORED';
    case 'replace':
      return found === null ? 'NOT_STORED' : stored(fresh);
    case 'cas':
      if (found === null) return 'NOT_FOUND';
      return found.unique === request.unique ? stored(fresh) : 'EXISTS';
    case 'append':
    case 'prepend': {
      if (found === null || key.length + found.value.length + value.length > ITEM_BYTES_MAX) return 'NOT_STORED';
      // Flags and exptime of the command are for show (protocol.txt): those that were there stay.
      return stored({ ...found, value: joined(verb === 'append' ? [found.value, value] : [value, found.value]) });
    }
  }
}

function count(store: Store, { key, by, down }: Asked<'count'>, now: number): string {
  const found = store.find(key, now);
  if (found === null) return 'NOT_FOUND';
  const value = uint64(found.value.toString('latin1', 0, NUMBER_BYTES_MAX).trim());
  if (value === null || found.value.length > NUMBER_BYTES_MAX) return SAID.notNumber;
  const sum = down ? (value > by ? value - by : 0n) : (value + by) % UINT64;
  // A shorter number keeps the length, with spaces after it. protocol.txt allows it, and memcached does it.
  const text = String(sum);
  store.put(key, { ...found, value: joined([Buffer.from(text.padEnd(found.value.length, ' '), 'latin1')]) });
  return text;
}

const NUMBER_BYTES_MAX = 40;

/** In memory of its own: a slice of Node's pool would keep the whole of that. */
function joined(parts: readonly Buffer[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) at += part.copy(whole, at);
  return whole;
}
