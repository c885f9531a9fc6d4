import { unreachable } from '../../std/assert.ts';
import { type Instant, after } from '../../std/time.ts';
import type { WakeCause } from '../../contract/events.ts';
import type { AgentEvent, Sighting } from './event.ts';
import { adoptFrozen } from './frozen.ts';
import { type OnDemandStep, start, stay, stop, wakeSaid } from './moves.ts';
import type { Policy } from './policy.ts';
import type { Degraded, Sleeping, Starting } from './state.ts';
import { mergeTasks } from './tasks.ts';

/**
 * Sleeping and degraded: nothing runs. They differ in how long a wake waits and in what an operator is told, not in what
 * can happen to them, so both take the same steps. A wake waits for its backoff first and for a place after that: whoever
 * may not start yet must not keep a place from somebody who may.
 */
export function fromAsleep(state: Sleeping | Degraded, event: AgentEvent, now: Instant, policy: Policy): OnDemandStep {
  switch (event.type) {
    case 'wanted': {
      if (policy.keep === 'asleep') return stay(state);
      const said = state.wake === null ? [wakeSaid(event.cause)] : [];
      // An operator's wake is not taken back when those leave who wait for theirs.
      const cause = event.admin ? event.cause : (state.wake ?? event.cause);
      // The backoff keeps callers from hammering at an agent that cannot start; an operator has just mended it. The
      // cooldown holds for both: it is the operator's own wish.
      const overridden = event.admin && state.attempts > 0;
      if (mustWait(state, now) && !overridden) return stay({ ...state, wake: cause }, ...said);
      const step = goUp(state, cause, now, policy);
      return { ...step, effects: [...said, ...step.effects] };
    }
    case 'placed': {
      const wake = wakeOf(state, policy);
      return state.seeking === null || wake === null ? stay(state) : start(state, wake, now, policy);
    }
    case 'unwanted':
      // A wake that is on its way is not taken back: what was said to callers who did not wait would not be true any more.
      return state.seeking === null || wakeOf(state, policy) === 'api'
        ? stay(state)
        : stay({ ...state, wake: null, seeking: null });
    case 'due':
      return due(state, now, policy);
    case 'observed':
      return found(state, event, now, policy);
    case 'sleep-ordered':
      // Whoever called before the operator's order is not served any more; who calls after it wakes it again.
      return stay({ ...state, wake: null, seeking: null });
    case 'busy':
      return stay({ ...state, busy: true });
    case 'quiet':
      return stay({ ...state, busy: false });
    case 'lingers':
      return stay({ ...state, lingering: event.open });
    case 'probed':
    case 'order-failed':
    case 'froze':
    case 'thawed':
    case 'evict':
      // Left over from the life before.
      return stay(state);
    default:
      return unreachable(event);
  }
}

/** What it is to be woken for: somebody called, or the operator keeps it awake. Kept asleep, for nothing. */
export const wakeOf = ({ wake }: Sleeping | Degraded, { keep }: Policy): WakeCause | null =>
  keep === 'asleep' ? null : (wake ?? (keep === 'awake' ? 'api' : null));

/** It remembers what nobody wants any more: a wake from before it was kept asleep, a place sought for as long as it was kept awake. */
export const isToForget = (state: Sleeping | Degraded, policy: Policy): boolean =>
  wakeOf(state, policy) === null && (state.wake !== null || state.seeking !== null);

const mustWait = ({ notBefore }: Sleeping | Degraded, now: Instant): boolean => notBefore !== null && now < notBefore;

function due(state: Sleeping | Degraded, now: Instant, policy: Policy): OnDemandStep {
  if (isToForget(state, policy)) return stay({ ...state, wake: null, seeking: null });
  const wake = wakeOf(state, policy);
  if (wake === null || mustWait(state, now)) return stay(state);
  // What it is kept awake for is not remembered as a wake: the operator's word is asked each time.
  if (state.seeking === null) return policy.capped ? seek(state, now, policy) : start(state, wake, now, policy);
  if (now < state.seeking.until) return stay(state);
  // Nobody has to wait for ever, but an operator's standing order does; and those who are held have a time of their own.
  if (policy.keep === 'awake' || state.busy) return seek(state, now, policy);
  return stay({ ...state, wake: null, seeking: null });
}

/** At once, or as soon as there is a place for it. */
function goUp(state: Sleeping | Degraded, cause: WakeCause, now: Instant, policy: Policy): OnDemandStep {
  return policy.capped ? seek({ ...state, wake: cause }, now, policy) : start(state, cause, now, policy);
}

/** Its turn among those who seek is that of when it began. */
function seek(state: Sleeping | Degraded, now: Instant, policy: Policy): OnDemandStep {
  return stay({ ...state, seeking: { since: state.seeking?.since ?? now, until: after(now, policy.seekTimeout) } });
}

/** Tasks that we did not start: an operator scaled by hand, or an earlier daemon left them awake. Ours from now on. */
function found(state: Sleeping | Degraded, seen: Sighting, now: Instant, policy: Policy): OnDemandStep {
  const tasks = mergeTasks([], seen.tasks);
  if (seen.wanted > 0) {
    const step = adoptFrozen(state, tasks, now) ?? start(state, 'adopted', now, policy, tasks);
    // An earlier daemon ended half way through freezing it: what is frozen would never pass a check.
    const isHalf = step.state.name === 'starting' && tasks.some(({ frozen }) => frozen);
    return isHalf ? { ...step, effects: [...step.effects, { type: 'thaw' }] } : step;
  }
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
    lingering: state.lingering,
    whyNot: null,
    tasks,
  };
  const step = stop(ending, { reason: 'external', problem: state.problem }, now);
  return { ...step, state: { ...step.state, wake: state.wake } as typeof step.state };
}
