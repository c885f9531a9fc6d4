/** How long to wait before the next attempt to reach the world. By chance, so that the pages of all who watch do not come at once. */
const FIRST_MS = 400;
const LONGEST_MS = 15_000;
const RETRY_AFTER_MAX_S = 5;

/** `failures` in a row so far, from 1 on; `chance` from 0 up to 1. */
export function backoffMs(failures: number, chance: number): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return Math.round(longest / 2 + (longest / 2) * chance);
}

/** What a 503 asks for, within bounds; a second where it does not say. */
export function retryAfterMs(header: string | null): number {
  const seconds = header !== null && /^\d{1,4}$/.test(header) ? Number(header) : 1;
  return Math.min(Math.max(seconds, 0.25), RETRY_AFTER_MAX_S) * 1000;
}
