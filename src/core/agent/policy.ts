import type { PolicyName } from '../../contract/events.ts';
import { type Millis, millisOf } from '../../std/time.ts';

/** What the config says of one agent, as far as decisions need it. A reload replaces it; no state holds a copy. */
export interface Policy {
  readonly kind: PolicyName;
  /** Tasks that a wake asks for. */
  readonly replicas: number;
  readonly startupTimeout: Millis;
  readonly maxFailures: number;
  readonly maxRestartAttempts: number;
  readonly idleTimeout: Millis;
  readonly drainTimeout: Millis;
  readonly wakeCooldown: Millis;
  /** Idle for this long it is frozen; null: never. */
  readonly freezeAfter: Millis | null;
  /** A start wants one of max_ready_agents places. */
  readonly capped: boolean;
  /** How long a wake may wait for a place when nobody is held for it. */
  readonly seekTimeout: Millis;
  /** Awake for less than this it is not evicted. */
  readonly minAwake: Millis;
  /** Never evicted. */
  readonly pinned: boolean;
  /** The operator's override: it is to stay so until that is lifted. */
  readonly keep: 'asleep' | 'awake' | null;
}

/** How long an order to freeze or to thaw may go unanswered. */
export const FREEZE_TIMEOUT = millisOf(20_000);

/** How long an order to stop may take before it is given again. Ten seconds more than the process engine's own grace. */
export const STOP_TIMEOUT = millisOf(20_000);
const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 300_000;

/** The wait after the `attempts`-th failure in a row: 1 s, 2 s, 4 s and so on, at most 5 minutes. */
export function backoff(attempts: number): Millis {
  return millisOf(Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(attempts - 1, 30)));
}
