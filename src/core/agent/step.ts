import { unreachable } from '../../std/assert.ts';
import { type Instant, after, earliest } from '../../std/time.ts';
import { fromAsleep, isToForget, wakeOf } from './asleep.ts';
import { freezeDeadline, fromDraining, fromReady } from './awake.ts';
import type { AgentEvent, Step } from './event.ts';
import { fromFrozen } from './frozen.ts';
import type { Policy } from './policy.ts';
import { type AgentState, type Frozen, type Ready, asleep } from './state.ts';
import { fromStarting } from './starting.ts';
import { fromStopping } from './stopping.ts';
import { fromRunning, fromRunningDegraded, running } from './watched.ts';

/** Where an agent begins that nothing is known of yet. What the engine tells next sets it right. */
export function initialState(now: Instant, policy: Policy): AgentState {
  return policy.kind === 'on-demand' ? asleep(now) : running(policy.kind, now, policy);
}

/**
 * The life cycle: what was, what happened and what time it is give what is and what to do. Pure and total; the table of every
 * cell is in docs/lifecycle.md and test/core/lifecycle-table.ts.
 */
export function step(state: AgentState, event: AgentEvent, now: Instant, policy: Policy): Step<AgentState> {
  if (state.policy !== 'on-demand') {
    return state.name === 'running' ? fromRunning(state, event, now, policy) : fromRunningDegraded(state, event, now, policy);
  }
  switch (state.name) {
    case 'sleeping':
    case 'degraded':
      return fromAsleep(state, event, now, policy);
    case 'starting':
      return fromStarting(state, event, now, policy);
    case 'ready':
      return fromReady(state, event, now, policy);
    case 'frozen':
      return fromFrozen(state, event, now, policy);
    case 'draining':
      return fromDraining(state, event, now, policy);
    case 'stopping':
      return fromStopping(state, event, now, policy);
    default:
      return unreachable(state);
  }
}

/** When `due` has to be sent, or null when only something else can move the agent. A past instant means at once. */
export function nextDeadline(state: AgentState, policy: Policy): Instant | null {
  if (state.policy !== 'on-demand') return state.name === 'running' ? state.deadline : null;
  switch (state.name) {
    case 'sleeping':
    case 'degraded':
      if (isToForget(state, policy)) return state.since;
      if (wakeOf(state, policy) === null) return null;
      return state.seeking?.until ?? state.notBefore ?? state.since;
    case 'starting':
      return policy.keep === 'asleep' ? state.since : state.deadline;
    case 'stopping':
      return state.deadline;
    case 'ready':
      return readyDeadline(state, policy);
    case 'frozen':
      return frozenDeadline(state, policy);
    case 'draining':
      // Quiet: there is nothing to wait for. It is a step of its own all the same, so that a call that is already in the
      // inbox is met first and turns it back.
      return state.busy ? after(state.since, policy.drainTimeout) : state.since;
    default:
      return unreachable(state);
  }
}

function readyDeadline(state: Ready, policy: Policy): Instant | null {
  if (state.busy || policy.keep === 'awake') return null;
  if (policy.keep === 'asleep') return state.since;
  return earliest(after(state.lastActivity, policy.idleTimeout), freezeDeadline(state, policy));
}

function frozenDeadline(state: Frozen, policy: Policy): Instant {
  if (state.phase !== 'frozen') return state.deadline;
  return policy.keep !== null || policy.freezeAfter === null ? state.since : after(state.lastActivity, policy.idleTimeout);
}

/** When an agent that is awake or frozen will be put to sleep if nobody calls; null while that is not known, or never. */
export function sleepsAt(state: AgentState, policy: Policy): Instant | null {
  if ((state.name !== 'ready' && state.name !== 'frozen') || state.busy || policy.keep === 'awake') return null;
  return after(state.lastActivity, policy.idleTimeout);
}
