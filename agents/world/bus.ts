import type { Socket } from 'node:net';
import { MemcacheClient } from 'memcache-client';
import { Answers, type Expected } from './answers.ts';
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
/** For a whole call, whatever the client makes of its connection meanwhile. */
const CALL_TIMEOUT_MS = 1000;
/** Calls without an answer yet. More than this come from a loop that does not wait. */
const CALLS_MAX = 1000;
/** So many keys of any length make a line that membus takes too. */
const KEYS_A_LINE = 200;
/** Above 30 days memcached takes a time to live for a date (protocol.txt, "Expiration times"). */
const TTL_SECONDS_MAX = 30 * 86_400;
const KEY = /^[\x21-\x7e]{1,250}$/;

type Found = Readonly<Record<string, { readonly value: unknown; readonly casUniq?: string }>>;

/**
 * Dials at the first call, and anew after each failure. Every method rejects with nothing but a BusError, within about a
 * second, and all of them do once the bus is closed.
 */
export function connectBus({ host, port }: BusPlace): Bus {
  const client = new MemcacheClient({
    // A hyphenated name or an IPv4 address: the client splits this text at its first colon.
    server: { server: `${host}:${port}`, maxConnections: 1 },
    // Answers are timed below. The client's own timer gives up before it reads what has arrived while the process was held up.
    cmdTimeout: 10 * TIMEOUT_MS,
    connectTimeout: TIMEOUT_MS,
    noDelay: true,
  });
  let calls = 0;
  let closed = false;

  const ask = async (command: string, expected: Expected): Promise<unknown> => {
    if (closed) throw new BusError('the bus is closed');
    if (calls >= CALLS_MAX) throw new BusError(`${CALLS_MAX} calls wait for their answers already`);
    calls += 1;
    try {
      // The client's own methods are passed by: this one alone gives its connection into our hands.
      return await inTime((asked) =>
        client.xsend((socket) => {
          if (socket === undefined) throw new BusError('the connection was lost');
          answersOn(socket).expect(expected);
          socket.write(`${command}\r\n`);
          asked(socket);
        }),
      );
    } catch (error) {
      throw error instanceof BusError ? error : new BusError(reasonOf(error));
    } finally {
      calls -= 1;
    }
  };
  /** Null where the answer was one of `noes`, else the answer. */
  const askFor = async (command: string, yes: string, noes: readonly string[]): Promise<string | null> => {
    try {
      const said = await ask(command, { last: new RegExp(`^(?:${[yes, ...noes].join('|')})$`), keys: NO_KEYS });
      return String(said);
    } catch (error) {
      if (error instanceof BusError && noes.includes(error.message)) return null;
      throw error;
    }
  };
  const store = async (verb: string, key: string, value: string, ttlSeconds: number, noes: readonly string[], version = '') => {
    const head = `${verb} ${checkedKey(key)} 0 ${checkedTtl(ttlSeconds)} ${Buffer.byteLength(value)}`;
    return (await askFor(`${head}${version}\r\n${value}`, 'STORED', noes)) !== null;
  };
  const read = async (keys: readonly string[], command: 'get' | 'gets'): Promise<ReadonlyMap<string, Versioned>> => {
    const line = `${command} ${keys.map(checkedKey).join(' ')}`;
    const found = (await ask(line, { last: /^END$/, keys: new Set(keys) })) as Found;
    return new Map(
      Object.entries(found).map(([key, { value, casUniq = '' }]) => [key, { value: textOf(key, value), version: casUniq }]),
    );
  };

  return {
    get: async (key) => (await read([key], 'get')).get(key)?.value ?? null,
    getMany: async (keys) => {
      const lines = Array.from({ length: Math.ceil(keys.length / KEYS_A_LINE) }, (_, index) =>
        read(keys.slice(index * KEYS_A_LINE, (index + 1) * KEYS_A_LINE), 'get'),
      );
      const found = (await Promise.all(lines)).flatMap((values) => [...values]);
      return new Map(found.map(([key, { value }]) => [key, value]));
    },
    gets: async (key) => {
      const found = (await read([key], 'gets')).get(key);
      if (found?.version === '') throw new BusError('the answer to gets has no version');
      return found ?? null;
    },
    set: async (key, value, ttlSeconds) => {
      await store('set', key, value, ttlSeconds, []);
    },
    add: (key, value, ttlSeconds) => store('add', key, value, ttlSeconds, ['NOT_STORED']),
    cas: async (key, value, ttlSeconds, version) => {
      if (!/^[0-9]{1,20}$/.test(version)) throw new BusError('not a version');
      return store('cas', key, value, ttlSeconds, ['EXISTS', 'NOT_FOUND'], ` ${version}`);
    },
    delete: async (key) => (await askFor(`delete ${checkedKey(key)}`, 'DELETED', ['NOT_FOUND'])) !== null,
    increment: async (key, by, first) => {
      if (!Number.isSafeInteger(by) || by < 0) throw new BusError(`not a number to add: ${by}`);
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const sum = await askFor(`incr ${checkedKey(key)} ${by}`, '[0-9]{1,20}', ['NOT_FOUND']);
        if (sum !== null && Number.isSafeInteger(Number(sum))) return Number(sum);
        if (sum !== null) throw new BusError('the number has become too large');
        if (await store('add', key, String(first), 0, ['NOT_STORED'])) return first;
      }
      throw new BusError('the number comes and goes');
    },
    close: () => {
      closed = true;
      client.shutdown();
    },
  };
}

const NO_KEYS: ReadonlySet<string> = new Set();
const watched = new WeakMap<Socket, Answers>();

/** Stands between this connection and the client, from the first question on. */
function answersOn(socket: Socket): Answers {
  const known = watched.get(socket);
  if (known !== undefined) return known;
  const answers = new Answers();
  watched.set(socket, answers);
  const toClient = socket.listeners('data') as ((chunk: Buffer) => void)[];
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    const wrong = answers.read(chunk);
    // Destroyed, it refuses all that was asked on it, and the next question makes a new one.
    if (wrong === null) for (const pass of toClient) pass(chunk);
    else socket.destroy(new Error(`not an answer of memcached: ${wrong}`));
  });
  return answers;
}

/** Cuts the connection on which `ask` was `asked` where no answer comes, which refuses all that was asked on it. */
function inTime<T>(ask: (asked: (socket: Socket) => void) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new BusError('no answer in time');
    let timers = [afterReading(CALL_TIMEOUT_MS, () => reject(late))];
    const asking = ask((socket) => {
      timers = [...timers, afterReading(TIMEOUT_MS, () => socket.destroy(late))];
    });
    asking.then(resolve, reject).finally(() => {
      for (const cancel of timers) cancel();
    });
  });
}

/** Calls `then` after that time, and not before what has arrived by then was read. */
function afterReading(timeMs: number, then: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => (immediate = setImmediate(then)), timeMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}

/** Of an attempt at several addresses of a name the message is empty. */
function reasonOf(error: unknown): string {
  const { message, code } = error as { readonly message?: string; readonly code?: string };
  return [message, code].find((text) => text !== undefined && text !== '') ?? 'it failed';
}

function textOf(key: string, value: unknown): string {
  // Others may store with flags by which the client makes numbers and objects of values.
  if (typeof value !== 'string') throw new BusError(`${key} holds something else than text`);
  return value;
}

function checkedKey(key: string): string {
  if (!KEY.test(key)) throw new BusError(`not a key: ${JSON.stringify(key.slice(0, 60))}`);
  return key;
}

function checkedTtl(seconds: number): number {
  if (!Number.isInteger(seconds) || seconds < 0) throw new BusError(`not a time to live: ${seconds}`);
  return Math.min(seconds, TTL_SECONDS_MAX);
}
