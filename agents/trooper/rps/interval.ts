/** How far apart rounds are: what lies on the bus under the original's key, within the original's limits. */
export const INTERVAL_SECONDS = { min: 2, max: 120, default: 10 } as const;

const TTL_SECONDS_MIN = 20;

export const clampInterval = (seconds: number): number => Math.min(INTERVAL_SECONDS.max, Math.max(INTERVAL_SECONDS.min, seconds));

/** Seconds. What is no number counts as nothing. */
export const intervalIn = (text: string | null): number =>
  text !== null && /^[0-9]{1,6}$/.test(text) ? clampInterval(Number(text)) : INTERVAL_SECONDS.default;

/** How long a round is kept: the original's 20 s, and beyond the next round in any case. */
export const roundTtl = (intervalSeconds: number): number => Math.max(TTL_SECONDS_MIN, 2 * intervalSeconds);
