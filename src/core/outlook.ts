import type { AgentProblemCode } from '../contract/problems.ts';
import type { AgentStateName } from '../contract/events.ts';
import { type Instant, type Millis, elapsed } from '../std/time.ts';
import type { AgentState } from './agent/state.ts';
import { startsNotBefore } from './holds.ts';
import { retryAfterSeconds } from './retry-after.ts';

/** Refusals that waiting may cure. */
export const CURABLE = [
  'kept-asleep',
  'capacity',
  'wake-limit',
  'wake-limit-total',
  'hold-queue-full',
  'engine-unavailable',
] as const;
/** Why somebody has to wait who would not have to otherwise. */
export type WaitReason = AgentProblemCode | (typeof CURABLE)[number];

/**
 * What anybody may be told who waits for an agent: how it stands and how long it will take. Codes only. The `detail` of a
 * problem is left out on purpose: it names commands, paths and addresses, and this goes to strangers.
 */
export interface Outlook {
  readonly state: AgentStateName;
  /** A start is under way, or follows without anybody asking again. */
  readonly isComing: boolean;
  readonly reason: WaitReason | null;
  /** How long the start under way has taken so far. */
  readonly elapsed: Millis | null;
  /** What a start takes, for nine of ten. Null until one has been measured. */
  readonly typical: Millis | null;
  /** What a wake that is remembered still waits for, by the clock. Null where it waits for something else, or none is. */
  readonly startsIn: Millis | null;
  readonly retryAfterSeconds: number;
}

/** `reason`: what is wrong with it, as far as somebody knows. */
export function outlookOf(state: AgentState, reason: WaitReason | null, now: Instant, typical: Millis | null): Outlook {
  const isRemembered = 'wake' in state && state.wake !== null;
  const wait = startsNotBefore(state, now);
  return {
    state: state.name,
    isComing: isRemembered || isOnItsWay(state),
    // What holds up a start that is under way has not failed it.
    reason: state.name === 'starting' ? null : isSeeking(state) ? 'capacity' : reason,
    elapsed: state.name === 'starting' ? elapsed(state.since, now) : null,
    typical,
    startsIn: isRemembered && wait > 0 ? wait : null,
    retryAfterSeconds: retryAfterSeconds(state, now, typical),
  };
}

/** Whether somebody who waits is to be told of what has become of `before`. More than its name can matter: a wake that is dropped. */
export function isNews(before: AgentState, after: AgentState): boolean {
  const remembers = (state: AgentState): boolean => 'wake' in state && state.wake !== null;
  return before.name !== after.name || remembers(before) !== remembers(after) || isSeeking(before) !== isSeeking(after);
}

/** It waits for one of max_ready_agents places. */
const isSeeking = (state: AgentState): boolean => 'seeking' in state && state.seeking !== null;

function isOnItsWay(state: AgentState): boolean {
  if (state.name === 'stopping') return state.next === 'restart';
  if (state.name === 'draining') return state.reason === 'restart';
  return state.name === 'starting' || (state.name === 'frozen' && state.then === 'ready');
}
