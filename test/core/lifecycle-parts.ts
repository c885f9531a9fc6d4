import type { AgentEvent } from '../../src/core/agent/event.ts';
import type { Policy } from '../../src/core/agent/policy.ts';
import type { AgentState } from '../../src/core/agent/state.ts';
import type { CheckedTask } from '../../src/core/agent/tasks.ts';
import { type Instant, instantOf, millisOf } from '../../src/std/time.ts';

/** States and events of the life cycle, whole but for what a case says of them. `EARLIER`, `NOW` and `LATER` are 10 s apart. */
export const NOW: Instant = instantOf(100_000);
export const EARLIER = instantOf(90_000);
export const LATER = instantOf(110_000);

export const POLICY: Policy = {
  kind: 'on-demand',
  replicas: 2,
  startupTimeout: millisOf(60_000),
  maxFailures: 3,
  maxRestartAttempts: 5,
  idleTimeout: millisOf(10_000),
  drainTimeout: millisOf(30_000),
  wakeCooldown: millisOf(0),
  freezeAfter: null,
  capped: false,
  seekTimeout: millisOf(60_000),
  minAwake: millisOf(30_000),
  pinned: false,
  keep: null,
};

export const task = (id: string, change: Partial<CheckedTask> = {}): CheckedTask => ({
  id,
  state: 'running',
  frozen: false,
  health: 'healthy',
  failures: 0,
  ...change,
});
export const booting = task('t1', { health: 'unknown' });
export const failing = task('t1', { failures: 2 });
export const iced = task('t1', { frozen: true });
export const ill = task('t1', { health: 'unhealthy', failures: 3 });

export const problem = { code: 'exited', detail: 'exit code 1' } as const;
export const onDemand = { policy: 'on-demand', since: EARLIER, busy: false, lingering: false } as const;
const up = { awakeSince: instantOf(1), lastActivity: EARLIER, freezeFailed: false, tasks: [task('t1')] } as const;
type Of<N extends AgentState['name'], P = 'on-demand'> = Partial<Extract<AgentState, { name: N; policy: P }>>;

export const sleeping = (change: Of<'sleeping'> = {}): AgentState => ({
  ...onDemand,
  name: 'sleeping',
  attempts: 0,
  notBefore: null,
  wake: null,
  seeking: null,
  problem: null,
  ...change,
});
export const degraded = (change: Of<'degraded'> = {}): AgentState => ({
  ...onDemand,
  name: 'degraded',
  attempts: 5,
  notBefore: EARLIER,
  wake: null,
  seeking: null,
  problem,
  ...change,
});
export const starting = (change: Of<'starting'> = {}): AgentState => ({
  ...onDemand,
  name: 'starting',
  deadline: LATER,
  attempts: 0,
  cause: 'request',
  busy: false,
  whyNot: null,
  tasks: [booting],
  ...change,
});
export const ready = (change: Of<'ready'> = {}): AgentState => ({
  ...onDemand,
  ...up,
  name: 'ready',
  ...change,
});
export const frozen = (change: Of<'frozen'> = {}): AgentState => ({
  ...onDemand,
  ...up,
  name: 'frozen',
  phase: 'frozen',
  then: null,
  phaseSince: EARLIER,
  deadline: LATER,
  orders: 0,
  tasks: [iced],
  ...change,
});
export const draining = (change: Of<'draining'> = {}): AgentState => ({
  ...onDemand,
  ...up,
  name: 'draining',
  reason: 'idle',
  ...change,
});
export const stopping = (change: Of<'stopping'> = {}): AgentState => ({
  ...onDemand,
  name: 'stopping',
  deadline: LATER,
  reason: 'idle',
  next: 'sleep',
  wake: null,
  attempts: 0,
  startFailed: false,
  problem: null,
  orders: 1,
  ...change,
});
export const running = (change: Partial<Extract<AgentState, { name: 'running' }>> = {}): AgentState => ({
  policy: 'always-on',
  name: 'running',
  since: EARLIER,
  deadline: null,
  whyNot: null,
  tasks: [task('t1')],
  ...change,
});
export const failingWatched = (
  change: Partial<Extract<AgentState, { name: 'degraded'; policy: 'always-on' }>> = {},
): AgentState => ({
  policy: 'always-on',
  name: 'degraded',
  since: EARLIER,
  tasks: [ill],
  problem,
  ...change,
});

export const wanted = (admin = false): AgentEvent => ({ type: 'wanted', cause: admin ? 'api' : 'request', admin });
export const busy: AgentEvent = { type: 'busy' };
export const quiet: AgentEvent = { type: 'quiet', lastActivity: NOW };
export const sleep = (force = false): AgentEvent => ({ type: 'sleep-ordered', force });
export const due: AgentEvent = { type: 'due' };
export const probed = (healthy: boolean, id = 't1'): AgentEvent => ({ type: 'probed', task: id, healthy, detail: 'status 503' });
export const orderFailed = (refused: boolean, order: 'scale' | 'freeze' | 'thaw' = 'scale'): AgentEvent => ({
  type: 'order-failed',
  order,
  refused,
  detail: 'no such command',
});
export const lingers = (open = true) => ({ type: 'lingers', open }) as const satisfies AgentEvent;
export const evict = { type: 'evict' } as const satisfies AgentEvent;
export const placed = { type: 'placed' } as const satisfies AgentEvent;
export const unwanted = { type: 'unwanted' } as const satisfies AgentEvent;
export const froze = { type: 'froze' } as const satisfies AgentEvent;
export const thawed = { type: 'thawed' } as const satisfies AgentEvent;
export const observed = (
  count: number,
  tasks: readonly CheckedTask[],
  converging = false,
  obstacle: string | null = null,
): AgentEvent => ({
  type: 'observed',
  wanted: count,
  tasks: tasks.map(({ id, state, frozen }) => ({ id, state, frozen })),
  converging,
  lastExit: null,
  obstacle,
});
export const obstructed = (count: number, tasks: readonly CheckedTask[] = []): AgentEvent =>
  observed(count, tasks, true, 'no such service');
export const t1 = task('t1');
export const t2 = task('t2');
export const endingTask = task('t1', { state: 'ending' });
