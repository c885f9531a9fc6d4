import { BusError } from '../world/bus-error.ts';
import type { Bus } from '../world/bus.ts';
import { KEYS, TTL } from '../world/keys.ts';
import { TrooperRecord } from '../world/values.ts';
import { valueIn } from '../world/value-in.ts';

/** A trooper's record on the bus, changed by compare-and-set only: its task, a handoff and a new task may meet there. */
export interface StoredRecord {
  readonly record: TrooperRecord;
  readonly version: string;
}

const ATTEMPTS_MAX = 20;

/** Null: there is none, or none that can be read. Rejects with a BusError. */
export async function readRecord(bus: Bus, service: string, slot: number): Promise<StoredRecord | null> {
  const { record, version } = await readSeat(bus, service, slot);
  return record === null || version === null ? null : { record, version };
}

/** The same, with what `storeRecord` wants to see again also where nothing can be read. Rejects with a BusError. */
export async function readSeat(
  bus: Bus,
  service: string,
  slot: number,
): Promise<{ readonly record: TrooperRecord | null; readonly version: string | null }> {
  const found = await bus.gets(KEYS.trooper(service, slot));
  return { record: recordIn(found?.value ?? null), version: found?.version ?? null };
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
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { record: before, version } = await readSeat(bus, service, slot);
    const after = change(before);
    if (after === null) return before;
    if (await storeRecord(bus, service, slot, after, version)) return after;
  }
  throw new BusError(`${KEYS.trooper(service, slot)} was changed by others ${ATTEMPTS_MAX} times in a row`);
}

/** False: somebody has stored since `version` was read; null stands for nothing there. Rejects with a BusError. */
export function storeRecord(
  bus: Bus,
  service: string,
  slot: number,
  record: TrooperRecord,
  version: string | null,
): Promise<boolean> {
  const key = KEYS.trooper(service, slot);
  const text = JSON.stringify(record);
  return version === null ? bus.add(key, text, TTL.record) : bus.cas(key, text, TTL.record, version);
}

/**
 * What those read who ask by task. Written after each change of the record, and anew by the next task, since they are kept
 * under its id. Rejects with a BusError.
 */
export async function writeViews(bus: Bus, record: TrooperRecord): Promise<void> {
  const { task_id, score, last_round, words } = record;
  await bus.set(KEYS.score(task_id), String(score), TTL.score);
  if (last_round !== null) await bus.set(KEYS.lastSeen(task_id), last_round, TTL.lastSeen);
  if (words !== null) await bus.set(KEYS.threeWords(task_id), JSON.stringify(words), TTL.threeWords);
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

const recordIn = (text: string | null): TrooperRecord | null => valueIn(TrooperRecord, text);
