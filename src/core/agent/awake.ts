import { unreachable } from '../../std/assert.ts';
import { type Instant, after } from '../../std/time.ts';
import { type AgentEvent, type Sighting, whyNot } from './event.ts';
import { type OnDemandStep, allIll, announce, drain, healthSaid, start, stay, stop, stoppedByOthers } from './moves.ts';
import type { Policy } from './policy.ts';
import type { AgentProblem, Draining, Ready } from './state.ts';
import { mergeTasks, recordCheck, servesTraffic } from './tasks.ts';

/** Ready and draining: tasks serve. What keeps them awake, what makes them ill and how they are let go of. */
const ILL: AgentProblem = { code: 'health-failed', detail: 'no task passes its health check' };

export function fromReady(state: Ready, event: AgentEvent, now: Instant, policy: Policy): OnDemandStep {
  switch (event.type) {
    case 'wanted':
      return stay(state);
    case 'busy':
      return stay({ ...state, busy: true });
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
      return state.busy || now < after(state.lastActivity, policy.idleTimeout) ? stay(state) : drain(state, 'idle', now);
    default:
      return unreachable(event);
  }
}

export function fromDraining(state: Draining, event: AgentEvent, now: Instant, policy: Policy): OnDemandStep {
  switch (event.type) {
    case 'wanted':
      if (state.reason === 'idle') return turnBack(state, now, now, policy);
      // An operator may take an operator's order back; a caller may not, and an ill agent is no use to either.
      return state.reason === 'admin' && event.admin ? turnBack(state, now, now, policy) : stay(state);
    case 'busy': {
      const busy = { ...state, busy: true };
      return state.reason === 'idle' ? turnBack(busy, now, now, policy) : stay(busy);
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
    default:
      return unreachable(event);
  }
}

/** Quiet, or out of patience. The look at `busy` and the order to stop are one step (promise B). */
function endOfDrain(state: Draining, now: Instant, policy: Policy): OnDemandStep {
  const late = now >= after(state.since, policy.drainTimeout);
  if (state.busy && !late) return stay(state);
  switch (state.reason) {
    case 'idle':
      return state.busy ? turnBack(state, now, state.lastActivity, policy) : stop(state, { reason: 'idle' }, now);
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
    const problem: AgentProblem = { code: 'exited', detail: whyNot(seen, null) ?? 'its last task ended' };
    return stop(state, { reason: 'exited', next, problem }, now);
  }
  const next = { ...state, tasks };
  return next.name === 'ready' ? keepServing(next, now, policy) : stay(next);
}

/** A sleep that is called off. While it drained its tasks may have changed, so it is ready only if somebody still serves. */
function turnBack(from: Draining, now: Instant, lastActivity: Instant, policy: Policy): OnDemandStep {
  const { busy, tasks } = from;
  const state: Ready = { policy: 'on-demand', name: 'ready', since: now, busy, lastActivity, tasks };
  const step = keepServing(state, now, policy);
  return { ...step, effects: [announce({ type: 'agent.ready', from: 'draining', to: 'ready' }), ...step.effects] };
}

/**
 * Ready means that somebody serves. If nobody does any more, it is a restart when all that run are ill, and a start when
 * others are left or on their way: nobody may be sent to them before one passes its check (promise H). What drains lets
 * nobody in anyway, and must not forget what it drains for.
 */
function keepServing(state: Ready, now: Instant, policy: Policy): OnDemandStep {
  if (state.tasks.some(servesTraffic)) return stay(state);
  return allIll(state.tasks) ? drain(state, 'restart', now) : start(state, 'replaced', now, policy, state.tasks);
}
