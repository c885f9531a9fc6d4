import { readRecords } from '../memory.ts';
import { SEATS_MAX } from '../seats.ts';
import type { TrooperRecord } from '../../world/values.ts';
import type { Trooper } from '../trooper.ts';
import { point } from './crash-points.ts';
import { originless } from './departing-record.ts';
import { type Handoff, type Snapshot, type TargetHandoff, originOf } from './handoff.ts';
import { readOpenHandoffs } from './handoffs.ts';
import { type Part, partOf } from './part.ts';

/**
 * Who is to sit in a vacant seat before a recruit is thought of: troopers that have come from another rack, and one that this
 * seat has forgotten.
 */
export const SEATS = Array.from({ length: SEATS_MAX }, (_, index) => index + 1);

/**
 * The record that this task is to write into its own, vacant seat; null when nobody is to. The same task of the same
 * slot is given the same one again until the handoff has seen it in the seat; no other task is given it meanwhile.
 * Rejects with a BusError or a SnapshotFileError.
 */
export async function takeArrival(trooper: Trooper): Promise<TrooperRecord | null> {
  const part = partOf(trooper);
  if (part === null) return null;
  const { bus, taskId, slot, settings } = trooper;
  const leaving = await forgotten(part);
  if (leaving !== null) return leaving;
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

/**
 * The trooper of this seat was about to leave when memcached was restarted, and then its task died: nobody but its snapshot
 * knows it. It goes on standing still, until the revolt is called off or ends this task too.
 */
async function forgotten({ trooper, keeper }: Part): Promise<TrooperRecord | null> {
  const { bus, taskId, slot, settings } = trooper;
  // Before the handoffs: one who leaves for good meanwhile stores the seat anew.
  const records = await readRecords(bus, settings.service, SEATS);
  if (records.has(slot)) return null;
  await keeper.takeUp();
  const open = await readOpenHandoffs(bus);
  const leaving = open.find((handoff) => {
    const isHere = handoff.side === 'source' && !['leaving', 'finishing'].includes(handoff.phase);
    return isHere && handoff.service === settings.service && handoff.slot === slot;
  });
  if (leaving?.side !== 'source') return null;
  const { trooper: name } = leaving.snapshot.state;
  if (records.values().some((record) => record.trooper === name)) return null;
  return { ...originless(leaving.snapshot), task_id: taskId, departing: leaving.id };
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
