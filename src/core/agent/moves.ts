import type { AgentStateName, SleepReason, WakeCause } from '../../contract/events.ts';
import { type Instant, after, elapsed } from '../../std/time.ts';
import { type AgentEffect, type AgentEvent, type Announcement, type Sighting, type Step, whyNot } from './event.ts';
import { type Policy, STOP_TIMEOUT, backoff } from './policy.ts';
import type { AgentProblem, Draining, Frozen, OnDemandState, Ready, Starting, Stopping } from './state.ts';
import { type Tasks, servesTraffic } from './tasks.ts';

/**
 * The moves between on-demand states: each builds the whole new state and orders everything that entering it takes, so that
 * no path into a state can forget, say, to purge its routes.
 */
export type OnDemandStep = Step<OnDemandState>;

export const stay = (state: OnDemandState, ...effects: readonly AgentEffect[]): OnDemandStep => ({ state, effects });

export const announce = (event: Announcement): AgentEffect => ({ type: 'announce', event });

/** With `found` tasks are there or on their way already: nothing is ordered. */
export function start(
  from: OnDemandState,
  cause: Starting['cause'],
  now: Instant,
  policy: Policy,
  found: Tasks | null = null,
): OnDemandStep {
  const attempts = 'attempts' in from ? from.attempts : 0;
  const state: Starting = {
    policy: 'on-demand',
    name: 'starting',
    since: now,
    deadline: after(now, policy.startupTimeout),
    attempts,
    cause,
    busy: from.busy,
    lingering: from.lingering,
    whyNot: null,
    tasks: found ?? [],
  };
  const effects: AgentEffect[] = [
    { type: 'purge-routes', because: 'starting' },
    announce({ type: 'agent.starting', from: from.name, to: 'starting', facts: { cause } }),
  ];
  if (found === null) effects.push({ type: 'scale', replicas: policy.replicas });
  return { state, effects };
}

export function becomeReady(from: Starting, tasks: Tasks, now: Instant, policy: Policy): OnDemandStep {
  const took = elapsed(from.since, now);
  const { busy, lingering } = from;
  const state: Ready = {
    policy: 'on-demand',
    name: 'ready',
    since: now,
    busy,
    lingering,
    awakeSince: now,
    lastActivity: now,
    freezeFailed: false,
    tasks,
  };
  const effects: AgentEffect[] = [
    // What somebody else started began at a time that is not known: it measures nothing.
    ...(from.cause === 'adopted' || from.cause === 'replaced'
      ? []
      : [{ type: 'start-measured', result: 'ready', took } as const]),
    announce({ type: 'agent.ready', from: 'starting', to: 'ready', facts: { ms: Math.round(took) } }),
  ];
  if (from.attempts >= policy.maxRestartAttempts) effects.push(announce({ type: 'agent.recovered' }));
  return { state, effects };
}

export function drain(from: Ready, reason: Draining['reason'], now: Instant, left: AgentStateName = 'ready'): OnDemandStep {
  const state: Draining = { ...from, name: 'draining', since: now, reason };
  return { state, effects: [announce({ type: 'agent.draining', from: left, to: 'draining', facts: { reason } })] };
}

/**
 * Ready means that somebody serves. If nobody does any more, it is a restart when all that run are ill, and a start when
 * others are left or on their way: nobody may be sent to them before one passes its check (promise H). What drains lets
 * nobody in anyway, and must not forget what it drains for.
 */
export function keepServing(state: Ready, now: Instant, policy: Policy): OnDemandStep {
  if (state.tasks.some(servesTraffic)) return stay(state);
  return allIll(state.tasks) ? drain(state, 'restart', now) : start(state, 'replaced', now, policy, state.tasks);
}

/** Its last task ended by itself, and the engine brings no other. */
export function lostAllTasks(from: Up, seen: Sighting, next: Stopping['next'], now: Instant): OnDemandStep {
  const problem: AgentProblem = { code: 'exited', detail: whyNot(seen, null) ?? 'its last task ended' };
  return stop(from, { reason: 'exited', next, problem }, now);
}

type Up = Ready | Frozen | Draining;

interface StopOrder {
  readonly reason: SleepReason;
  readonly next?: Stopping['next'];
  readonly problem?: AgentProblem | null;
  /** Set when a start failed: it counts as an attempt. */
  readonly startFailed?: boolean;
}

/**
 * The order to stop. What is still open at this point may go: it was quiet, or forced, or had its time. The cut comes before
 * the order, so that a WebSocket gets its Close while the task can still take the answer.
 */
export function stop(from: Starting | Up, order: StopOrder, now: Instant): OnDemandStep {
  return { state: leaving(from, order, now), effects: [...LETS_GO, { type: 'scale', replicas: 0 }] };
}

/**
 * As {@link stop}, where nothing is wanted and nothing is left: it is asleep at once. An order would change nothing, and where
 * the service itself was removed it would fail for as long as it is given.
 */
export function stopped(from: Starting | Up, order: StopOrder, now: Instant, policy: Policy): OnDemandStep {
  const { state, effects } = gone(leaving(from, order, now), now, policy, from.name);
  const cuts = effects.some(({ type }) => type === 'cut');
  return { state, effects: [...(cuts ? [PURGE] : LETS_GO), ...effects] };
}

/** Somebody else has scaled it to 0. What is open was not ours to end, and is served for as long as its task lives. */
export function stoppedByOthers(from: Starting | Up, seen: Sighting, now: Instant, policy: Policy): OnDemandStep {
  const order: StopOrder = { reason: 'external' };
  if (seen.tasks.length === 0) return stopped(from, order, now, policy);
  return { state: leaving(from, order, now), effects: [PURGE, { type: 'scale', replicas: 0 }] };
}

const PURGE: AgentEffect = { type: 'purge-routes', because: 'stopping' };
const LETS_GO: readonly AgentEffect[] = [PURGE, { type: 'cut' }];

function leaving(from: Starting | Up, order: StopOrder, now: Instant): Stopping {
  const failedBefore = from.name === 'starting' ? from.attempts : 0;
  return {
    policy: 'on-demand',
    name: 'stopping',
    since: now,
    busy: from.busy,
    lingering: from.lingering,
    deadline: after(now, STOP_TIMEOUT),
    reason: order.reason,
    next: order.next ?? 'sleep',
    wake: null,
    attempts: failedBefore + (order.startFailed === true ? 1 : 0),
    startFailed: order.startFailed === true,
    problem: order.problem ?? null,
    orders: 1,
  };
}

/** Nothing of it is left. Where it goes from `left`: up again, asleep, or degraded after too many failed starts. */
export function gone(from: Stopping, now: Instant, policy: Policy, left: AgentStateName = 'stopping'): OnDemandStep {
  if (from.next === 'restart' && policy.keep !== 'asleep') return start(from, 'restart', now, policy);
  // Whatever kept it from being stopped, it is gone.
  const known = from.problem?.code === 'stop-failed' ? null : from.problem;
  const slept = announce({ type: 'agent.sleep', from: left, to: 'sleeping', facts: { reason: from.reason } });
  if (from.startFailed && from.attempts >= policy.maxRestartAttempts) {
    const problem = known ?? { code: 'exited', detail: 'it did not start' };
    return {
      state: {
        policy: 'on-demand',
        name: 'degraded',
        since: now,
        busy: from.busy,
        lingering: from.lingering,
        attempts: from.attempts,
        notBefore: after(now, backoff(from.attempts)),
        wake: from.wake,
        seeking: null,
        problem,
      },
      effects: [
        { type: 'purge-routes', because: 'degraded' },
        announce({ type: 'agent.sleep', from: left, to: 'degraded', facts: { reason: from.reason } }),
        ...(from.attempts === policy.maxRestartAttempts
          ? [announce({ type: 'restart.exhausted', facts: { attempts: from.attempts } })]
          : []),
        announce({ type: 'agent.degraded', from: left, to: 'degraded', facts: { problem: problem.code } }),
      ],
    };
  }
  const wait = Math.max(from.startFailed ? backoff(from.attempts) : 0, policy.wakeCooldown);
  return {
    state: {
      policy: 'on-demand',
      name: 'sleeping',
      since: now,
      busy: from.busy,
      lingering: from.lingering,
      attempts: from.attempts,
      notBefore: wait > 0 ? ((now + wait) as Instant) : null,
      wake: from.wake,
      seeking: null,
      problem: known,
    },
    // Nobody has cut what was open when others stopped it, and it leads nowhere now.
    effects: from.reason === 'external' ? [{ type: 'cut' }, slept] : [slept],
  };
}

/** The words that every announcement of a wake takes. Said once for each wake, however many ask for it. */
export const wakeSaid = (cause: WakeCause): AgentEffect => announce({ type: 'agent.wake', facts: { cause } });

/** Whether the whole agent is ill: its tasks run, none is on its way, and every one of them fails its checks. */
export function allIll(tasks: Tasks): boolean {
  const here = tasks.filter((task) => task.state !== 'ending');
  return here.length > 0 && here.every((task) => task.state === 'running' && task.health === 'unhealthy');
}

/** What is said of a failed check. A task that has never passed one is booting, and of that nothing is said. */
export function healthSaid(tasks: Tasks, check: Extract<AgentEvent, { type: 'probed' }>): readonly AgentEffect[] {
  const task = tasks.find((other) => other.id === check.task);
  if (check.healthy || task === undefined || task.health === 'unknown') return [];
  return [announce({ type: 'agent.health_failed', facts: { task: task.id, failures: task.failures, detail: check.detail } })];
}
