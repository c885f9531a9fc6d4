import type { CarriedState, SourceHandoff } from './handoff.ts';

/**
 * The source's side, decided: it is told what happened and when, and says what is to be done next. Every effect may be done
 * again, and by two tasks at once; an event that is late or comes twice changes nothing.
 */
export type SourceEvent =
  | { readonly type: 'tick' }
  /** The record stands still, and this is what it says. */
  | { readonly type: 'marked'; readonly state: CarriedState }
  | { readonly type: 'reserved' }
  | { readonly type: 'staged' }
  | { readonly type: 'accepted'; readonly taskId: string; readonly path: string; readonly rack: string }
  /** The peer knows nothing of it. */
  | { readonly type: 'forgotten' }
  /** The peer has said no. */
  | { readonly type: 'refused'; readonly refusal: Reason }
  /** Nothing is known of what came of a call. */
  | { readonly type: 'unheard'; readonly refusal: Reason }
  /** And so many are wanted of the service from now on. */
  | { readonly type: 'left'; readonly replicas: number }
  | { readonly type: 'finished' }
  | { readonly type: 'released' };

type Reason = NonNullable<SourceHandoff['refusal']>;

/**
 * - `mark`: let the trooper's record stand still for this handoff.
 * - `offer`, `transfer`, `accept`, `finish`: call the peer.
 * - `leave`: end the task, vacate the seat, remember the smaller size, write the event down.
 * - `release`: let the record go on.
 */
export type SourceEffect = 'mark' | 'offer' | 'transfer' | 'accept' | 'leave' | 'finish' | 'release';

export interface SourceStep {
  /** The same object where nothing has changed. */
  readonly handoff: SourceHandoff;
  readonly effects: readonly SourceEffect[];
}

export function stepSource(handoff: SourceHandoff, event: SourceEvent, now: number): SourceStep {
  const after = next(handoff, event, now);
  return { handoff: after, effects: effectsOf(after) };
}

function next(handoff: SourceHandoff, event: SourceEvent, now: number): SourceHandoff {
  switch (handoff.phase) {
    case 'preparing':
      if (event.type === 'marked') {
        return { ...handoff, phase: 'offering', snapshot: { ...handoff.snapshot, state: event.state } };
      }
      return undecided(handoff, event, now);
    case 'offering':
      return event.type === 'reserved' ? { ...handoff, phase: 'transferring' } : undecided(handoff, event, now);
    case 'transferring':
      // The point of no return: the target holds the state and does nothing with it until it is told.
      if (event.type === 'staged') return { ...handoff, phase: 'committed', refusal: null };
      if (event.type === 'forgotten') return { ...handoff, phase: 'offering' };
      return undecided(handoff, event, now);
    case 'committed':
      return committed(handoff, event, now);
    case 'leaving':
      return event.type === 'left' ? { ...handoff, phase: 'finishing', replicas: event.replicas } : handoff;
    case 'finishing':
      return event.type === 'finished' ? { ...handoff, phase: 'done' } : handoff;
    case 'aborting':
      return event.type === 'released' ? { ...handoff, phase: 'aborted' } : handoff;
    case 'done':
    case 'aborted':
      return handoff;
  }
}

/** Until it is committed, every doubt ends in an abort: the target does nothing by itself. */
function undecided(handoff: SourceHandoff, event: SourceEvent, now: number): SourceHandoff {
  const refusal = event.type === 'refused' || event.type === 'unheard' ? event.refusal : null;
  if (event.type === 'refused' || now >= handoff.deadline) {
    return { ...handoff, phase: 'aborting', refusal: refusal ?? handoff.refusal };
  }
  return refusal === null || refusal.reason === handoff.refusal?.reason ? handoff : { ...handoff, refusal };
}

/** From here on no answer but the right one counts, and nothing the peer says brings the trooper back. */
function committed(handoff: SourceHandoff, event: SourceEvent, now: number): SourceHandoff {
  if (event.type === 'accepted') {
    const { taskId, path, rack } = event;
    return { ...handoff, phase: 'leaving', target_task_id: taskId, target_path: path, target_rack: rack, at: now };
  }
  // It has lost its disk and its bus. What it forgot is still here.
  if (event.type === 'forgotten') return handoff.again === 'offer' ? handoff : { ...handoff, again: 'offer' };
  if (event.type === 'reserved' && handoff.again === 'offer') return { ...handoff, again: 'transfer' };
  if (event.type === 'staged' && handoff.again === 'transfer') return { ...handoff, again: null };
  return handoff;
}

function effectsOf({ phase, again }: SourceHandoff): readonly SourceEffect[] {
  switch (phase) {
    case 'preparing':
      return ['mark'];
    case 'offering':
      return ['offer'];
    case 'transferring':
      return ['transfer'];
    case 'committed':
      return [again ?? 'accept'];
    case 'leaving':
      return ['leave'];
    case 'finishing':
      return ['finish'];
    case 'aborting':
      return ['release'];
    case 'done':
    case 'aborted':
      return [];
  }
}

/** What a target in doubt is told. `open`: ask again. */
export type Verdict = 'open' | 'committed' | 'aborted' | 'done' | 'unknown';

export function verdictOf(handoff: SourceHandoff | null): Verdict {
  switch (handoff?.phase) {
    case undefined:
      return 'unknown';
    case 'preparing':
    case 'offering':
    case 'transferring':
      return 'open';
    case 'committed':
    case 'leaving':
      return 'committed';
    case 'finishing':
    case 'done':
      return 'done';
    case 'aborting':
    case 'aborted':
      return 'aborted';
  }
}
