import { unreachable } from '../../std/assert.ts';
import { type Instant, elapsed } from '../../std/time.ts';
import type { AgentEvent } from './event.ts';
import { type OnDemandStep, becomeReady, stay, stop } from './moves.ts';
import type { Policy } from './policy.ts';
import type { AgentProblem, Starting } from './state.ts';
import { mergeTasks, recordCheck, servesTraffic } from './tasks.ts';

/** Starting: ordered and not yet healthy. Every way out but the healthy one goes through stopping, so that nothing half-started is left. */
export function fromStarting(state: Starting, event: AgentEvent, now: Instant, policy: Policy): OnDemandStep {
  switch (event.type) {
    case 'wanted':
      return stay(state);
    case 'busy':
      return stay({ ...state, busy: true });
    case 'quiet':
      return stay({ ...state, busy: false });
    case 'probed': {
      const tasks = recordCheck(state.tasks, event.task, event.healthy, policy.maxFailures);
      return tasks.some(servesTraffic) ? becomeReady(state, tasks, now, policy) : stay({ ...state, tasks });
    }
    case 'observed': {
      if (event.wanted === 0) return stop(state, { reason: 'external' }, now);
      const tasks = mergeTasks(state.tasks, event.tasks);
      if (tasks.length > 0 || event.converging) return stay({ ...state, tasks });
      return fail(state, 'exited', { code: 'exited', detail: event.lastExit ?? 'its last task ended' }, now);
    }
    case 'order-failed':
      return event.refused
        ? fail(state, 'refused', { code: 'start-failed', detail: event.detail }, now)
        : // Not the agent's fault: no attempt counts. The engine may have taken the order all the same, so it is taken back.
          stop(state, { reason: 'external', problem: { code: 'engine-unavailable', detail: event.detail } }, now);
    case 'sleep-ordered':
      // Nobody is being served yet, so there is nothing to wait for.
      return stop(state, { reason: 'admin' }, now);
    case 'due':
      return now < state.deadline
        ? stay(state)
        : fail(state, 'timeout', { code: 'startup-timeout', detail: timeoutDetail(state) }, now);
    default:
      return unreachable(event);
  }
}

function fail(state: Starting, result: 'timeout' | 'exited' | 'refused', problem: AgentProblem, now: Instant): OnDemandStep {
  const reason = result === 'timeout' ? 'startup-timeout' : 'exited';
  const step = stop(state, { reason, problem, startFailed: true }, now);
  return { ...step, effects: [{ type: 'start-measured', result, took: elapsed(state.since, now) }, ...step.effects] };
}

function timeoutDetail(state: Starting): string {
  const running = state.tasks.filter((task) => task.state === 'running').length;
  return running === 0 ? 'no task came to run' : `${running} running, none passed its health check`;
}
