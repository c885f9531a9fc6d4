import { unreachable } from '../../std/assert.ts';
import { type Instant, after, elapsed, millisOf } from '../../std/time.ts';
import type { AgentEvent, Sighting } from './event.ts';
import { type OnDemandStep, announce, drain, keepServing, lostAllTasks, stay, stop, stoppedByOthers } from './moves.ts';
import { FREEZE_TIMEOUT, type Policy, backoff } from './policy.ts';
import type { Degraded, Frozen, Ready, Sleeping } from './state.ts';
import { type Tasks, canBeChecked, mergeTasks } from './tasks.ts';

/**
 * Frozen: idle, and stopped where it is. Everything that wants it to move, a call as well as a sleep, first thaws it. What it
 * is thawed for is kept in `then`, and a call outweighs an idle sleep: nobody who waits for the thaw is left behind by it.
 */
export function fromFrozen(state: Frozen, event: AgentEvent, now: Instant, policy: Policy): OnDemandStep {
  switch (event.type) {
    case 'wanted':
      if (policy.keep === 'asleep' || (state.then === 'admin' && !event.admin)) return stay(state);
      return thaw(state, 'ready', now);
    case 'busy':
      return thaw({ ...state, busy: true }, state.then === 'admin' ? 'admin' : 'ready', now);
    case 'quiet':
      return stay({ ...state, busy: false, lastActivity: event.lastActivity });
    case 'lingers':
      return stay({ ...state, lingering: event.open });
    case 'evict':
      return state.then === null && isEvictable(state, now, policy) ? thaw(state, 'evicted', now) : stay(state);
    case 'sleep-ordered':
      return event.force ? stop(state, { reason: 'admin' }, now) : thaw(state, 'admin', now);
    case 'froze':
      return froze(state, now);
    case 'thawed':
      return thawed(state, now, policy);
    case 'order-failed':
      return orderFailed(state, event, now, policy);
    case 'observed':
      return observed(state, event, now, policy);
    case 'due':
      return due(state, now, policy);
    case 'probed':
    case 'placed':
    case 'unwanted':
      // A check that was under way when it was frozen says nothing of its health.
      return stay(state);
    default:
      return unreachable(event);
  }
}

/** A ready agent goes to ice. The order is answered by `froze`, or by `order-failed`. */
export function freeze(from: Ready, now: Instant): OnDemandStep {
  const state: Frozen = {
    ...from,
    name: 'frozen',
    since: now,
    phase: 'freezing',
    then: null,
    phaseSince: now,
    deadline: after(now, FREEZE_TIMEOUT),
    orders: 0,
  };
  return { state, effects: [{ type: 'freeze' }] };
}

/** What an earlier daemon froze. Only what had passed its check was ever frozen. Null where it is not frozen as a whole. */
export function adoptFrozen(from: Sleeping | Degraded, tasks: Tasks, now: Instant): OnDemandStep | null {
  const running = tasks.filter(canBeChecked);
  if (running.length === 0 || running.length < tasks.length || !running.every(({ frozen }) => frozen)) return null;
  const state: Frozen = {
    policy: 'on-demand',
    name: 'frozen',
    since: now,
    busy: from.busy,
    lingering: from.lingering,
    awakeSince: now,
    lastActivity: now,
    freezeFailed: false,
    tasks: tasks.map((task) => ({ ...task, health: 'healthy' })),
    phase: 'frozen',
    then: null,
    phaseSince: now,
    deadline: now,
    orders: 0,
  };
  const said = announce({ type: 'agent.frozen', from: from.name, to: 'frozen' });
  // Somebody has called before it was known what there is.
  if (from.busy || from.wake !== null) {
    const step = thaw(state, 'ready', now);
    return { ...step, effects: [said, ...step.effects] };
  }
  return stay(state, said);
}

/** Frozen or ready: whether its place may be given to somebody else now. */
export function isEvictable(state: Frozen | Ready, now: Instant, policy: Policy): boolean {
  const since = after(state.awakeSince, policy.minAwake);
  return !state.busy && !policy.pinned && policy.keep !== 'awake' && now >= since;
}

function thaw(state: Frozen, then: Frozen['then'], now: Instant): OnDemandStep {
  // While it is being frozen nothing can be ordered: `froze` brings it back here.
  if (state.phase !== 'frozen') return stay({ ...state, then });
  return orderThaw({ ...state, then, phaseSince: now, orders: 0 }, now);
}

function orderThaw(state: Frozen, now: Instant): OnDemandStep {
  const orders = state.orders + 1;
  return { state: { ...state, phase: 'thawing', deadline: after(now, FREEZE_TIMEOUT), orders }, effects: [{ type: 'thaw' }] };
}

function froze(state: Frozen, now: Instant): OnDemandStep {
  if (state.phase !== 'freezing') return stay(state);
  const said = announce({ type: 'agent.frozen', from: 'ready', to: 'frozen' });
  const frozen: Frozen = { ...state, phase: 'frozen', phaseSince: now };
  if (state.then === null) return stay(frozen, said);
  const step = thaw(frozen, state.then, now);
  return { ...step, effects: [said, ...step.effects] };
}

function thawed(state: Frozen, now: Instant, policy: Policy): OnDemandStep {
  if (state.phase !== 'thawing') return stay(state);
  const facts = { ms: Math.round(elapsed(state.phaseSince, now)) };
  const awake = back(state, now);
  const { then } = state;
  const isFree = !state.busy && policy.keep !== 'awake';
  if (then === 'admin' || ((then === 'idle' || then === 'evicted') && isFree)) {
    const step = drain(awake, then, now, 'frozen');
    // The way from frozen to draining is told by the announcement of that.
    return { ...step, effects: [announce({ type: 'agent.thawed', facts }), ...step.effects] };
  }
  const step = keepServing(awake, now, policy);
  return { ...step, effects: [announce({ type: 'agent.thawed', from: 'frozen', to: 'ready', facts }), ...step.effects] };
}

function orderFailed(
  state: Frozen,
  failure: Extract<AgentEvent, { type: 'order-failed' }>,
  now: Instant,
  policy: Policy,
): OnDemandStep {
  if (failure.order === 'freeze' && state.phase === 'freezing') {
    // The engine may have carried it out all the same: only a thaw makes sure.
    if (!failure.refused) return orderThaw({ ...state, then: state.then ?? 'ready', freezeFailed: true, phaseSince: now }, now);
    const awake: Ready = { ...back(state, now), freezeFailed: true };
    return state.then === 'admin' ? drain(awake, 'admin', now, 'frozen') : keepServing(awake, now, policy);
  }
  if (failure.order !== 'thaw' || state.phase !== 'thawing') return stay(state);
  if (!failure.refused)
    return stay({ ...state, deadline: after(now, millisOf(Math.min(backoff(state.orders), FREEZE_TIMEOUT))) });
  const next = state.then === 'ready' ? 'restart' : 'sleep';
  return stop(state, { reason: 'exited', next, problem: { code: 'thaw-failed', detail: failure.detail } }, now);
}

function observed(state: Frozen, seen: Sighting, now: Instant, policy: Policy): OnDemandStep {
  const tasks = mergeTasks(state.tasks, seen.tasks);
  if (seen.wanted === 0) return stoppedByOthers(state, seen, now, policy);
  // Whoever waits for the thaw is served by the next start.
  if (tasks.length === 0 && !seen.converging) return lostAllTasks(state, seen, state.then === 'ready' ? 'restart' : 'sleep', now);
  const next = { ...state, tasks };
  // Somebody else has thawed it, or the engine has replaced a task that died.
  if (state.phase === 'frozen' && tasks.some((task) => canBeChecked(task) && !task.frozen)) return thaw(next, 'ready', now);
  return stay(next);
}

function due(state: Frozen, now: Instant, policy: Policy): OnDemandStep {
  if (state.phase !== 'frozen') {
    // An order that was never answered. To thaw is right in any case.
    return now < state.deadline ? stay(state) : orderThaw({ ...state, then: state.then ?? 'ready' }, now);
  }
  if (policy.keep === 'asleep') return thaw(state, 'admin', now);
  if (policy.keep === 'awake' || policy.freezeAfter === null) return thaw(state, 'ready', now);
  return now < after(state.lastActivity, policy.idleTimeout) ? stay(state) : thaw(state, 'idle', now);
}

/** As it was before it was frozen. Its lastActivity stays: to be thawed is no activity. */
function back(state: Frozen, now: Instant): Ready {
  const { busy, lingering, awakeSince, lastActivity, freezeFailed, tasks } = state;
  return {
    policy: 'on-demand',
    name: 'ready',
    since: now,
    busy,
    lingering,
    awakeSince,
    lastActivity,
    freezeFailed,
    tasks: tasks.map((task) => ({ ...task, frozen: false })),
  };
}
