import type { Alarm, Clock } from '../../src/ports/clock.ts';
import { type Instant, type Millis, type WallTime, instantOf, wallTimeOf } from '../../src/std/time.ts';

interface Entry {
  readonly at: Instant;
  readonly order: number;
  readonly ring: () => void;
}

/**
 * A clock that stands still until a test advances it. Alarms ring in order of time, then in order of setting, and `now()` is
 * the alarm's own instant while it rings. Between two alarms the microtasks are let run, so that what an alarm started with
 * a promise is seen before the next one rings.
 */
export class SimClock implements Clock {
  private instant = 1_000_000;
  private wallOffset = Date.parse('2026-01-01T00:00:00Z') - 1_000_000;
  private entries: Entry[] = [];
  private order = 0;

  now(): Instant {
    return instantOf(this.instant);
  }

  wall(): WallTime {
    return wallTimeOf(this.instant + this.wallOffset);
  }

  alarm(at: Instant, ring: () => void): Alarm {
    const entry: Entry = { at, order: this.order++, ring };
    this.entries.push(entry);
    return { cancel: () => void (this.entries = this.entries.filter((other) => other !== entry)) };
  }

  /** How many alarms are set; 0 at the end of a test means that nothing was left behind. */
  get pending(): number {
    return this.entries.length;
  }

  /** Steps the wall clock without moving the monotonic one, as ntpd or an operator would. */
  stepWall(by: number): void {
    this.wallOffset += by;
  }

  /** Lets promises that are already settled run their continuations. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }

  async advance(by: Millis | number): Promise<void> {
    const end = this.instant + by;
    await this.settle();
    for (;;) {
      const due = this.entries.filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (due === undefined) break;
      this.entries = this.entries.filter((entry) => entry !== due);
      this.instant = Math.max(this.instant, due.at);
      due.ring();
      await this.settle();
    }
    this.instant = end;
  }
}
