import type { Alarm, Clock } from '../ports/clock.ts';
import { type Instant, instantOf, wallTimeOf } from '../std/time.ts';

/**
 * The machine's own time, and the one place of the daemon that asks for it. Both `performance.now()` and the timers stand on
 * CLOCK_MONOTONIC, which a stepped wall clock does not move and which stands still while the machine is suspended.
 */

/** What setTimeout can wait for; anything longer fires after 1 ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => instantOf(performance.now()),
  wall: () => wallTimeOf(Date.now()),
  alarm,
};

/**
 * An alarm keeps no process alive: that is for listeners and children to do. Whoever waits for nothing but an alarm waits
 * in a process that ends.
 */
function alarm(at: Instant, ring: () => void): Alarm {
  let timer = arm();
  function arm(): NodeJS.Timeout {
    const wait = Math.ceil(at - performance.now());
    return setTimeout(due, Math.min(Math.max(wait, 0), TIMER_MAX_MS)).unref();
  }
  function due(): void {
    // Not due yet, for one of two reasons: it is further away than a timer reaches, or the timer counted from the start of
    // its turn of the event loop, which a long turn puts before the moment it was set.
    if (performance.now() < at) timer = arm();
    else ring();
  }
  return { cancel: () => clearTimeout(timer) };
}
