import { unreachable } from '../std/assert.ts';
import { type Instant, type Millis, elapsed, millisOf } from '../std/time.ts';
import { wakeOf } from './agent/asleep.ts';
import { type Policy, backoff } from './agent/policy.ts';
import type { AgentState } from './agent/state.ts';

/** What becomes of requests that are held, given what their agent is now. */
export type HoldVerdict =
  /** Let them through. */
  | 'serve'
  /** It is on its way up. */
  | 'wait'
  /** Nothing is on its way any more: a start failed, or an operator wants it asleep. */
  | 'give-up';

export function holdVerdict(state: AgentState, policy: Policy): HoldVerdict {
  if (state.policy !== 'on-demand') return 'serve';
  if (policy.keep === 'asleep') return 'give-up';
  switch (state.name) {
    case 'ready':
      return 'serve';
    case 'starting':
      return 'wait';
    case 'frozen':
      return state.then === 'admin' ? 'give-up' : 'wait';
    case 'stopping':
      return state.wake !== null || state.next === 'restart' ? 'wait' : 'give-up';
    case 'sleeping':
    case 'degraded':
      return wakeOf(state, policy) === null ? 'give-up' : 'wait';
    case 'draining':
      return 'give-up';
    default:
      return unreachable(state);
  }
}

/** How long it is certain that a wake of this agent will not even begin: what is left of a backoff or cooldown, or is to come of it. */
export function startsNotBefore(state: AgentState, now: Instant): Millis {
  if (state.name === 'stopping') return millisOf(state.startFailed ? backoff(state.attempts) : 0);
  if (!('notBefore' in state) || state.notBefore === null || state.notBefore <= now) return 0 as Millis;
  return elapsed(now, state.notBefore);
}
