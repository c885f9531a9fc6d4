import type { TaskView } from '../../../src/contract/api.ts';
import { KEYS, TTL } from '../../world/keys.ts';
import type { TrooperRecord, WorldSize } from '../../world/values.ts';
import { readRecords } from '../memory.ts';
import { readSize } from '../size.ts';
import { isLive } from '../who-manages.ts';
import { SEATS } from './arrivals.ts';
import type { TargetHandoff } from './handoff.ts';
import { readOpenHandoffs } from './handoffs.ts';
import type { Part } from './part.ts';

/**
 * The world grows with those who come. Nothing is counted up, since several may come at once and two tasks may see to each of
 * them: large enough is what holds everybody who is here and everybody who waits, however often that is asked.
 */
const SIZE_MAX = 20;
/** How long those who are about to sit down are waited for, before room is made for one more. */
const SETTLE_MS = 4000;

/** Those whom the world holds, and not those who sleep because it has become smaller. */
export function seatsInUse(
  seats: ReadonlyMap<number, TrooperRecord>,
  tasks: readonly TaskView[],
  size: number,
): readonly { readonly slot: number; readonly trooper: string }[] {
  const live = new Set(tasks.filter(isLive).map(({ id }) => id));
  return [...seats].flatMap(([slot, { trooper, task_id }]) =>
    trooper !== null && (slot <= size || live.has(task_id)) ? [{ slot, trooper }] : [],
  );
}

/**
 * Makes the world large enough for this arrival beside all others. False: not yet, or there is no more room at all.
 * Rejects with a BusError or a DaemonError.
 */
export async function makeRoom({ trooper }: Part, handoff: TargetHandoff): Promise<boolean> {
  const { bus, squad } = trooper;
  const { service } = handoff;
  const found = await bus.gets(KEYS.size(service));
  const { tasks, replicas } = await squad.view();
  const size = (await readSize(bus, service))?.replicas ?? replicas.wanted;
  // In this order: who sits down in between is no longer counted among those who wait.
  const open = await readOpenHandoffs(bus);
  const names = new Set(seatsInUse(await readRecords(bus, service, SEATS), tasks, size).map((seat) => seat.trooper));
  // It has sat down since somebody saw that it had not.
  if (names.has(handoff.snapshot?.state.trooper ?? '')) return true;
  const waiting = open.filter((other) => {
    const waits = other.side === 'target' && other.phase === 'arriving' && other.service === service && other.has_room;
    return waits && other.id !== handoff.id && !names.has(other.snapshot?.state.trooper ?? '');
  });
  const used = names.size + waiting.length;
  // A recruit who is about to sit down would find its seat taken.
  const settled = used >= size || handoff.has_room || Date.now() - (handoff.accepted_at ?? 0) > SETTLE_MS;
  if (!settled) return false;
  const wanted = Math.min(used + 1, SIZE_MAX, replicas.max);
  if (wanted <= size) return used < size;
  const larger: WorldSize = { replicas: wanted, id: `room-${handoff.id}-${wanted}`, at: new Date().toISOString() };
  const text = JSON.stringify(larger);
  return found === null
    ? bus.add(KEYS.size(service), text, TTL.size)
    : bus.cas(KEYS.size(service), text, TTL.size, found.version);
}
