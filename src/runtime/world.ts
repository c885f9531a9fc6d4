import type { Clock } from '../ports/clock.ts';
import type { Engine, Task } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Probe } from '../ports/probe.ts';
import type { Store } from '../ports/store.ts';
import type { Contender } from './capacity.ts';
import type { EventLog } from './event-log.ts';
import type { HeldInAll } from './hold-queue.ts';

/** All that a runner reaches beyond its own agent. */
export interface World {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly probe: Probe;
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
  /** Requests held at a time, for all agents together. */
  readonly heldInAll: HeldInAll;
  /** No connection that was made to it is used again. */
  endConnections(agent: string): void;
  /** Who gets one of max_ready_agents places has to be looked at again. */
  placesChanged(agent: Contender): void;
  /** While an agent is frozen the clock of its routes' ttl stands still. */
  pauseRoutes(agent: string): void;
  resumeRoutes(agent: string): void;
  purgeRoutes(agent: string, because: string): void;
  /** Routes that are bound to a task which is no longer there go. */
  tasksChanged(agent: string, tasks: readonly Task[]): void;
}
