import type { Instant } from '../std/time.ts';
import type { ApiTask } from './api.ts';

/**
 * What is known of a service beyond what Swarm lists. Nothing in here has to outlive the daemon: without it events are seen a
 * moment later, and an end that was ordered looks like one that came by itself.
 */
export class Memory {
  /** Tasks whose container has started: known from its event 55 ms before Swarm enters it as running. */
  readonly started = new Set<string>();
  /** Tasks whose container has ended, which Swarm may list as running for a while yet, by their exit code. */
  readonly died = new Map<string, string>();
  /** Tasks whose container is paused, by its id. Known of our own node only. */
  readonly frozen = new Map<string, string>();
  /** Tasks that we end one by one, and what is to follow their end. */
  readonly victims = new Map<string, 'fewer' | 'replace' | 'nothing'>();
  /** We put it to sleep, so nobody is being served and its tasks can be ended without Swarm's delay. */
  sleepOrdered = false;
  /** More tasks were ordered, and none of them has been listed yet. */
  unanswered: { readonly replicas: number; readonly since: Instant } | null = null;

  /** `paused`: all that there are, those of other services too. */
  freeze(tasks: readonly ApiTask[], paused: ReadonlyMap<string, string>): void {
    this.frozen.clear();
    for (const { ID: id } of tasks) {
      const container = paused.get(id);
      if (container !== undefined) this.frozen.set(id, container);
    }
  }

  /** Swarm has forgotten the others. */
  keepOnly(tasks: readonly ApiTask[]): void {
    const ids = new Set(tasks.map(({ ID }) => ID));
    for (const known of [this.started, this.died, this.frozen, this.victims])
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
  }
}
