import { type Instant, type Millis, elapsed } from '../std/time.ts';
import type { AgentState } from './agent/state.ts';
import { startsNotBefore } from './holds.ts';

/** Seconds told to callers until the starts of an agent have been measured. */
const UNKNOWN_SECONDS = 3;

/**
 * How long a start takes, for nine of ten: the 90th percentile by nearest rank. Null without a measurement.
 * `starts` may be in any order.
 */
export function typicalStart(starts: readonly Millis[]): Millis | null {
  if (starts.length === 0) return null;
  const sorted = [...starts].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.9) - 1] ?? null;
}

/**
 * Whole seconds after which asking again is worth while (RFC 9110 section 10.2.3): what a start takes, less what has passed
 * of it, plus what is left of a backoff or cooldown. Never 0, since a client that asks again at once gains nothing.
 */
export function retryAfterSeconds(state: AgentState, now: Instant, typical: Millis | null): number {
  // To be thawed takes milliseconds.
  const start = state.name === 'frozen' ? 0 : (typical ?? UNKNOWN_SECONDS * 1000);
  const passed = state.name === 'starting' ? elapsed(state.since, now) : 0;
  const wait = startsNotBefore(state, now);
  return Math.max(1, Math.ceil((Math.max(0, start - passed) + wait) / 1000));
}
