import { unreachable } from '../../std/assert.ts';
import { type Instant, after, millisOf } from '../../std/time.ts';
import type { AgentEvent } from './event.ts';
import { type OnDemandStep, gone, stay, wakeSaid } from './moves.ts';
import { type Policy, STOP_TIMEOUT, backoff } from './policy.ts';
import type { Stopping } from './state.ts';

/** Stopping: left by one door only, when the engine lists nothing of it any more. */
export function fromStopping(state: Stopping, event: AgentEvent, now: Instant, policy: Policy): OnDemandStep {
  switch (event.type) {
    case 'wanted':
      // Remembered, not obeyed: the old copy must be gone first. Nobody has to ask again (promise C).
      if (state.wake !== null || state.next === 'restart' || policy.keep === 'asleep') return stay(state);
      return stay({ ...state, wake: event.cause }, wakeSaid(event.cause));
    case 'observed':
      return event.tasks.length === 0 && event.wanted === 0 ? gone(state, now, policy) : stay(state);
    case 'sleep-ordered':
      return stay({ ...state, next: 'sleep', wake: null });
    case 'order-failed': {
      if (event.order !== 'scale') return stay(state);
      const problem = { code: event.refused ? 'stop-failed' : 'engine-unavailable', detail: event.detail } as const;
      return stay({ ...state, problem, deadline: after(now, millisOf(Math.min(backoff(state.orders), STOP_TIMEOUT))) });
    }
    case 'due':
      if (now < state.deadline) return stay(state);
      // The engine never said that it is gone: the order or its answer was lost, or somebody scaled it up again meanwhile.
      return stay({ ...state, orders: state.orders + 1, deadline: after(now, STOP_TIMEOUT) }, { type: 'scale', replicas: 0 });
    case 'busy':
      return stay({ ...state, busy: true });
    case 'quiet':
      return stay({ ...state, busy: false });
    case 'lingers':
      return stay({ ...state, lingering: event.open });
    case 'probed':
    case 'evict':
    case 'placed':
    case 'unwanted':
    case 'froze':
    case 'thawed':
      return stay(state);
    default:
      return unreachable(event);
  }
}
