import { unreachable } from '../../std/assert.ts';
import { type Instant, elapsed } from '../../std/time.ts';
import { type AgentEvent, whyNot } from './event.ts';
import { type OnDemandStep, becomeReady, stay, stop, stopped, stoppedByOthers } from './moves.ts';
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
      if (event.wanted === 0) return stoppedByOthers(state, event, now, policy);
      const tasks = mergeTasks(state.tasks, event.tasks);
      // Waiting for startup_timeout would tell nobody more. With tasks there it is not this start's to judge: they may serve.
      if (tasks.length === 0 && event.obstacle !== null)
        return fail(state, 'refused', { code: 'start-failed', detail: event.obstacle }, now);
      if (tasks.length > 0 || event.converging) return stay({ ...state, tasks, whyNot: whyNot(event, state.whyNot) });
      return fail(state, 'exited', { code: 'exited', detail: event.lastExit ?? 'its last task ended' }, now);
    }
    case 'order-failed':
      if (event.order !== 'scale') return stay(state);
      return event.refused
        ? refused(state, event.detail, now, policy)
        : // Not the agent's fault: no attempt counts. The engine may have taken the order all the same, so it is taken back.
          stop(state, { reason: 'external', problem: { code: 'engine-unavailable', detail: event.detail } }, now);
    case 'sleep-ordered':
      // Nobody is being served yet, so there is nothing to wait for.
      return stop(state, { reason: 'admin' }, now);
    case 'lingers':
      return stay({ ...state, lingering: event.open });
    case 'evict':
    case 'placed':
    case 'unwanted':
    case 'froze':
    case 'thawed':
      return stay(state);
    case 'due':
      if (policy.keep === 'asleep') return stop(state, { reason: 'admin' }, now);
      return now < state.deadline
        ? stay(state)
        : fail(state, 'timeout', { code: 'startup-timeout', detail: timeoutDetail(state) }, now);
    default:
      return unreachable(event);
  }
}

/** The engine has changed nothing, so there is nothing to be taken back. */
function refused(state: Starting, detail: string, now: Instant, policy: Policy): OnDemandStep {
  const problem: AgentProblem = { code: 'start-failed', detail };
  if (state.tasks.length > 0) return fail(state, 'refused', problem, now);
  const step = stopped(state, { reason: 'exited', problem, startFailed: true }, now, policy);
  return { ...step, effects: [{ type: 'start-measured', result: 'refused', took: elapsed(state.since, now) }, ...step.effects] };
}

function fail(state: Starting, result: 'timeout' | 'exited' | 'refused', problem: AgentProblem, now: Instant): OnDemandStep {
  const reason = result === 'timeout' ? 'startup-timeout' : 'exited';
  const step = stop(state, { reason, problem, startFailed: true }, now);
  return { ...step, effects: [{ type: 'start-measured', result, took: elapsed(state.since, now) }, ...step.effects] };
}

function timeoutDetail(state: Starting): string {
  const running = state.tasks.filter((task) => task.state === 'running').length;
  const what = running === 0 ? 'no task came to run' : `${running} running, none passed its health check`;
  return state.whyNot === null ? what : `${what}: ${state.whyNot}`;
}
