import type { KeptState } from '../contract/events.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type Store, StoreError } from '../ports/store.ts';
import { type WallTime, after, millisOf, rfc3339 } from '../std/time.ts';
import type { EventLog } from './event-log.ts';

/**
 * What operators keep asleep or awake. An override is an order about an agent as it is in force: it outlives daemons and reloads,
 * and ends with the agent, or when its policy is no longer on-demand. Keeping it for an agent of that name that may come back was
 * rejected: nobody would remember it, and the agent would not wake.
 */
export interface Override {
  readonly state: KeptState;
  readonly since: WallTime;
  /** Null: until it is lifted. */
  readonly until: WallTime | null;
}

/** `until` is people's time, and their clock may be set: it is looked at this often, however far away the end seems. */
const LOOK_EVERY = millisOf(3_600_000);

export class Overrides {
  private readonly held = new Map<string, Override>();
  private alarm: Alarm | null = null;
  private closed = false;
  private readonly clock: Clock;
  private readonly store: Store;
  private readonly log: Log;
  private readonly events: EventLog;
  private readonly over: (agent: string) => void;

  /** Calls `over` when the time of an agent's override has come; never inside of a call. */
  constructor(
    parts: { readonly clock: Clock; readonly store: Store; readonly log: Log; readonly events: EventLog },
    over: (agent: string) => void,
  ) {
    this.clock = parts.clock;
    this.store = parts.store;
    this.log = parts.log;
    this.events = parts.events;
    this.over = over;
  }

  of(agent: string): Override | null {
    return this.held.get(agent) ?? null;
  }

  /** Takes up what an earlier daemon kept. What has ended since is lifted. */
  restore(): void {
    for (const { agent, ...override } of this.store.overrides()) this.held.set(agent, override);
    this.end(this.due(), 'until');
    this.arm();
  }

  /** In the place of an earlier one. Throws StoreError, changing nothing. */
  put(agent: string, state: KeptState, until: WallTime | null): void {
    const before = this.held.get(agent);
    if (before?.state === state && before.until === until) return;
    const since = before?.state === state ? before.since : this.clock.wall();
    this.store.putOverride({ agent, state, since, until });
    this.held.set(agent, { state, since, until });
    this.arm();
    this.events.publish('agent.kept', { agent, state, ...(until === null ? {} : { until: rfc3339(until) }) });
  }

  /** Throws StoreError, changing nothing. Lifting what is not there is no mistake. */
  lift(agent: string): void {
    if (!this.held.has(agent)) return;
    this.store.deleteOverride(agent);
    this.end([agent], 'lifted');
  }

  /** No other agent can have one any more. */
  keepOnly(agents: ReadonlySet<string>): void {
    this.end(
      [...this.held.keys()].filter((agent) => !agents.has(agent)),
      'config',
    );
  }

  close(): void {
    this.closed = true;
    this.alarm?.cancel();
  }

  private due(): readonly string[] {
    const now = this.clock.wall();
    return [...this.held].flatMap(([agent, { until }]) => (until !== null && until <= now ? [agent] : []));
  }

  private end(agents: readonly string[], reason: 'lifted' | 'until' | 'config'): void {
    for (const agent of agents) {
      const state = this.held.get(agent)?.state;
      this.held.delete(agent);
      if (reason !== 'lifted') this.forget(agent);
      this.events.publish('agent.released', { agent, state, reason });
    }
  }

  /** One that is still on disk does no harm: the next daemon ends it for the same reason. */
  private forget(agent: string): void {
    try {
      this.store.deleteOverride(agent);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.log.warn('an override that has ended is still on disk', { agent, detail: error.message });
    }
  }

  private arm(): void {
    this.alarm?.cancel();
    const ends = [...this.held.values()].flatMap(({ until }) => (until === null ? [] : [until]));
    if (this.closed || ends.length === 0) return;
    const left = Math.max(0, Math.min(...ends) - this.clock.wall());
    this.alarm = this.clock.alarm(after(this.clock.now(), millisOf(Math.min(left, LOOK_EVERY))), () => {
      const due = this.due();
      this.end(due, 'until');
      this.arm();
      for (const agent of due) this.over(agent);
    });
  }
}
