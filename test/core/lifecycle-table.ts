import type { AgentEffect } from '../../src/core/agent/event.ts';
import {
  NOW,
  EARLIER,
  LATER,
  booting,
  failing,
  problem,
  sleeping,
  degraded,
  starting,
  iced,
  lingers,
  placed,
  unwanted,
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
import {
  type Case,
  STATE_KEYS,
  type StateKey,
  type Table,
  row,
  by,
  CAPPED,
  KEPT_ASLEEP,
  KEPT_AWAKE,
  SEEKING,
  SOUGHT_LONG,
  leftovers,
  STARTS,
  ADOPTS,
  STOPS,
  LEFT_TO_OTHERS,
  IS_GONE,
} from './lifecycle-rows.ts';
import { UP } from './lifecycle-table-up.ts';

/**
 * The life cycle as a table, independent of the code that decides it: for every state and every event each case that differs,
 * with where it leads and what it orders. The types have no holes: a new state or event does not compile until its cells are
 * written. docs/lifecycle.md is made from this.
 */
// One case a line, to be read as a table.
// prettier-ignore
export const TABLE: Table = {
  sleeping: {
    lingers: [row('', sleeping(), lingers(), 'sleeping')],
    placed: [
      row('it seeks a place', sleeping(SEEKING), placed, 'starting', ...STARTS),
      row('it seeks none', sleeping(), placed, 'sleeping'),
    ],
    unwanted: [
      row('it seeks a place for those who left', sleeping(SEEKING), unwanted, 'sleeping'),
      row('it seeks none', sleeping({ wake: 'request', notBefore: LATER }), unwanted, 'sleeping'),
    ],
    ...leftovers(sleeping(), 'evict', 'froze', 'thawed'),
    wanted: [
      row('', sleeping(), wanted(), 'starting', 'agent.wake', ...STARTS),
      row('inside backoff or cooldown', sleeping({ attempts: 1, notBefore: LATER }), wanted(), 'sleeping', 'agent.wake'),
      row('inside, and already remembered', sleeping({ attempts: 1, notBefore: LATER, wake: 'upgrade' }), wanted(), 'sleeping'),
      row('inside backoff, by an operator', sleeping({ attempts: 1, notBefore: LATER }), wanted(true), 'starting', 'agent.wake', ...STARTS),
      row('inside cooldown, by an operator', sleeping({ notBefore: LATER }), wanted(true), 'sleeping', 'agent.wake'),
      row('backoff over', sleeping({ attempts: 1, notBefore: EARLIER }), wanted(), 'starting', 'agent.wake', ...STARTS),
      by(CAPPED, row('where places are limited', sleeping(), wanted(), 'sleeping', 'agent.wake')),
      by(CAPPED, row('it seeks a place already', sleeping(SEEKING), wanted(), 'sleeping')),
      by(KEPT_ASLEEP, row('kept asleep', sleeping(), wanted(), 'sleeping')),
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
      row('frozen by an earlier daemon', sleeping(), observed(1, [iced]), 'frozen', 'agent.frozen'),
      row('half of it frozen by an earlier daemon', sleeping(), observed(2, [iced, t2]), 'starting', ...ADOPTS, 'thaw'),
      row('frozen by an earlier daemon, and somebody has called', sleeping({ wake: 'request' }), observed(1, [iced]), 'frozen', 'agent.frozen', 'thaw'),
    ],
    probed: [row('', sleeping(), probed(true), 'sleeping')],
    'order-failed': [row('', sleeping(), orderFailed(true), 'sleeping')],
    due: [
      row('nobody called', sleeping({ notBefore: EARLIER }), due, 'sleeping'),
      row('a wake is remembered', sleeping({ wake: 'request', notBefore: NOW }), due, 'starting', ...STARTS),
      row('remembered, too early', sleeping({ wake: 'request', notBefore: LATER }), due, 'sleeping'),
      by(CAPPED, row('a wake is remembered, where places are limited', sleeping({ wake: 'request', notBefore: NOW }), due, 'sleeping')),
      by(CAPPED, row('no place was free for long enough', sleeping(SOUGHT_LONG), due, 'sleeping')),
      by(KEPT_AWAKE, row('kept awake', sleeping(), due, 'starting', ...STARTS)),
      by(KEPT_ASLEEP, row('a wake is remembered, kept asleep', sleeping({ wake: 'request' }), due, 'sleeping')),
    ],
  },
  degraded: {
    lingers: [row('', degraded(), lingers(), 'degraded')],
    placed: [
      row('it seeks a place', degraded(SEEKING), placed, 'starting', ...STARTS),
      row('it seeks none', degraded(), placed, 'degraded'),
    ],
    unwanted: [
      row('it seeks a place for those who left', degraded(SEEKING), unwanted, 'degraded'),
      row('it seeks none', degraded({ wake: 'request', notBefore: LATER }), unwanted, 'degraded'),
    ],
    ...leftovers(degraded(), 'evict', 'froze', 'thawed'),
    wanted: [
      row('backoff over', degraded(), wanted(), 'starting', 'agent.wake', ...STARTS),
      row('inside backoff', degraded({ notBefore: LATER }), wanted(), 'degraded', 'agent.wake'),
      row('inside backoff, by an operator', degraded({ notBefore: LATER }), wanted(true), 'starting', 'agent.wake', ...STARTS),
      by(CAPPED, row('where places are limited', degraded(), wanted(), 'degraded', 'agent.wake')),
      by(CAPPED, row('it seeks a place already', degraded(SEEKING), wanted(), 'degraded')),
      by(KEPT_ASLEEP, row('kept asleep', degraded(), wanted(), 'degraded')),
    ],
    busy: [row('', degraded(), busy, 'degraded')],
    quiet: [row('', degraded(), quiet, 'degraded')],
    'sleep-ordered': [row('', degraded({ wake: 'request' }), sleep(), 'degraded')],
    observed: [
      row('nothing there', degraded(), observed(0, []), 'degraded'),
      row('tasks wanted by somebody else', degraded(), observed(1, [t1]), 'starting', ...ADOPTS),
      row('none wanted, some still ending', degraded(), observed(0, [endingTask]), 'stopping', ...STOPS),
      row('frozen by an earlier daemon', degraded(), observed(1, [iced]), 'frozen', 'agent.frozen'),
      row('half of it frozen by an earlier daemon', degraded(), observed(2, [iced, t2]), 'starting', ...ADOPTS, 'thaw'),
      row('frozen by an earlier daemon, and somebody has called', degraded({ wake: 'request' }), observed(1, [iced]), 'frozen', 'agent.frozen', 'thaw'),
    ],
    probed: [row('', degraded(), probed(true), 'degraded')],
    'order-failed': [row('', degraded(), orderFailed(false), 'degraded')],
    due: [
      row('nobody called', degraded(), due, 'degraded'),
      row('a wake is remembered', degraded({ wake: 'request', notBefore: NOW }), due, 'starting', ...STARTS),
      by(CAPPED, row('a wake is remembered, where places are limited', degraded({ wake: 'request', notBefore: NOW }), due, 'degraded')),
      by(CAPPED, row('no place was free for long enough', degraded(SOUGHT_LONG), due, 'degraded')),
      by(KEPT_AWAKE, row('kept awake', degraded(), due, 'starting', ...STARTS)),
      by(KEPT_ASLEEP, row('a wake is remembered, kept asleep', degraded({ wake: 'request' }), due, 'degraded')),
    ],
  },
  starting: {
    lingers: [row('', starting(), lingers(), 'starting')],
    ...leftovers(starting(), 'evict', 'placed', 'unwanted', 'froze', 'thawed'),
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
      row('to freeze, in the life before', starting(), orderFailed(true, 'freeze'), 'starting'),
    ],
    due: [
      row('at startup_timeout', starting({ deadline: NOW }), due, 'stopping', 'measured timeout', ...STOPS),
      row('too early', starting(), due, 'starting'),
      by(KEPT_ASLEEP, row('kept asleep', starting(), due, 'stopping', ...STOPS)),
    ],
  },
  ...UP,
  stopping: {
    lingers: [row('', stopping(), lingers(), 'stopping')],
    ...leftovers(stopping(), 'evict', 'placed', 'unwanted', 'froze', 'thawed'),
    wanted: [
      row('', stopping(), wanted(), 'stopping', 'agent.wake'),
      row('already remembered', stopping({ wake: 'request' }), wanted(), 'stopping'),
      row('for a restart', stopping({ next: 'restart' }), wanted(), 'stopping'),
      by(KEPT_ASLEEP, row('kept asleep', stopping(), wanted(), 'stopping')),
    ],
    busy: [row('', stopping(), busy, 'stopping')],
    quiet: [row('', stopping(), quiet, 'stopping')],
    'sleep-ordered': [row('', stopping({ wake: 'request' }), sleep(), 'stopping')],
    observed: [
      row('gone', stopping(), observed(0, []), 'sleeping', 'agent.sleep'),
      row('gone, stopped by somebody else', stopping({ reason: 'external' }), observed(0, []), 'sleeping', 'cut', 'agent.sleep'),
      row('gone, for a restart', stopping({ next: 'restart' }), observed(0, []), 'starting', ...STARTS),
      by(KEPT_ASLEEP, row('gone, for a restart, kept asleep', stopping({ next: 'restart' }), observed(0, []), 'sleeping', 'agent.sleep')),
      row('gone after a failed start', stopping({ startFailed: true, attempts: 1, problem }), observed(0, []), 'sleeping', 'agent.sleep'),
      row('gone after max_restart_attempts of them', stopping({ startFailed: true, attempts: 5, problem }), observed(0, []), 'degraded', 'purge-routes', 'agent.sleep', 'restart.exhausted', 'agent.degraded'),
      row('gone after one more', stopping({ startFailed: true, attempts: 6, problem }), observed(0, []), 'degraded', 'purge-routes', 'agent.sleep', 'agent.degraded'),
      row('still there', stopping(), observed(0, [endingTask]), 'stopping'),
      row('scaled up by somebody else', stopping(), observed(1, []), 'stopping'),
    ],
    probed: [row('', stopping(), probed(true), 'stopping')],
    'order-failed': [
      row('', stopping(), orderFailed(false), 'stopping'),
      row('to thaw, before', stopping(), orderFailed(false, 'thaw'), 'stopping'),
    ],
    due: [
      row('the order had no effect', stopping({ deadline: NOW }), due, 'stopping', 'scale 0'),
      row('too early', stopping(), due, 'stopping'),
    ],
  },
  running: {
    lingers: [row('', running(), lingers(), 'running')],
    ...leftovers(running(), 'evict', 'placed', 'unwanted', 'froze', 'thawed'),
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
    lingers: [row('', failingWatched(), lingers(), 'degraded')],
    ...leftovers(failingWatched(), 'evict', 'placed', 'unwanted', 'froze', 'thawed'),
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
    case 'freeze':
    case 'thaw':
    case 'purge-routes':
      return effect.type;
  }
}
