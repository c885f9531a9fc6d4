import type { Clock } from '../../src/ports/clock.ts';
import { after, instantOf, latest, millisOf } from '../../src/std/time.ts';

/** How the fake engine's news reaches its watcher: later and in order, unless a test has it delayed, dropped or doubled. */
export class FakeNews {
  private readonly clock: Clock;
  private readonly isHeard: () => boolean;
  private delayMs = 0;
  private dropping = 0;
  private duplicating = 0;
  /** Delayed news on its way, and when the last of it arrives. */
  private underway = 0;
  private lastDue = instantOf(0);

  /** What arrives while `isHeard` is false is lost. */
  constructor(clock: Clock, isHeard: () => boolean) {
    this.clock = clock;
    this.isHeard = isHeard;
  }

  /** From now on everything arrives this much later, still in order. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** The next `count` observations never arrive. */
  drop(count: number): void {
    this.dropping += count;
  }

  /** The next `count` observations arrive twice. */
  duplicate(count: number): void {
    this.duplicating += count;
  }

  /** What was scripted is over: everything arrives, once. */
  reliable(): void {
    this.dropping = 0;
    this.duplicating = 0;
  }

  /** One observation: dropped and doubled as scripted. */
  observation(tell: () => void): void {
    if (this.dropping > 0) {
      this.dropping -= 1;
      return;
    }
    this.later(tell);
    if (this.duplicating > 0) {
      this.duplicating -= 1;
      this.later(tell);
    }
  }

  later(tell: () => void): void {
    const now = (): void => {
      if (this.isHeard()) tell();
    };
    if (this.delayMs === 0 && this.underway === 0) {
      queueMicrotask(now);
      return;
    }
    // Never before what was sent earlier with a longer delay: an engine's observations arrive in order.
    this.lastDue = latest(after(this.clock.now(), millisOf(this.delayMs)), this.lastDue);
    this.underway += 1;
    this.clock.alarm(this.lastDue, () => {
      this.underway -= 1;
      now();
    });
  }
}
