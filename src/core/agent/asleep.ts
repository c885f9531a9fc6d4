import { unreachable } from '../../std/assert.ts';
import { type Instant, after } from '../../std/time.ts';
import type { AgentEvent, Sighting } from './event.ts';
import { type OnDemandStep, start, stay, stop, wakeSaid } from './moves.ts';
import type { Policy } from './policy.ts';
import type { Degraded, Sleeping, Starting } from './state.ts';
import { mergeTasks } from './tasks.ts';

/**
 * Sleeping and degraded: nothing runs. They differ in how long a wake waits and in what an operator is told, not in what
 * can happen to them, so both take the same steps.
 */
export function fromAsleep(state: Sleeping | Degraded, event: AgentEvent, now: Instant, policy: Policy): OnDemandStep {
  switch (event.type) {
    case 'wanted': {
      const said = state.wake === null ? [wakeSaid(event.cause)] : [];
      const wait = state.notBefore !== null && now < state.notBefore;
      // The backoff keeps callers from hammering at an agent that cannot start; an operator has just mended it. The
      // cooldown holds for both: it is the operator's own wish.
      const overridden = event.admin && state.attempts > 0;
      if (wait && !overridden) return stay({ ...state, wake: state.wake ?? event.cause }, ...said);
      const step = start(state, state.wake ?? event.cause, now, policy);
      return { ...step, effects: [...said, ...step.effects] };
    }
    case 'due':
      return state.wake === null || (state.notBefore !== null && now < state.notBefore)
        ? stay(state)
        : start(state, state.wake, now, policy);
    case 'observed':
      return found(state, event, now, policy);
    case 'sleep-ordered':
      // Whoever called before the operator's order is not served any more; who calls after it wakes it again.
      return stay({ ...state, wake: null });
    case 'busy':
      return stay({ ...state, busy: true });
    case 'quiet':
      return stay({ ...state, busy: false });
    case 'probed':
    case 'order-failed':
      // Left over from the life before.
      return stay(state);
    default:
      return unreachable(event);
  }
}

/** Tasks that we did not start: an operator scaled by hand, or an earlier daemon left them awake. Ours from now on. */
function found(state: Sleeping | Degraded, seen: Sighting, now: Instant, policy: Policy): OnDemandStep {
  const tasks = mergeTasks([], seen.tasks);
  if (seen.wanted > 0) return start(state, 'adopted', now, policy, tasks);
  if (seen.tasks.length === 0) return stay(state);
  // On its way out. A start now would put a second copy beside it.
  const ending: Starting = {
    policy: 'on-demand',
    name: 'starting',
    since: now,
    deadline: after(now, policy.startupTimeout),
    attempts: state.attempts,
    cause: 'adopted',
    busy: state.busy,
    whyNot: null,
    tasks,
  };
  const step = stop(ending, { reason: 'external', problem: state.problem }, now);
  return { ...step, state: { ...step.state, wake: state.wake } as typeof step.state };
}
