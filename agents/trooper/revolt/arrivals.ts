import { readRecords } from '../memory.ts';
import { SEATS_MAX } from '../seats.ts';
import type { TrooperRecord } from '../../world/values.ts';
import type { Trooper } from '../trooper.ts';
import { type Handoff, type Snapshot, type TargetHandoff, originOf } from './handoff.ts';
import { changeHandoff, readOpenHandoffs } from './handoffs.ts';
import { stepTarget } from './target-steps.ts';

/** Troopers that have come from another rack and have no seat yet: whichever task finds its seat vacant takes one. */
export const SEATS = Array.from({ length: SEATS_MAX }, (_, index) => index + 1);

/**
 * The record that this task is to write into its own, vacant seat; null when nobody has arrived. The same task of the same
 * slot is given the same one again until the handoff has seen it in the seat; no other task is given it meanwhile.
 * Rejects with a BusError.
 */
export async function takeArrival(trooper: Trooper): Promise<TrooperRecord | null> {
  const { bus, taskId, slot, settings } = trooper;
  const waiting = (await readOpenHandoffs(bus)).filter((handoff) => isArriving(handoff, settings.service));
  const mine = waiting.filter(({ taker }) => taker?.slot === slot);
  const free = waiting.filter(({ taker }) => taker === null);
  for (const { id } of [...mine, ...free]) {
    const now = Date.now();
    const taken = await changeHandoff(bus, id, (handoff) => {
      if (handoff?.side !== 'target') return null;
      const after = stepTarget(handoff, { type: 'taken', slot, taskId }, now).handoff;
      return after === handoff ? null : after;
    });
    if (taken === null || !isArriving(taken, settings.service)) continue;
    if (taken.taker?.slot !== slot || taken.taker.task_id !== taskId) continue;
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
