import { changeRecord, readRecord } from '../memory.ts';
import type { Trooper } from '../trooper.ts';
import { KEYS, TTL } from '../../world/keys.ts';
import type { TrooperRecord } from '../../world/values.ts';
import { THREE_WORDS, type Writer } from './writer.ts';

/**
 * Three words of each trooper, every 30 s. They belong to its record; what others read by task is a view of that, written
 * after it. Until there are new ones it shows those that it remembers, which enlisting sees to.
 */
const EVERY_MS = 30_000;
/** The first come within this, by chance, so that a world that wakes does not ask its model twenty times at once. */
const SPREAD_MS = 5000;
/** Until the trooper has its seat, or has it again. */
const LOOK_AGAIN_MS = 500;
const REST_MS_MIN = 5000;

export type Speaking = Pick<Trooper, 'bus' | 'settings' | 'slot' | 'taskId'>;

export function startWords(trooper: Trooper, writer: Writer): void {
  const from = Date.now() + Math.random() * SPREAD_MS;
  trooper.keepDoing('words', 5000, async (stopping) => {
    const begun = Date.now();
    if (begun < from) return from - begun;
    if (!(await writeWords(trooper, writer, stopping))) return LOOK_AGAIN_MS;
    return Math.max(EVERY_MS - (Date.now() - begun), REST_MS_MIN);
  });
}

/** False: the seat is not this task's to write to, and no model was asked or its words were dropped. Rejects with a BusError. */
export async function writeWords(trooper: Speaking, writer: Writer, stopping: AbortSignal): Promise<boolean> {
  const { bus, settings, slot, taskId } = trooper;
  const isOwn = (record: TrooperRecord | null): record is TrooperRecord =>
    record?.task_id === taskId && record.trooper !== null && record.departing === null && record.move === undefined;

  if (!isOwn((await readRecord(bus, settings.service, slot))?.record ?? null)) return false;
  const words = await writer.write(THREE_WORDS, stopping);
  if (words === null) return false;
  const record = await changeRecord(bus, settings.service, slot, (found) => (isOwn(found) ? { ...found, words } : null));
  if (!isOwn(record)) return false;
  const text = JSON.stringify(words);
  await bus.set(KEYS.threeWords(taskId), text, TTL.threeWords);
  await bus.set(KEYS.threeWordsLatest, text, TTL.threeWords);
  return true;
}
