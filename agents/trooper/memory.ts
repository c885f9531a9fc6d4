import { Check } from 'typebox/value';
import { BusError } from '../world/bus-error.ts';
import type { Bus, Versioned } from '../world/bus.ts';
import { KEYS, TTL } from '../world/keys.ts';
import { TrooperRecord } from '../world/values.ts';

/** A trooper's record on the bus, changed by compare-and-set only: its task, a handoff and a new task may meet there. */
export interface StoredRecord {
  readonly record: TrooperRecord;
  readonly version: string;
}

const ATTEMPTS_MAX = 20;

/** Null: there is none, or none that can be read. Rejects with a BusError. */
export async function readRecord(bus: Bus, service: string, slot: number): Promise<StoredRecord | null> {
  const found = await bus.gets(KEYS.trooper(service, slot));
  const record = recordIn(found?.value ?? null);
  return found === null || record === null ? null : { record, version: found.version };
}

/** Records of several slots in one call, without those that are not there. Rejects with a BusError. */
export async function readRecords(
  bus: Bus,
  service: string,
  slots: readonly number[],
): Promise<ReadonlyMap<number, TrooperRecord>> {
  const found = await bus.getMany(slots.map((slot) => KEYS.trooper(service, slot)));
  const records = slots.map((slot) => [slot, recordIn(found.get(KEYS.trooper(service, slot)) ?? null)] as const);
  return new Map(records.flatMap(([slot, record]) => (record === null ? [] : [[slot, record] as const])));
}

/**
 * Puts what `change` makes of the record in its place, and resolves to what lies there then. `change` is called again with
 * what others stored meanwhile; null leaves everything as it is. Rejects with a BusError.
 */
export async function changeRecord(
  bus: Bus,
  service: string,
  slot: number,
  change: (record: TrooperRecord | null) => TrooperRecord | null,
): Promise<TrooperRecord | null> {
  const key = KEYS.trooper(service, slot);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const found: Versioned | null = await bus.gets(key);
    const before = recordIn(found?.value ?? null);
    const after = change(before);
    if (after === null) return before;
    const text = JSON.stringify(after);
    const stored = found === null ? await bus.add(key, text, TTL.record) : await bus.cas(key, text, TTL.record, found.version);
    if (stored) return after;
  }
  throw new BusError(`${key} was changed by others ${ATTEMPTS_MAX} times in a row`);
}

/** What a seat holds that nobody has taken. */
export const vacant = (taskId: string): TrooperRecord => ({
  trooper: null,
  task_id: taskId,
  score: 0,
  words: null,
  arm: 'off',
  last_round: null,
  from: null,
  departing: null,
});

function recordIn(text: string | null): TrooperRecord | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return Check(TrooperRecord, value) ? value : null;
  } catch {
    return null;
  }
}
