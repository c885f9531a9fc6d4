import type { Alarm, Clock } from '../../src/ports/clock.ts';
import { type Instant, type WallTime, instantOf, wallTimeOf } from '../../src/std/time.ts';

/**
 * Real time, running `speed` times as fast: for tests with real processes, whose ends no simulated clock can bring about. A
 * back-off of seconds then passes in tenths of them.
 */
export class ScaledClock implements Clock {
  private readonly speed: number;

  constructor(speed = 1) {
    this.speed = speed;
  }

  now(): Instant {
    return instantOf(performance.now() * this.speed);
  }

  wall(): WallTime {
    return wallTimeOf(Date.now());
  }

  alarm(at: Instant, ring: () => void): Alarm {
    const check = (): void => {
      const left = (at - this.now()) / this.speed;
      // A timer of Node's may fire a fraction of a millisecond early.
      if (left > 0) timer = setTimeout(check, Math.ceil(left));
      else ring();
    };
    let timer = setTimeout(check, Math.max(0, Math.ceil((at - this.now()) / this.speed)));
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  }
}
