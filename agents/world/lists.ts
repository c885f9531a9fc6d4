import { BusError } from './bus-error.ts';
import type { Bus } from './bus.ts';

/**
 * Lists that several troopers append to, as JSON arrays with the newest last. An append is a compare-and-set: whoever was
 * overtaken reads again. A list that cannot be read is never written.
 *
 * A process sends one append to a list at a time, and whatever was asked for meanwhile goes with the next: so it is overtaken
 * by other processes only, and a hundred calls at once do not try each other out.
 */
export interface Entry {
  readonly id: string;
}

const ATTEMPTS_MAX = 100;
const PAUSE_MS = 4;
/** Entries that wait to be appended to one list. */
const WAITING_MAX = 2000;
/** What memcached stores at most in one value, less room for its own head. */
const VALUE_BYTES_MAX = 1_000_000;

/** Null where the text is not a list: somebody else's value under our key. */
export function parseList(text: string | null): readonly unknown[] | null {
  if (text === null) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** Entries that `is` accepts, oldest first. Rejects with a BusError. */
export async function readList<T>(bus: Bus, key: string, is: (value: unknown) => value is T): Promise<T[]> {
  return (parseList(await bus.get(key)) ?? []).filter(is);
}

/** Entries that have not been sent; `next` is when they will have been. */
interface Batch {
  readonly entries: Entry[];
  readonly next: Promise<void>;
}

interface Lane {
  /** Settled when the append under way has ended; it never rejects. */
  underWay: Promise<unknown>;
  waiting: Batch | null;
}

const lanes = new WeakMap<Bus, Map<string, Lane>>();

/** Resolves once the entry is in the list, exactly once, and the list is cut to its newest `kept`. Rejects with a BusError. */
export function appendTo(bus: Bus, key: string, entry: Entry, kept: number, ttlSeconds: number): Promise<void> {
  const lane = laneOf(bus, key);
  if (lane.waiting !== null) {
    if (lane.waiting.entries.length >= WAITING_MAX) return Promise.reject(new BusError(`too many wait for ${key}`));
    lane.waiting.entries.push(entry);
    return lane.waiting.next;
  }
  const entries = [entry];
  const next = lane.underWay.then(() => {
    lane.waiting = null;
    return append(bus, key, entries, kept, ttlSeconds);
  });
  lane.underWay = next.catch(() => undefined);
  lane.waiting = { entries, next };
  return next;
}

function laneOf(bus: Bus, key: string): Lane {
  const ofBus = lanes.get(bus) ?? new Map<string, Lane>();
  lanes.set(bus, ofBus);
  const lane = ofBus.get(key) ?? { underWay: Promise.resolve(), waiting: null };
  ofBus.set(key, lane);
  return lane;
}

async function append(bus: Bus, key: string, entries: readonly Entry[], kept: number, ttlSeconds: number): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const found = await bus.gets(key);
    const before = parseList(found?.value ?? null) ?? [];
    // The answer to an earlier attempt may have been lost, and the attempt not.
    const there = new Set(before.map((other) => (other as Entry | null)?.id));
    const missing = [...new Map(entries.map((entry) => [entry.id, entry])).values()].filter(({ id }) => !there.has(id));
    if (missing.length === 0) return;
    const text = fitting([...before, ...missing].slice(-kept));
    const stored = found === null ? await bus.add(key, text, ttlSeconds) : await bus.cas(key, text, ttlSeconds, found.version);
    if (stored) return;
    // By chance, so that troopers who met once do not meet again.
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * Math.random() * Math.min(attempt + 1, 8)));
  }
  throw new BusError(`${key} was changed by others ${ATTEMPTS_MAX} times in a row`);
}

function fitting(entries: readonly unknown[]): string {
  for (let first = 0; ; first += 1) {
    const text = JSON.stringify(entries.slice(first));
    if (Buffer.byteLength(text) <= VALUE_BYTES_MAX || first >= entries.length) return text;
  }
}
