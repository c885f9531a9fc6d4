import type { AgentProblemCode } from '../../contract/problems.ts';
import type { SleepReason, WakeCause } from '../../contract/events.ts';
import type { Instant } from '../../std/time.ts';
import type { Tasks } from './tasks.ts';

/**
 * The life of an agent as data. Deadlines are fields, not timers: nothing can go stale, and a state that is compared, stored
 * or replayed is whole. Written by `step` alone.
 */
export interface AgentProblem {
  readonly code: AgentProblemCode;
  readonly detail: string;
}

interface OnDemand {
  readonly policy: 'on-demand';
  /** When it entered the state. */
  readonly since: Instant;
  /**
   * There is work. Kept in every state, also where none should be: work that was cut takes a while to end, and the agent may
   * be up again by then. A life that began with a wrong idea of it would put the agent to sleep under the next request.
   */
  readonly busy: boolean;
  /** Something is open that does not hold it awake. It may be cut, but not frozen. */
  readonly lingering: boolean;
}

/** A wake that waits for one of max_ready_agents places, first come first served, and not for ever. `placed` answers it. */
export interface Seeking {
  readonly since: Instant;
  readonly until: Instant;
}

/** Nothing runs. A wake that may not start yet (backoff, cooldown) is remembered in `wake` until `notBefore`. */
export interface Sleeping extends OnDemand {
  readonly name: 'sleeping';
  /** Failed starts in a row. */
  readonly attempts: number;
  readonly notBefore: Instant | null;
  readonly wake: WakeCause | null;
  readonly seeking: Seeking | null;
  readonly problem: AgentProblem | null;
}

/** Tasks were ordered (or seen, when somebody else started them) and none is healthy yet. */
export interface Starting extends OnDemand {
  readonly name: 'starting';
  readonly deadline: Instant;
  readonly attempts: number;
  /** `adopted`: somebody else started it. `replaced`: the engine replaces tasks that ended by themselves. */
  readonly cause: WakeCause | 'restart' | 'adopted' | 'replaced';
  /** Why nothing runs yet, as the engine said last. */
  readonly whyNot: string | null;
  readonly tasks: Tasks;
}

/** Common to the states in which tasks are up. */
interface Up extends OnDemand {
  /** When it became ready; a sleep that was called off and a thaw begin no new life. */
  readonly awakeSince: Instant;
  /** End of the last work; counts only while not busy. */
  readonly lastActivity: Instant;
  /** A freeze has failed, and nobody has called since: it is not tried again. */
  readonly freezeFailed: boolean;
  readonly tasks: Tasks;
}

/** At least one task is healthy; requests go through. */
export interface Ready extends Up {
  readonly name: 'ready';
}

/**
 * Idle and stopped where it is: memory kept, no CPU. `freezing` and `thawing` are orders that the engine has not answered.
 * Whoever calls meanwhile waits, and so does a sleep: a frozen agent is thawed first, to be told of its end.
 */
export interface Frozen extends Up {
  readonly name: 'frozen';
  readonly phase: 'freezing' | 'frozen' | 'thawing';
  /** What comes after the thaw, once there is to be one: back to work, or draining for this reason. */
  readonly then: 'ready' | 'idle' | 'evicted' | 'admin' | null;
  /** When the phase began. */
  readonly phaseSince: Instant;
  /** When the order to thaw is given (again); no matter while `frozen`. */
  readonly deadline: Instant;
  /** Orders to thaw that were given. */
  readonly orders: number;
}

/**
 * About to stop, waiting for quiet. By `idle` and `evicted` a call turns it back; by `admin` and for a `restart` new work is
 * kept out.
 */
export interface Draining extends Up {
  readonly name: 'draining';
  readonly reason: 'idle' | 'evicted' | 'admin' | 'restart';
}

/** Whether a call, or work that begins after all, turns the sleep back. */
export const isTurnedBackByWork = ({ reason }: Draining): boolean => reason === 'idle' || reason === 'evicted';

/** Whether a call orders a wake: the agent is not up nor on its way, and nobody has called for it yet. */
export function ordersWake(state: AgentState): boolean {
  if (state.policy !== 'on-demand' || !('wake' in state)) return false;
  return state.wake === null && !(state.name === 'stopping' && state.next === 'restart');
}

/** Told to stop. Left only when nothing of it is left, because two copies beside each other lose data. */
export interface Stopping extends OnDemand {
  readonly name: 'stopping';
  /** When the order is given again. */
  readonly deadline: Instant;
  readonly reason: SleepReason;
  readonly next: 'sleep' | 'restart';
  /** Somebody called meanwhile: start again as soon as it is gone. */
  readonly wake: WakeCause | null;
  readonly attempts: number;
  /** The start that led here failed: the next one waits. */
  readonly startFailed: boolean;
  readonly problem: AgentProblem | null;
  /** Orders to stop that were given. */
  readonly orders: number;
}

/** Asleep after max_restart_attempts failed starts in a row. The first call after `notBefore` tries again. */
export interface Degraded extends OnDemand {
  readonly name: 'degraded';
  readonly attempts: number;
  readonly notBefore: Instant;
  readonly wake: WakeCause | null;
  readonly seeking: Seeking | null;
  readonly problem: AgentProblem;
}

export type OnDemandState = Sleeping | Starting | Ready | Frozen | Draining | Stopping | Degraded;

/** An agent that is not ours to start or stop: always-on ones are watched, unmanaged ones only routed. */
export interface Running {
  readonly policy: 'always-on' | 'unmanaged';
  readonly name: 'running';
  readonly since: Instant;
  /** Until when an always-on agent must have shown a healthy task; null once it has, and for unmanaged ones. */
  readonly deadline: Instant | null;
  /** Why nothing runs, as the engine said last. */
  readonly whyNot: string | null;
  readonly tasks: Tasks;
}
export interface RunningDegraded {
  readonly policy: 'always-on';
  readonly name: 'degraded';
  readonly since: Instant;
  readonly tasks: Tasks;
  readonly problem: AgentProblem;
}
export type WatchedState = Running | RunningDegraded;

export type AgentState = OnDemandState | WatchedState;

export const asleep = (since: Instant): Sleeping => ({
  policy: 'on-demand',
  name: 'sleeping',
  since,
  busy: false,
  lingering: false,
  attempts: 0,
  notBefore: null,
  wake: null,
  seeking: null,
  problem: null,
});

/** The tasks that the state knows of; none where none should run. */
export function tasksOf(state: AgentState): Tasks {
  return 'tasks' in state ? state.tasks : [];
}

export function problemOf(state: AgentState): AgentProblem | null {
  return 'problem' in state ? state.problem : null;
}
