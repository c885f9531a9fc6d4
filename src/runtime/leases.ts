import type { Alarm, Clock } from '../ports/clock.ts';
import { type Instant, type Millis, type WallTime, after } from '../std/time.ts';
import type { Activity } from './activity.ts';

/** One task's word that it is busy, until a time. At most one a task: taking it again renews it. */
export interface Lease {
  readonly task: string;
  readonly reason: string;
  readonly expiresAt: WallTime;
}

export class Leases {
  private readonly held = new Map<string, { readonly lease: Lease; readonly until: Instant; readonly alarm: Alarm }>();
  private readonly clock: Clock;
  private readonly activity: Activity;

  constructor(clock: Clock, activity: Activity) {
    this.clock = clock;
    this.activity = activity;
  }

  list(): readonly Lease[] {
    return [...this.held.values()].map(({ lease }) => lease);
  }

  take(task: string, ttl: Millis, reason: string): Lease {
    // Held before the old one is dropped: in the other order the agent would be quiet for an instant.
    this.activity.hold();
    this.drop(task);
    const until = after(this.clock.now(), ttl);
    const lease: Lease = { task, reason, expiresAt: (this.clock.wall() + ttl) as WallTime };
    this.held.set(task, { lease, until, alarm: this.clock.alarm(until, () => this.drop(task)) });
    return lease;
  }

  drop(task: string): void {
    const entry = this.held.get(task);
    if (entry === undefined) return;
    this.held.delete(task);
    entry.alarm.cancel();
    this.activity.unhold();
  }

  /** A lease ends with its task. */
  keepOnly(tasks: readonly { readonly id: string }[]): void {
    for (const task of this.held.keys()) if (!tasks.some((other) => other.id === task)) this.drop(task);
  }
}
