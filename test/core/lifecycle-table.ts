import type { AgentEffect, AgentEvent, AgentEventType } from '../../src/core/agent/event.ts';
import type { AgentState } from '../../src/core/agent/state.ts';
import { instantOf } from '../../src/std/time.ts';
import {
  NOW,
  EARLIER,
  LATER,
  task,
  booting,
  failing,
  ill,
  problem,
  sleeping,
  degraded,
  starting,
  ready,
  draining,
  stopping,
  running,
  failingWatched,
  wanted,
  busy,
  quiet,
  sleep,
  due,
  probed,
  orderFailed,
  observed,
  obstructed,
  t1,
  t2,
  endingTask,
} from './lifecycle-parts.ts';

/**
 * The life cycle as a table, independent of the code that decides it: for every state and every event each case that differs,
 * with where it leads and what it orders. The types have no holes: a new state or event does not compile until its cells are
 * written. docs/lifecycle.md is made from this.
 */
export const STATE_KEYS = [
  'sleeping',
  'degraded',
  'starting',
  'ready',
  'draining',
  'stopping',
  'running',
  'running-degraded',
] as const;
export type StateKey = (typeof STATE_KEYS)[number];

export interface Case {
  /** The circumstance that makes this case differ; empty where there is only one. */
  readonly when: string;
  readonly state: AgentState;
  readonly event: AgentEvent;
  /** State name after the step. */
  readonly to: AgentState['name'];
  /** Effects in order; an announcement as the type of its event. */
  readonly orders: readonly string[];
}
export type Table = Readonly<Record<StateKey, Readonly<Record<AgentEventType, readonly [Case, ...Case[]]>>>>;

const row = (when: string, state: AgentState, event: AgentEvent, to: Case['to'], ...orders: readonly string[]): Case => ({
  when,
  state,
  event,
  to,
  orders,
});
const STARTS = ['purge-routes', 'agent.starting', 'scale 2'] as const;
const ADOPTS = ['purge-routes', 'agent.starting'] as const;
const STOPS = ['purge-routes', 'cut', 'scale 0'] as const;
const LEFT_TO_OTHERS = ['purge-routes', 'scale 0'] as const;
const IS_GONE = ['purge-routes', 'cut', 'agent.sleep'] as const;

// One case a line, to be read as a table.
// prettier-ignore
export const TABLE: Table = {
  sleeping: {
    wanted: [
      row('', sleeping(), wanted(), 'starting', 'agent.wake', ...STARTS),
      row('inside backoff or cooldown', sleeping({ attempts: 1, notBefore: LATER }), wanted(), 'sleeping', 'agent.wake'),
      row('inside, and already remembered', sleeping({ attempts: 1, notBefore: LATER, wake: 'upgrade' }), wanted(), 'sleeping'),
      row('inside backoff, by an operator', sleeping({ attempts: 1, notBefore: LATER }), wanted(true), 'starting', 'agent.wake', ...STARTS),
      row('inside cooldown, by an operator', sleeping({ notBefore: LATER }), wanted(true), 'sleeping', 'agent.wake'),
      row('backoff over', sleeping({ attempts: 1, notBefore: EARLIER }), wanted(), 'starting', 'agent.wake', ...STARTS),
    ],
    busy: [row('', sleeping(), busy, 'sleeping')],
    quiet: [row('', sleeping(), quiet, 'sleeping')],
    'sleep-ordered': [row('', sleeping({ wake: 'request', notBefore: LATER }), sleep(), 'sleeping')],
    observed: [
      row('nothing there', sleeping(), observed(0, []), 'sleeping'),
      row('tasks wanted by somebody else', sleeping(), observed(1, [t1]), 'starting', ...ADOPTS),
      row('wanted, none listed yet', sleeping(), observed(1, []), 'starting', ...ADOPTS),
      row('something stands in the way', sleeping(), obstructed(0), 'sleeping'),
      row('none wanted, some still ending', sleeping(), observed(0, [endingTask]), 'stopping', ...STOPS),
    ],
    probed: [row('', sleeping(), probed(true), 'sleeping')],
    'order-failed': [row('', sleeping(), orderFailed(true), 'sleeping')],
    due: [
      row('nobody called', sleeping({ notBefore: EARLIER }), due, 'sleeping'),
      row('a wake is remembered', sleeping({ wake: 'request', notBefore: NOW }), due, 'starting', ...STARTS),
      row('remembered, too early', sleeping({ wake: 'request', notBefore: LATER }), due, 'sleeping'),
    ],
  },
  degraded: {
    wanted: [
      row('backoff over', degraded(), wanted(), 'starting', 'agent.wake', ...STARTS),
      row('inside backoff', degraded({ notBefore: LATER }), wanted(), 'degraded', 'agent.wake'),
      row('inside backoff, by an operator', degraded({ notBefore: LATER }), wanted(true), 'starting', 'agent.wake', ...STARTS),
    ],
    busy: [row('', degraded(), busy, 'degraded')],
    quiet: [row('', degraded(), quiet, 'degraded')],
    'sleep-ordered': [row('', degraded({ wake: 'request' }), sleep(), 'degraded')],
    observed: [
      row('nothing there', degraded(), observed(0, []), 'degraded'),
      row('tasks wanted by somebody else', degraded(), observed(1, [t1]), 'starting', ...ADOPTS),
      row('none wanted, some still ending', degraded(), observed(0, [endingTask]), 'stopping', ...STOPS),
    ],
    probed: [row('', degraded(), probed(true), 'degraded')],
    'order-failed': [row('', degraded(), orderFailed(false), 'degraded')],
    due: [
      row('nobody called', degraded(), due, 'degraded'),
      row('a wake is remembered', degraded({ wake: 'request', notBefore: NOW }), due, 'starting', ...STARTS),
    ],
  },
  starting: {
    wanted: [row('', starting(), wanted(), 'starting')],
    busy: [row('', starting(), busy, 'starting')],
    quiet: [row('', starting({ busy: true }), quiet, 'starting')],
    'sleep-ordered': [row('', starting(), sleep(), 'stopping', ...STOPS), row('by force', starting(), sleep(true), 'stopping', ...STOPS)],
    observed: [
      row('more tasks', starting(), observed(2, [t1, t2]), 'starting'),
      row('none yet, but coming', starting({ tasks: [] }), observed(2, [], true), 'starting'),
      row('none left, none coming', starting(), observed(2, []), 'stopping', 'measured exited', ...STOPS),
      row('none yet, and something stands in the way', starting({ tasks: [] }), obstructed(2), 'stopping', 'measured refused', ...STOPS),
      row('some, though something stands in the way', starting(), obstructed(2, [t1]), 'starting'),
      row('scaled to 0 by somebody else', starting(), observed(0, [endingTask]), 'stopping', ...LEFT_TO_OTHERS),
      row('scaled to 0 by somebody else, and nothing is left', starting(), observed(0, []), 'sleeping', ...IS_GONE),
    ],
    probed: [
      row('passed', starting(), probed(true), 'ready', 'measured ready', 'agent.ready'),
      row('passed, after too many failed starts', starting({ attempts: 5 }), probed(true), 'ready', 'measured ready', 'agent.ready', 'agent.recovered'),
      row('passed, adopted', starting({ cause: 'adopted' }), probed(true), 'ready', 'agent.ready'),
      row('failed', starting(), probed(false), 'starting'),
      row('passed by a task that is gone', starting(), probed(true, 'gone'), 'starting'),
    ],
    'order-failed': [
      row('refused', starting({ tasks: [] }), orderFailed(true), 'sleeping', 'measured refused', ...IS_GONE),
      row('refused for the last of max_restart_attempts times', starting({ tasks: [], attempts: 4 }), orderFailed(true), 'degraded', 'measured refused', 'purge-routes', 'cut', 'purge-routes', 'agent.sleep', 'restart.exhausted', 'agent.degraded'),
      row('refused, though tasks are there', starting(), orderFailed(true), 'stopping', 'measured refused', ...STOPS),
      row('engine unavailable', starting({ tasks: [] }), orderFailed(false), 'stopping', ...STOPS),
    ],
    due: [
      row('at startup_timeout', starting({ deadline: NOW }), due, 'stopping', 'measured timeout', ...STOPS),
      row('too early', starting(), due, 'starting'),
    ],
  },
  ready: {
    wanted: [row('', ready(), wanted(), 'ready')],
    busy: [row('', ready(), busy, 'ready')],
    quiet: [row('', ready({ busy: true }), quiet, 'ready')],
    'sleep-ordered': [
      row('', ready({ busy: true }), sleep(), 'draining', 'agent.draining'),
      row('by force', ready({ busy: true }), sleep(true), 'stopping', ...STOPS),
    ],
    observed: [
      row('all well', ready(), observed(2, [t1, t2]), 'ready'),
      row('last task ended', ready(), observed(1, []), 'stopping', ...STOPS),
      row('last task ended, another is coming', ready(), observed(1, [], true), 'starting', ...ADOPTS),
      row('last healthy task ended, an ill one is left', ready({ tasks: [ill, t2] }), observed(2, [t1]), 'draining', 'agent.draining'),
      row('last healthy task ended, an unchecked one is left', ready(), observed(1, [t2]), 'starting', ...ADOPTS),
      row('scaled to 0 by somebody else', ready(), observed(0, [endingTask]), 'stopping', ...LEFT_TO_OTHERS),
      row('removed by somebody else, and nothing is left', ready(), obstructed(0), 'sleeping', ...IS_GONE),
      row('all well, though something stands in the way', ready(), obstructed(1, [t1]), 'ready'),
    ],
    probed: [
      row('passed', ready(), probed(true), 'ready'),
      row('failed', ready(), probed(false), 'ready', 'agent.health_failed'),
      row('failed max_failures times', ready({ tasks: [failing] }), probed(false), 'draining', 'agent.health_failed', 'agent.draining'),
      row('failed max_failures times, another has not been checked', ready({ tasks: [failing, task('t2', { health: 'unknown' })] }), probed(false), 'starting', 'agent.health_failed', ...ADOPTS),
      row('failed, another is well', ready({ tasks: [failing, t2] }), probed(false), 'ready', 'agent.health_failed'),
    ],
    'order-failed': [row('', ready(), orderFailed(false), 'ready')],
    due: [
      row('idle', ready({ lastActivity: EARLIER }), due, 'draining', 'agent.draining'),
      row('too early', ready({ lastActivity: NOW }), due, 'ready'),
      row('at work', ready({ busy: true }), due, 'ready'),
    ],
  },
  draining: {
    wanted: [
      row('by idleness', draining(), wanted(), 'ready', 'agent.ready'),
      row('by an operator', draining({ reason: 'admin', busy: true }), wanted(), 'draining'),
      row('by an operator, who takes it back', draining({ reason: 'admin', busy: true }), wanted(true), 'ready', 'agent.ready'),
      row('by an operator, who takes it back when nobody serves any more', draining({ reason: 'admin', busy: true, tasks: [booting] }), wanted(true), 'starting', 'agent.ready', ...ADOPTS),
      row('for a restart', draining({ reason: 'restart', busy: true }), wanted(), 'draining'),
    ],
    busy: [
      row('by idleness', draining(), busy, 'ready', 'agent.ready'),
      row('by an operator', draining({ reason: 'admin' }), busy, 'draining'),
    ],
    quiet: [row('', draining({ reason: 'admin', busy: true }), quiet, 'draining')],
    'sleep-ordered': [
      row('', draining({ reason: 'restart', busy: true }), sleep(), 'draining'),
      row('by force', draining({ reason: 'admin', busy: true }), sleep(true), 'stopping', ...STOPS),
    ],
    observed: [
      row('all well', draining({ reason: 'admin', busy: true }), observed(1, [t1]), 'draining'),
      row('last task ended', draining(), observed(1, []), 'stopping', ...STOPS),
      row('scaled to 0 by somebody else', draining(), observed(0, [endingTask]), 'stopping', ...LEFT_TO_OTHERS),
      row('scaled to 0 by somebody else, and nothing is left', draining(), observed(0, []), 'sleeping', ...IS_GONE),
    ],
    probed: [
      row('passed', draining(), probed(true), 'draining'),
      row('failed', draining(), probed(false), 'draining', 'agent.health_failed'),
    ],
    'order-failed': [row('', draining(), orderFailed(false), 'draining')],
    due: [
      row('quiet', draining(), due, 'stopping', ...STOPS),
      row('quiet, by an operator', draining({ reason: 'admin' }), due, 'stopping', ...STOPS),
      row('at work, before drain_timeout', draining({ reason: 'admin', busy: true }), due, 'draining'),
      row('at work at drain_timeout, by an operator', draining({ reason: 'admin', busy: true, since: instantOf(1) }), due, 'ready', 'agent.sleep_refused', 'agent.ready'),
      row('at work at drain_timeout, for a restart', draining({ reason: 'restart', busy: true, since: instantOf(1) }), due, 'stopping', ...STOPS),
      row('at work at drain_timeout, by idleness', draining({ busy: true, since: instantOf(1) }), due, 'ready', 'agent.ready'),
    ],
  },
  stopping: {
    wanted: [
      row('', stopping(), wanted(), 'stopping', 'agent.wake'),
      row('already remembered', stopping({ wake: 'request' }), wanted(), 'stopping'),
      row('for a restart', stopping({ next: 'restart' }), wanted(), 'stopping'),
    ],
    busy: [row('', stopping(), busy, 'stopping')],
    quiet: [row('', stopping(), quiet, 'stopping')],
    'sleep-ordered': [row('', stopping({ wake: 'request' }), sleep(), 'stopping')],
    observed: [
      row('gone', stopping(), observed(0, []), 'sleeping', 'agent.sleep'),
      row('gone, stopped by somebody else', stopping({ reason: 'external' }), observed(0, []), 'sleeping', 'cut', 'agent.sleep'),
      row('gone, for a restart', stopping({ next: 'restart' }), observed(0, []), 'starting', ...STARTS),
      row('gone after a failed start', stopping({ startFailed: true, attempts: 1, problem }), observed(0, []), 'sleeping', 'agent.sleep'),
      row('gone after max_restart_attempts of them', stopping({ startFailed: true, attempts: 5, problem }), observed(0, []), 'degraded', 'purge-routes', 'agent.sleep', 'restart.exhausted', 'agent.degraded'),
      row('gone after one more', stopping({ startFailed: true, attempts: 6, problem }), observed(0, []), 'degraded', 'purge-routes', 'agent.sleep', 'agent.degraded'),
      row('still there', stopping(), observed(0, [endingTask]), 'stopping'),
      row('scaled up by somebody else', stopping(), observed(1, []), 'stopping'),
    ],
    probed: [row('', stopping(), probed(true), 'stopping')],
    'order-failed': [row('', stopping(), orderFailed(false), 'stopping')],
    due: [
      row('the order had no effect', stopping({ deadline: NOW }), due, 'stopping', 'scale 0'),
      row('too early', stopping(), due, 'stopping'),
    ],
  },
  running: {
    wanted: [row('', running(), wanted(), 'running')],
    busy: [row('', running(), busy, 'running')],
    quiet: [row('', running(), quiet, 'running')],
    'sleep-ordered': [row('', running(), sleep(), 'running')],
    observed: [
      row('all well', running(), observed(1, [t1]), 'running'),
      row('first task', running({ tasks: [], deadline: LATER }), observed(1, [t1]), 'running'),
      row('last task ended', running(), observed(1, [], true), 'degraded', 'agent.degraded'),
      row('something stands in the way, and nobody serves', running({ tasks: [], deadline: LATER }), obstructed(1), 'degraded', 'agent.degraded'),
      row('something stands in the way, but somebody serves', running(), obstructed(1, [t1]), 'running'),
      row('unmanaged', running({ policy: 'unmanaged', tasks: [] }), observed(1, [t1]), 'running'),
    ],
    probed: [
      row('passed', running(), probed(true), 'running'),
      row('failed', running(), probed(false), 'running', 'agent.health_failed'),
      row('failed max_failures times', running({ tasks: [failing] }), probed(false), 'degraded', 'agent.health_failed', 'agent.degraded'),
    ],
    'order-failed': [row('', running(), orderFailed(true), 'running')],
    due: [
      row('never healthy by startup_timeout', running({ tasks: [booting], deadline: NOW }), due, 'degraded', 'agent.degraded'),
      row('healthy', running(), due, 'running'),
    ],
  },
  'running-degraded': {
    wanted: [row('', failingWatched(), wanted(), 'degraded')],
    busy: [row('', failingWatched(), busy, 'degraded')],
    quiet: [row('', failingWatched(), quiet, 'degraded')],
    'sleep-ordered': [row('', failingWatched(), sleep(), 'degraded')],
    observed: [
      row('', failingWatched(), observed(1, [t1, t2]), 'degraded'),
      row('something stands in the way', failingWatched(), obstructed(1), 'degraded'),
    ],
    probed: [
      row('passed', failingWatched(), probed(true), 'running', 'agent.recovered'),
      row('failed', failingWatched(), probed(false), 'degraded'),
    ],
    'order-failed': [row('', failingWatched(), orderFailed(true), 'degraded')],
    due: [row('', failingWatched(), due, 'degraded')],
  },
};

/** Every case with its cell, in the order of the table. */
export function cases(): readonly (Case & { readonly key: StateKey })[] {
  return STATE_KEYS.flatMap((key) => Object.values(TABLE[key]).flatMap((cell) => cell.map((entry) => ({ ...entry, key }))));
}

/** An effect in the table's words. */
export function orderWords(effect: AgentEffect): string {
  switch (effect.type) {
    case 'announce':
      return effect.event.type;
    case 'scale':
      return `scale ${effect.replicas}`;
    case 'start-measured':
      return `measured ${effect.result}`;
    case 'cut':
    case 'purge-routes':
      return effect.type;
  }
}
