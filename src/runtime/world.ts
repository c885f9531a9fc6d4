import type { Clock } from '../ports/clock.ts';
import type { Engine, Task } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Probe } from '../ports/probe.ts';
import type { Store } from '../ports/store.ts';
import type { EventLog } from './event-log.ts';

/** All that a runner reaches beyond its own agent. */
export interface World {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly probe: Probe;
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
  purgeRoutes(agent: string, because: string): void;
  /** Routes that are bound to a task which is no longer there go. */
  tasksChanged(agent: string, tasks: readonly Task[]): void;
}
