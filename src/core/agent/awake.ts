import { unreachable } from '../../std/assert.ts';
import { type Instant, after, latest } from '../../std/time.ts';
import type { AgentEvent, Sighting } from './event.ts';
import { freeze, isEvictable } from './frozen.ts';
import {
  type OnDemandStep,
  announce,
  drain,
  healthSaid,
  keepServing,
  lostAllTasks,
  stay,
  stop,
  stoppedByOthers,
} from './moves.ts';
import type { Policy } from './policy.ts';
import { type AgentProblem, type Draining, type Ready, isTurnedBackByWork } from './state.ts';
import { mergeTasks, recordCheck } from './tasks.ts';

/** Ready and draining: tasks serve. What keeps them awake, what makes them ill and how they are let go of. */
const ILL: AgentProblem = { code: 'health-failed', detail: 'no task passes its health check' };

export function fromReady(state: Ready, event: AgentEvent, now: Instant, policy: Policy): OnDemandStep {
  switch (event.type) {
    case 'wanted':
      return stay(state);
    case 'busy':
      return stay({ ...state, busy: true, freezeFailed: false });
    case 'quiet':
      return stay({ ...state, busy: false, lastActivity: event.lastActivity });
    case 'probed': {
      const checked = { ...state, tasks: recordCheck(state.tasks, event.task, event.healthy, policy.maxFailures) };
      const step = keepServing(checked, now, policy);
      return { ...step, effects: [...healthSaid(checked.tasks, event), ...step.effects] };
    }
    case 'observed':
      return observeAwake(state, event, now, policy);
    case 'order-failed':
      // Only a scale that an agent asked for can fail here, and it was told so.
      return stay(state);
    case 'sleep-ordered':
      return event.force ? stop(state, { reason: 'admin' }, now) : drain(state, 'admin', now);
    case 'due':
      return due(state, now, policy);
    case 'evict':
      return isEvictable(state, now, policy) ? drain(state, 'evicted', now) : stay(state);
    case 'lingers':
      return stay({ ...state, lingering: event.open });
    case 'froze':
    case 'thawed':
    case 'placed':
    case 'unwanted':
      // Answers that came after somebody else had moved it on.
      return stay(state);
    default:
      return unreachable(event);
  }
}

export function fromDraining(state: Draining, event: AgentEvent, now: Instant, policy: Policy): OnDemandStep {
  switch (event.type) {
    case 'wanted':
      if (policy.keep === 'asleep') return stay(state);
      if (isTurnedBackByWork(state)) return turnBack(state, now, now, policy);
      // An operator may take an operator's order back; a caller may not, and an ill agent is no use to either.
      return state.reason === 'admin' && event.admin ? turnBack(state, now, now, policy) : stay(state);
    case 'busy': {
      const busy = { ...state, busy: true };
      return isTurnedBackByWork(state) ? turnBack(busy, now, now, policy) : stay(busy);
    }
    case 'quiet':
      return stay({ ...state, busy: false, lastActivity: event.lastActivity });
    case 'probed': {
      const checked = { ...state, tasks: recordCheck(state.tasks, event.task, event.healthy, policy.maxFailures) };
      return stay(checked, ...healthSaid(checked.tasks, event));
    }
    case 'observed':
      return observeAwake(state, event, now, policy);
    case 'order-failed':
      return stay(state);
    case 'sleep-ordered':
      // The stricter order wins: what was to restart, or might have been called back, now sleeps.
      return event.force ? stop(state, { reason: 'admin' }, now) : stay({ ...state, reason: 'admin' });
    case 'due':
      return endOfDrain(state, now, policy);
    case 'lingers':
      return stay({ ...state, lingering: event.open });
    case 'evict':
    case 'froze':
    case 'thawed':
    case 'placed':
    case 'unwanted':
      return stay(state);
    default:
      return unreachable(event);
  }
}

/** Idle for long enough to be frozen, or to sleep. What the operator keeps awake is neither; what he keeps asleep goes when quiet. */
function due(state: Ready, now: Instant, policy: Policy): OnDemandStep {
  if (state.busy || policy.keep === 'awake') return stay(state);
  if (policy.keep === 'asleep') return drain(state, 'admin', now);
  if (now >= after(state.lastActivity, policy.idleTimeout)) return drain(state, 'idle', now);
  const freezesAt = freezeDeadline(state, policy);
  return freezesAt !== null && now >= freezesAt ? freeze(state, now) : stay(state);
}

/**
 * When an idle agent is to be frozen; null: not as it is now. What was thawed, or whose sleep was called off, stays up for as
 * long as one that has just worked, since somebody wanted it; to sleep it goes at its time.
 */
export function freezeDeadline(state: Ready, policy: Policy): Instant | null {
  if (policy.freezeAfter === null || state.busy || state.lingering || state.freezeFailed || policy.keep !== null) return null;
  return after(latest(state.lastActivity, state.since), policy.freezeAfter);
}

/** Quiet, or out of patience. The look at `busy` and the order to stop are one step (promise B). */
function endOfDrain(state: Draining, now: Instant, policy: Policy): OnDemandStep {
  const late = now >= after(state.since, policy.drainTimeout);
  if (state.busy && !late) return stay(state);
  switch (state.reason) {
    case 'idle':
    case 'evicted':
      return state.busy ? turnBack(state, now, state.lastActivity, policy) : stop(state, { reason: state.reason }, now);
    case 'admin': {
      if (!state.busy) return stop(state, { reason: 'admin' }, now);
      const step = turnBack(state, now, state.lastActivity, policy);
      const refused = announce({ type: 'agent.sleep_refused', facts: { because: 'work at drain_timeout' } });
      return { ...step, effects: [refused, ...step.effects] };
    }
    case 'restart':
      return stop(state, { reason: 'exited', next: 'restart', problem: ILL }, now);
    default:
      return unreachable(state.reason);
  }
}

/** Ready and draining meet the same news: tasks come and go, and the last healthy one may go. */
function observeAwake(state: Ready | Draining, seen: Sighting, now: Instant, policy: Policy): OnDemandStep {
  const tasks = mergeTasks(state.tasks, seen.tasks);
  if (seen.wanted === 0) return stoppedByOthers(state, seen, now, policy);
  if (tasks.length === 0 && !seen.converging) {
    const next = state.name === 'draining' && state.reason === 'restart' ? 'restart' : 'sleep';
    return lostAllTasks(state, seen, next, now);
  }
  const next = { ...state, tasks };
  return next.name === 'ready' ? keepServing(next, now, policy) : stay(next);
}

/** A sleep that is called off. While it drained its tasks may have changed, so it is ready only if somebody still serves. */
function turnBack(from: Draining, now: Instant, lastActivity: Instant, policy: Policy): OnDemandStep {
  const { busy, lingering, awakeSince, freezeFailed, tasks } = from;
  const state: Ready = {
    policy: 'on-demand',
    name: 'ready',
    since: now,
    busy,
    lingering,
    awakeSince,
    lastActivity,
    freezeFailed,
    tasks,
  };
  const step = keepServing(state, now, policy);
  return { ...step, effects: [announce({ type: 'agent.ready', from: 'draining', to: 'ready' }), ...step.effects] };
}
