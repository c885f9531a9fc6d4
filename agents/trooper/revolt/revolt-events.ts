import Type from 'typebox';
import { Check } from 'typebox/value';
import type { Bus } from '../../world/bus.ts';
import { KEPT, KEYS, TTL } from '../../world/keys.ts';
import { appendTo, readList } from '../../world/lists.ts';
import { RevoltEvent } from '../../world/values.ts';
import type { Handoff } from './handoff.ts';
import { sha256 } from './seal.ts';

/** Who went from where to where, as both racks tell it, under the same id. */
export const RevoltEventsView = Type.Object({ events: Type.Array(RevoltEvent), source: Type.Literal('memcached') });

/** Oldest first. Rejects with a BusError. */
export const readRevoltEvents = (bus: Bus): Promise<readonly RevoltEvent[]> =>
  readList(bus, KEYS.revoltEvents, (value): value is RevoltEvent => Check(RevoltEvent, value));

/** Once, however often it is called. Rejects with a BusError. */
export async function tellOf(bus: Bus, handoff: Handoff, targetRack: string): Promise<void> {
  const event = eventOf(handoff, targetRack);
  if (event !== null) await appendTo(bus, KEYS.revoltEvents, event, KEPT.revoltEvents, TTL.list);
}

/** Null until the trooper has its seat at the target. */
export function eventOf({ id, at, snapshot, target_task_id }: Handoff, targetRack: string): RevoltEvent | null {
  if (at === null || snapshot === null || target_task_id === null) return null;
  return {
    id: sha256(id).slice(0, 12),
    at: new Date(at).toISOString(),
    source_task_id: snapshot.source_task_id,
    target_task_id,
    service: snapshot.service,
    source_rack: snapshot.rack,
    target_rack: targetRack,
    snapshot_id: id,
  };
}
