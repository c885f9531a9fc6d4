import { MemcacheClient } from 'memcache-client';
import { BusError } from './bus-error.ts';

/**
 * The world's signal bus: memcached, through a client that has gets and cas, or membus, which speaks the same. Everything the
 * troopers share is in here; a trooper on its own knows nothing that another could not take over.
 *
 * Two answers are kept apart that are easily taken for one: "there is nothing" is null, "nobody answered" is a BusError. Who
 * takes the second for the first writes an empty list over a full one.
 *
 * Values are text. Times to live are whole seconds; 0 keeps a value until it is evicted.
 */
export interface Bus {
  get(key: string): Promise<string | null>;
  /** Those that are there, in one call. */
  getMany(keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** With what `cas` wants to see again. */
  gets(key: string): Promise<Versioned | null>;
  set(key: string, value: string, ttlSeconds: number): Promise<void>;
  /** Stores where nothing is. False: something is. */
  add(key: string, value: string, ttlSeconds: number): Promise<boolean>;
  /** Stores where nobody has stored since `gets`. False: somebody has, or the value is gone. */
  cas(key: string, value: string, ttlSeconds: number, version: string): Promise<boolean>;
  /** False: nothing was there. */
  delete(key: string): Promise<boolean>;
  /** Adds to a decimal number, and starts one that is not there with `first`. Resolves to the sum. */
  increment(key: string, by: number, first: number): Promise<number>;
  close(): void;
}

export interface Versioned {
  readonly value: string;
  readonly version: string;
}

export interface BusPlace {
  readonly host: string;
  readonly port: number;
}

/** For connecting and for each answer, as the original has it. */
const TIMEOUT_MS = 500;
/** Above 30 days memcached takes a time to live for a date (protocol.txt, "Expiration times"). */
const TTL_SECONDS_MAX = 30 * 86_400;
const KEY = /^[\x21-\x7e]{1,250}$/;

/** Dials at the first call, and anew after each failure. Every method rejects with nothing but a BusError. */
export function connectBus({ host, port }: BusPlace): Bus {
  const client = new MemcacheClient({
    // A hyphenated name or an IPv4 address: the client splits this text at its first colon.
    server: { server: `${host}:${port}`, maxConnections: 1 },
    cmdTimeout: TIMEOUT_MS,
    connectTimeout: TIMEOUT_MS,
    noDelay: true,
  });

  const store = async (command: 'set' | 'add' | 'cas', key: string, value: string, ttlSeconds: number, version?: string) => {
    const lifetime = checkedTtl(ttlSeconds);
    const options = version === undefined ? { lifetime } : { lifetime, casUniq: version };
    return answered(['NOT_STORED', 'EXISTS', 'NOT_FOUND'], () => client.store(command, checkedKey(key), value, options));
  };
  const read = async (keys: readonly string[], command: 'get' | 'gets') => {
    const found = await failing(() => client.xretrieve(command, keys.map(checkedKey)));
    return found as Readonly<Record<string, { readonly value: string; readonly casUniq?: string } | undefined>>;
  };

  return {
    get: async (key) => (await read([key], 'get'))[key]?.value ?? null,
    getMany: async (keys) => {
      if (keys.length === 0) return new Map();
      const found = await read(keys, 'get');
      return new Map(keys.flatMap((key) => (found[key] === undefined ? [] : [[key, found[key].value] as const])));
    },
    gets: async (key) => {
      const found = (await read([key], 'gets'))[key];
      return found?.casUniq === undefined ? null : { value: found.value, version: found.casUniq };
    },
    set: async (key, value, ttlSeconds) => {
      if (!(await store('set', key, value, ttlSeconds))) throw new BusError('memcached did not store the value');
    },
    add: (key, value, ttlSeconds) => store('add', key, value, ttlSeconds),
    cas: (key, value, ttlSeconds, version) => store('cas', key, value, ttlSeconds, version),
    delete: (key) => answered(['NOT_FOUND'], () => client.delete(checkedKey(key))),
    increment: async (key, by, first) => {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const sum = await missing(() => client.incr(checkedKey(key), by));
        if (sum !== null) return Number(sum);
        if (await store('add', key, String(first), 0)) return first;
      }
      throw new BusError('the number comes and goes');
    },
    close: () => client.shutdown(),
  };
}

function checkedKey(key: string): string {
  if (!KEY.test(key)) throw new BusError(`not a key: ${JSON.stringify(key.slice(0, 60))}`);
  return key;
}

function checkedTtl(seconds: number): number {
  if (!Number.isInteger(seconds) || seconds < 0) throw new BusError(`not a time to live: ${seconds}`);
  return Math.min(seconds, TTL_SECONDS_MAX);
}

/** True when it was done, false where memcached said one of `noes`. */
async function answered(noes: readonly string[], ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await failing(ask);
    return true;
  } catch (error) {
    if (error instanceof BusError && noes.includes(error.message)) return false;
    throw error;
  }
}

async function missing<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await failing(ask);
  } catch (error) {
    if (error instanceof BusError && error.message === 'NOT_FOUND') return null;
    throw error;
  }
}

async function failing<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof BusError) throw error;
    throw new BusError(error instanceof Error ? error.message : String(error));
  }
}
