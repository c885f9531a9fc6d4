import { readRecords } from '../memory.ts';
import { SEATS_MAX } from '../seats.ts';
import type { TrooperRecord } from '../../world/values.ts';
import type { Trooper } from '../trooper.ts';
import { point } from './crash-points.ts';
import { type Handoff, type Snapshot, type TargetHandoff, originOf } from './handoff.ts';
import { readOpenHandoffs } from './handoffs.ts';
import { partOf } from './part.ts';

/** Troopers that have come from another rack and have no seat yet: whichever task finds its seat vacant takes one. */
export const SEATS = Array.from({ length: SEATS_MAX }, (_, index) => index + 1);

/**
 * The record that this task is to write into its own, vacant seat; null when nobody has arrived. The same task of the same
 * slot is given the same one again until the handoff has seen it in the seat; no other task is given it meanwhile.
 * Rejects with a BusError or a SnapshotFileError.
 */
export async function takeArrival(trooper: Trooper): Promise<TrooperRecord | null> {
  const part = partOf(trooper);
  if (part === null) return null;
  const { bus, taskId, slot, settings } = trooper;
  const waiting = (await readOpenHandoffs(bus)).filter((handoff) => isArriving(handoff, settings.service));
  const mine = waiting.filter(({ taker }) => taker?.slot === slot);
  const free = waiting.filter(({ taker, has_room }) => taker === null && has_room);
  for (const { id } of [...mine, ...free]) {
    // On disk before anything comes of it: a memcached that starts anew would give it away a second time.
    const taken = await part.keeper.tellTarget(id, { type: 'taken', slot, taskId });
    if (taken === null || !isArriving(taken, settings.service)) continue;
    if (taken.taker?.slot !== slot || taken.taker.task_id !== taskId) continue;
    point('target-taken');
    if (!(await isSeated(trooper, taken.snapshot))) return recordOf(taken.snapshot, taskId);
  }
  return null;
}

/** After a restart of memcached a trooper may be in a seat, and its handoff on disk may not know yet. */
async function isSeated({ bus, settings }: Trooper, snapshot: Snapshot): Promise<boolean> {
  const records = await readRecords(bus, settings.service, SEATS);
  return [...records.values()].some(({ trooper, departing }) => trooper === snapshot.state.trooper && departing === null);
}

type Arriving = TargetHandoff & { readonly snapshot: Snapshot };

const isArriving = (handoff: Handoff, service: string): handoff is Arriving =>
  handoff.side === 'target' && handoff.phase === 'arriving' && handoff.service === service && handoff.snapshot !== null;

const recordOf = (snapshot: Snapshot, taskId: string): TrooperRecord => ({
  trooper: snapshot.state.trooper,
  task_id: taskId,
  score: snapshot.state.score,
  words: snapshot.state.words,
  arm: snapshot.state.arm_state,
  // Rounds are counted anew here: those of the other rack mean nothing.
  last_round: null,
  from: originOf(snapshot),
  departing: null,
});
