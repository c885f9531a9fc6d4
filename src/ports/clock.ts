import type { Instant, WallTime } from '../std/time.ts';

/** Set to fire once. Cancelling one that has fired does nothing. */
export interface Alarm {
  cancel(): void;
}

/**
 * The only source of time. `now` is monotonic: it neither jumps with the wall clock nor counts a suspended machine's sleep.
 * Whoever is given a clock never touches Date, setTimeout or performance (lint enforces it).
 */
export interface Clock {
  now(): Instant;
  wall(): WallTime;
  /** Calls `ring` once, at `at` or as soon as possible after it; never before and never inside this call. */
  alarm(at: Instant, ring: () => void): Alarm;
}
