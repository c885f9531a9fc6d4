import { type Millis, millisOf } from '../std/time.ts';

/**
 * Lengths and sizes as people write them in the config file and in API bodies: one number, one unit. `1h30m` is refused,
 * so that every text has one reading and the shortest one can be written back.
 */
const MS_PER: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES_PER: Readonly<Record<string, number>> = { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** `250ms`, `30s`, `10m`, `2h`, `1d`. Null when it is none of these, or longer than 10,000 days. */
export function parseDuration(text: string): Millis | null {
  const match = /^([0-9]{1,12})(ms|s|m|h|d)$/.exec(text);
  if (match === null) return null;
  const value = Number(match[1]) * (MS_PER[match[2] ?? ''] ?? Number.NaN);
  return value <= 10_000 * 86_400_000 ? millisOf(value) : null;
}

/** The shortest text that {@link parseDuration} reads back as the same length: 90000 is `90s`, 120000 is `2m`. */
export function formatDuration(length: Millis): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = MS_PER[unit] ?? 1;
    if (length > 0 && length % size === 0) return `${length / size}${unit}`;
  }
  return length === 0 ? '0s' : `${length}ms`;
}

/** So many within a length of time. */
export interface Rate {
  /** At least 1. */
  readonly count: number;
  readonly per: Millis;
}

/** `60/m`, `5/s`, `1000/h`. Null when it is none of these, or allows nothing. */
export function parseRate(text: string): Rate | null {
  const match = /^([0-9]{1,6})\/(s|m|h)$/.exec(text);
  const count = Number(match?.[1] ?? 0);
  return count === 0 ? null : { count, per: millisOf(MS_PER[match?.[2] ?? ''] ?? Number.NaN) };
}

/** `8KB`, `1MB`, `2GB` in bytes (1024 based). Null when it is none of these. */
export function parseSize(text: string): number | null {
  const match = /^([0-9]{1,9})(KB|MB|GB)$/.exec(text);
  return match === null ? null : Number(match[1]) * (BYTES_PER[match[2] ?? ''] ?? Number.NaN);
}
