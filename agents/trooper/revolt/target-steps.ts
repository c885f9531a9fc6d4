import type { Snapshot, TargetHandoff } from './handoff.ts';
import type { Verdict } from './source-steps.ts';

/**
 * The target's side, decided. It promises room, keeps the state, and does nothing with it until it knows that the source has
 * committed; from then on the trooper is its own, whatever the source says later.
 */
export type TargetEvent =
  | { readonly type: 'tick' }
  | { readonly type: 'offer' }
  /** There is no room to be kept. */
  | { readonly type: 'full' }
  | { readonly type: 'transfer'; readonly snapshot: Snapshot; readonly sha256: string }
  | { readonly type: 'accept' }
  | { readonly type: 'finish' }
  /** What the source said when it was asked. */
  | { readonly type: 'told'; readonly verdict: Verdict }
  /** It is counted among those for whom the world has to be large enough. */
  | { readonly type: 'roomy' }
  | { readonly type: 'taken'; readonly slot: number; readonly taskId: string }
  /** The task that took it has gone without a word. */
  | { readonly type: 'untaken'; readonly taskId: string }
  | { readonly type: 'seated'; readonly taskId: string };

/**
 * - `ask`: ask the source what it has decided.
 * - `seat`: make room, and see whether a task has the trooper in its seat.
 */
export type TargetEffect = 'ask' | 'seat';

export interface TargetStep {
  /** The same object where nothing has changed. */
  readonly handoff: TargetHandoff;
  readonly effects: readonly TargetEffect[];
}

export const RESERVED_MS = 30_000;

export function stepTarget(handoff: TargetHandoff, event: TargetEvent, now: number): TargetStep {
  const after = next(handoff, event, now);
  return { handoff: after, effects: effectsOf(after) };
}

export const reserved = (id: string, service: string, now: number): TargetHandoff => ({
  side: 'target',
  id,
  service,
  phase: 'reserved',
  revision: 0,
  expires_at: now + RESERVED_MS,
  snapshot: null,
  sha256: null,
  taker: null,
  has_room: false,
  accepted_at: null,
  target_task_id: null,
  at: null,
});

function next(handoff: TargetHandoff, event: TargetEvent, now: number): TargetHandoff {
  switch (handoff.phase) {
    case 'reserved':
      if (event.type === 'transfer') return { ...handoff, phase: 'staged', snapshot: event.snapshot, sha256: event.sha256 };
      if (event.type === 'offer') return { ...handoff, expires_at: now + RESERVED_MS };
      return event.type === 'full' || now >= handoff.expires_at ? { ...handoff, phase: 'dropped' } : handoff;
    case 'staged':
      // Only the source accepts, and only after it has committed.
      if (event.type === 'accept') return { ...handoff, phase: 'arriving', accepted_at: now };
      return event.type === 'told' ? told(handoff, event.verdict, now) : handoff;
    case 'arriving':
      return arriving(handoff, event, now);
    case 'seated':
      if (event.type === 'finish') return { ...handoff, phase: 'finished' };
      // The last word of the source was lost, or the source with its disk and bus.
      if (event.type !== 'told' || event.verdict === 'committed' || event.verdict === 'open') return handoff;
      return { ...handoff, phase: 'finished' };
    case 'dropped':
      return event.type === 'offer' ? { ...reserved(handoff.id, handoff.service, now), revision: handoff.revision } : handoff;
    case 'finished':
      return handoff;
  }
}

function told(handoff: TargetHandoff, verdict: Verdict, now: number): TargetHandoff {
  switch (verdict) {
    case 'open':
      return handoff;
    case 'committed':
      return { ...handoff, phase: 'arriving', accepted_at: now };
    // `done`: a transfer that was late by hours, of a trooper that has long had its seat and may have moved on.
    case 'done':
    case 'aborted':
    case 'unknown':
      return { ...handoff, phase: 'dropped' };
  }
}

function arriving(handoff: TargetHandoff, event: TargetEvent, now: number): TargetHandoff {
  switch (event.type) {
    case 'roomy':
      return handoff.has_room ? handoff : { ...handoff, has_room: true };
    case 'taken': {
      const { taker } = handoff;
      // Another task in the same slot writes to the same seat, so it cannot end up in two.
      if (taker !== null && (taker.slot !== event.slot || taker.task_id === event.taskId)) return handoff;
      return { ...handoff, taker: { slot: event.slot, task_id: event.taskId, at: now } };
    }
    case 'untaken':
      return handoff.taker?.task_id === event.taskId ? { ...handoff, taker: null } : handoff;
    case 'seated':
      return { ...handoff, phase: 'seated', target_task_id: event.taskId, at: now };
    case 'tick':
    case 'offer':
    case 'full':
    case 'transfer':
    case 'accept':
    case 'finish':
    case 'told':
      return handoff;
  }
}

function effectsOf({ phase }: TargetHandoff): readonly TargetEffect[] {
  switch (phase) {
    case 'staged':
    case 'seated':
      return ['ask'];
    case 'arriving':
      return ['seat'];
    case 'reserved':
    case 'finished':
    case 'dropped':
      return [];
  }
}
