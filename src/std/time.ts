/**
 * Three kinds of time that must not be mixed, so each has a type of its own. All are plain numbers of milliseconds at run
 * time. `Instant` comes from a monotonic clock: it is only good for comparing with other instants of the same process.
 * `WallTime` is for people and for what outlives the process.
 */
declare const instant: unique symbol;
declare const millis: unique symbol;
declare const wallTime: unique symbol;

/** A point on the monotonic clock, in milliseconds since an arbitrary start. */
export type Instant = number & { readonly [instant]: true };
/** A length of time in milliseconds. */
export type Millis = number & { readonly [millis]: true };
/** Milliseconds since 1970-01-01T00:00:00Z. */
export type WallTime = number & { readonly [wallTime]: true };

export const millisOf = (value: number): Millis => value as Millis;
export const instantOf = (value: number): Instant => value as Instant;
export const wallTimeOf = (value: number): WallTime => value as WallTime;

/** The instant `wait` after `start`. */
export const after = (start: Instant, wait: Millis): Instant => (start + wait) as Instant;
/** From `start` to `end`; negative when `end` came first. */
export const elapsed = (start: Instant, end: Instant): Millis => (end - start) as Millis;

/** The earliest of the deadlines that are set, or null when none is. */
export function earliest(...deadlines: readonly (Instant | null)[]): Instant | null {
  let first: Instant | null = null;
  for (const deadline of deadlines) if (deadline !== null && (first === null || deadline < first)) first = deadline;
  return first;
}

/** The later of two instants. */
export const latest = (a: Instant, b: Instant): Instant => (a > b ? a : b);

/** RFC 3339 in UTC with milliseconds, the only form in which a time leaves the daemon. */
export const rfc3339 = (time: WallTime): string => new Date(time).toISOString();

/** Null for what is no date and time. */
export function parseRfc3339(text: string): WallTime | null {
  const time = new Date(text).getTime();
  return Number.isNaN(time) ? null : (time as WallTime);
}
