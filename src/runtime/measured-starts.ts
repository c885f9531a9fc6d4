import { typicalStart } from '../core/retry-after.ts';
import type { Log } from '../ports/log.ts';
import { STARTS_KEPT, type Store, StoreError } from '../ports/store.ts';
import type { Millis } from '../std/time.ts';

/** How long an agent's starts took, also those of earlier daemons. Without them Retry-After is a guess, as it was at first. */
export class MeasuredStarts {
  private took: readonly Millis[];
  private readonly agent: string;
  private readonly store: Store;
  private readonly log: Log;

  constructor(agent: string, store: Store, log: Log) {
    this.agent = agent;
    this.store = store;
    this.log = log;
    this.took = this.before();
  }

  /** What nine of ten took; null without a measurement. */
  get typical(): Millis | null {
    return typicalStart(this.took);
  }

  add(took: Millis): void {
    this.took = [...this.took, took].slice(-STARTS_KEPT);
    this.attempt('measured start could not be kept', () => this.store.addStart(this.agent, took));
  }

  private before(): readonly Millis[] {
    return this.attempt('measured starts could not be read', () => this.store.starts(this.agent)) ?? [];
  }

  /** Not worth a failed reload or start. */
  private attempt<T>(failure: string, work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.log.warn(failure, { detail: error.message });
      return null;
    }
  }
}
