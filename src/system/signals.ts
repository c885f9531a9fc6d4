import type { Clock } from '../ports/clock.ts';
import { elapsed, millisOf } from '../std/time.ts';

/** npm and terminals send the same signal twice; only one that comes later than this is a second wish. */
const SAME_WISH = millisOf(5000);

export interface Wishes {
  /** The first SIGTERM or SIGINT. */
  readonly end: () => void;
  /** A later one: end now. */
  readonly hurry: () => void;
  /** SIGHUP. */
  readonly reload: () => void;
}

/** Signals of the operating system as wishes. They are listened to until the process ends. */
export function listenToSignals(clock: Clock, wishes: Wishes): void {
  let first: ReturnType<Clock['now']> | null = null;
  const asked = (): void => {
    const now = clock.now();
    if (first === null) {
      first = now;
      wishes.end();
    } else if (elapsed(first, now) > SAME_WISH) wishes.hurry();
  };
  process.on('SIGTERM', asked);
  process.on('SIGINT', asked);
  process.on('SIGHUP', wishes.reload);
}
