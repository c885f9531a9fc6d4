import type { Alarm, Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type Store, StoreError } from '../ports/store.ts';
import { type Instant, type Millis, type WallTime, after, millisOf, wallTimeOf } from '../std/time.ts';
import type { Activity } from './activity.ts';

/**
 * When an agent last had work, also under earlier daemons: to be shown, and to tell who was used least. Idleness is never counted
 * from here: it is monotonic and begins anew with each daemon. It is written at the edges of work and not for each request, at
 * most once a second, so kill -9 takes the last second of it; and once a minute while there is work, so of a long download it
 * takes a minute.
 */
const WRITE_EVERY = millisOf(1000);
const WRITE_EVERY_BUSY = millisOf(60_000);

export class LastUse {
  /** What earlier daemons have seen. */
  private readonly before: WallTime | null;
  private writtenAt: Instant | null = null;
  private alarm: Alarm | null = null;
  private alarmAt: Instant | null = null;
  private unwritten = false;
  private failing = false;
  private closed = false;
  private readonly agent: string;
  private readonly clock: Clock;
  private readonly store: Store;
  private readonly log: Log;
  private readonly activity: Activity;

  constructor(agent: string, parts: { readonly clock: Clock; readonly store: Store }, log: Log, activity: Activity) {
    this.agent = agent;
    this.clock = parts.clock;
    this.store = parts.store;
    this.log = log;
    this.activity = activity;
    this.before = this.attempt('last activity could not be read', () => this.store.lastActivity(agent)) ?? null;
  }

  /** Now while there is work; null: never, as far as is known. Never in the future, though the clock may have been set back. */
  get at(): WallTime | null {
    const wall = this.clock.wall();
    const { busy, lastActivity } = this.activity;
    if (busy) return wall;
    if (lastActivity !== null) return wallTimeOf(wall + (lastActivity - this.clock.now()));
    return this.before === null ? null : wallTimeOf(Math.min(this.before, wall));
  }

  /** Work has begun or ended. */
  changed(): void {
    if (this.closed) return;
    this.unwritten = true;
    this.arm(WRITE_EVERY);
  }

  /** Writes what is not written yet, and nothing any more. */
  close(): void {
    if (this.closed) return;
    if (this.unwritten || this.activity.busy) this.write();
    this.closed = true;
    this.disarm();
  }

  private write(): void {
    const { at } = this;
    this.disarm();
    this.writtenAt = this.clock.now();
    this.unwritten = false;
    if (at !== null) this.attempt('last activity could not be kept', () => this.store.putLastActivity(this.agent, at));
    if (this.activity.busy) this.arm(WRITE_EVERY_BUSY);
  }

  /** Writes so long after the last time, unless it does before that; by an alarm, since the caller may be serving a request. */
  private arm(wait: Millis): void {
    const end = this.writtenAt === null ? this.clock.now() : after(this.writtenAt, wait);
    if (this.alarmAt !== null && this.alarmAt <= end) return;
    this.disarm();
    this.alarmAt = end;
    this.alarm = this.clock.alarm(end, () => this.write());
  }

  private disarm(): void {
    this.alarm?.cancel();
    this.alarm = null;
    this.alarmAt = null;
  }

  /** Said once, not for each second of a full disk. */
  private attempt<T>(failure: string, work: () => T): T | null {
    try {
      const result = work();
      this.failing = false;
      return result;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (!this.failing) this.log.warn(failure, { detail: error.message });
      this.failing = true;
      return null;
    }
  }
}
