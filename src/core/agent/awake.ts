import { unreachable } from '../../std/assert.ts';
import { type Instant, after } from '../../std/time.ts';
import type { AgentEvent, Sighting } from './event.ts';
import { type OnDemandStep, allIll, announce, drain, start, stay, stop, turnBack } from './moves.ts';
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
      const said = healthSaid(checked, event);
      if (!allIll(checked.tasks)) return stay(checked, ...said);
      const step = drain(checked, 'restart', now);
      return { ...step, effects: [...said, ...step.effects] };
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
      if (state.reason === 'idle') return turnBack(state, now, now);
      // An operator may take an operator's order back; a caller may not, and an ill agent is no use to either.
      return state.reason === 'admin' && event.admin ? turnBack(state, now, now) : stay(state);
    case 'busy': {
      const busy = { ...state, busy: true };
      return state.reason === 'idle' ? turnBack(busy, now, now) : stay(busy);
    }
    case 'quiet':
      return stay({ ...state, busy: false, lastActivity: event.lastActivity });
    case 'probed': {
      const checked = { ...state, tasks: recordCheck(state.tasks, event.task, event.healthy, policy.maxFailures) };
      return stay(checked, ...healthSaid(checked, event));
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
      return state.busy ? turnBack(state, now, state.lastActivity) : stop(state, { reason: 'idle' }, now);
    case 'admin':
      return state.busy
        ? turnBack(
            state,
            now,
            state.lastActivity,
            announce({ type: 'agent.sleep_refused', facts: { because: 'work at drain_timeout' } }),
          )
        : stop(state, { reason: 'admin' }, now);
    case 'restart':
      return stop(state, { reason: 'exited', next: 'restart', problem: ILL }, now);
    default:
      return unreachable(state.reason);
  }
}

/** Ready and draining meet the same news: tasks come and go, and the last healthy one may go. */
function observeAwake(state: Ready | Draining, seen: Sighting, now: Instant, policy: Policy): OnDemandStep {
  const tasks = mergeTasks(state.tasks, seen.tasks);
  if (seen.wanted === 0) return stop(state, { reason: 'external' }, now);
  if (tasks.length === 0 && !seen.converging) {
    const next = state.name === 'draining' && state.reason === 'restart' ? 'restart' : 'sleep';
    const problem: AgentProblem = { code: 'exited', detail: seen.lastExit ?? 'its last task ended' };
    return stop(state, { reason: 'exited', next, problem }, now);
  }
  // Others are left or on their way, but none that has passed a check: nobody may be sent to them before one does
  // (promise H). What drains lets nobody in anyway, and must not forget what it drains for.
  const lost = state.tasks.some(servesTraffic) && !tasks.some(servesTraffic);
  if (state.name === 'ready' && lost && !allIll(tasks)) return start(state, 'replaced', now, policy, { tasks, busy: state.busy });
  return stay({ ...state, tasks });
}

function healthSaid(state: Ready | Draining, check: Extract<AgentEvent, { type: 'probed' }>) {
  const task = state.tasks.find((other) => other.id === check.task);
  if (check.healthy || task === undefined || task.health === 'unknown') return [];
  return [announce({ type: 'agent.health_failed', facts: { task: task.id, failures: task.failures, detail: check.detail } })];
}
