import { type Instant, type Millis, elapsed, millisOf } from '../std/time.ts';

/** How long a replacement waits: 1 s x 2^n, at most 5 min. What ran for a minute begins at 1 s again. */
const FIRST_MS = 1000;
const MAX_MS = 300_000;
const STEADY_MS = 60_000;

export class Backoff {
  private failures = 0;

  /** A task that ran from `start` (null: it never ran) has ended by itself now. Returns how long to wait. */
  next(start: Instant | null, now: Instant): Millis {
    if (start !== null && elapsed(start, now) >= STEADY_MS) this.failures = 0;
    const wait = Math.min(FIRST_MS * 2 ** this.failures, MAX_MS);
    this.failures += 1;
    return millisOf(wait);
  }
}
