import { BusError } from './bus-error.ts';
import type { Bus } from './bus.ts';

/**
 * Lists that several troopers append to, as JSON arrays with the newest last. An append is a compare-and-set: whoever was
 * overtaken reads again. A list that cannot be read is never written.
 */
export interface Entry {
  readonly id: string;
}

const ATTEMPTS_MAX = 60;
const PAUSE_MS = 4;
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
export async function readList<T>(bus: Bus, key: string, is: (value: unknown) => value is T): Promise<readonly T[]> {
  return (parseList(await bus.get(key)) ?? []).filter(is);
}

/** Resolves once the entry is in the list, exactly once, and the list is cut to its newest `kept`. Rejects with a BusError. */
export async function appendTo(bus: Bus, key: string, entry: Entry, kept: number, ttlSeconds: number): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const found = await bus.gets(key);
    const entries = parseList(found?.value ?? null) ?? [];
    // The answer to an earlier attempt may have been lost, and the attempt not.
    if (entries.some((other) => (other as Entry | null)?.id === entry.id)) return;
    const text = fitting([...entries, entry].slice(-kept));
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
