import { type Millis, millisOf } from '../../src/std/time.ts';
import { DaemonError } from './daemon-error.ts';

/**
 * Keeping something that ends by itself: a registered route, a busy lease. It is taken again when a third of its time is
 * over, so that two renewals in a row may fail before it lapses. What lapsed all the same, because the daemon was away, is
 * taken again as soon as it is back.
 *
 * Rejected: to renew at `expires_at`. That is a time on the daemon's clock, and the two need not agree.
 */
export interface Claim {
  /** Takes or renews. Resolves to how long it holds; null: with no end. Rejects with a DaemonError. */
  take(): Promise<Millis | null>;
  drop(): Promise<void>;
}

/** What the owner of a claim may want to log. */
export interface RenewalWatcher {
  /** A renewal failed and is tried again after `waitMs`. */
  readonly late: (error: DaemonError, waitMs: Millis) => void;
  /** The daemon refused it for good. It is not tried again. */
  readonly lost: (error: DaemonError) => void;
}

export interface Renewal {
  readonly state: 'held' | 'late' | 'lost' | 'dropped';
  /** Ends the renewing, then the claim itself. Does nothing the second time, or when it was lost. Rejects with a DaemonError. */
  drop(): Promise<void>;
}

const FIRST_ATTEMPTS_MAX = 5;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 30_000;
const RENEW_EARLIEST_MS = 250;
const RENEW_LATEST_MS = 86_400_000;

/**
 * Takes the claim and keeps it. The first take is tried up to 5 times while the failure may pass, about 4 s in all; then, or
 * at once when it is refused for good, the DaemonError is the caller's. Later failures go to `watcher`.
 */
export async function keepRenewed(claim: Claim, watcher: RenewalWatcher, random: () => number = Math.random): Promise<Renewal> {
  const held = await firstTake(claim, watcher, random);
  return renewing(claim, watcher, random, held);
}

async function firstTake(claim: Claim, watcher: RenewalWatcher, random: () => number): Promise<Millis | null> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await claim.take();
    } catch (error) {
      if (!(error instanceof DaemonError) || !error.passing || attempt === FIRST_ATTEMPTS_MAX) throw error;
      const wait = backoff(attempt, random);
      watcher.late(error, wait);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

function renewing(claim: Claim, watcher: RenewalWatcher, random: () => number, firstHeld: Millis | null): Renewal {
  let state: Renewal['state'] = 'held';
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  // The renewal under way. `drop` waits for it: overtaken by a late renewal, a drop would be undone.
  let underWay: Promise<void> = Promise.resolve();

  const schedule = (wait: Millis): void => {
    timer = setTimeout(() => void (underWay = renew()), wait);
  };
  const renew = async (): Promise<void> => {
    try {
      const held = await claim.take();
      failures = 0;
      if (state === 'dropped') return;
      state = 'held';
      if (held !== null) schedule(renewAfter(held, random));
    } catch (error) {
      if (!(error instanceof DaemonError)) throw error;
      if (state === 'dropped') return;
      if (!error.passing) {
        state = 'lost';
        watcher.lost(error);
        return;
      }
      failures += 1;
      state = 'late';
      const wait = backoff(failures, random);
      schedule(wait);
      watcher.late(error, wait);
    }
  };

  if (firstHeld !== null) schedule(renewAfter(firstHeld, random));
  return {
    get state() {
      return state;
    },
    drop: async () => {
      if (state === 'dropped' || state === 'lost') return;
      state = 'dropped';
      clearTimeout(timer);
      await underWay;
      await claim.drop();
    },
  };
}

/** A third of `held`, less up to a tenth of that, so that many tasks started together do not renew together. */
function renewAfter(held: Millis, random: () => number): Millis {
  const third = (held / 3) * (1 - random() / 10);
  return millisOf(Math.min(RENEW_LATEST_MS, Math.max(RENEW_EARLIEST_MS, third)));
}

/** Twice as long each time, up to 30 s; half of it is chance. */
function backoff(failures: number, random: () => number): Millis {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 20));
  return millisOf((full / 2) * (1 + random()));
}
