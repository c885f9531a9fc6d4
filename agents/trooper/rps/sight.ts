/**
 * When a round was published, as far as one trooper can tell: from what it saw itself. A round that was not there at the last
 * look and is there at this one was published in between. Its id says when in between by the publisher's clock, which is
 * believed that far and no further; so rounds keep their distance between machines whose clocks differ.
 *
 * Who has only just come has not seen it being published. For it the id counts up to one interval. So it leaves the lease to a
 * holder that is well until it has seen a round begin (lease.ts), and only where there is none can wrong clocks make one
 * round come an interval early or late.
 */
export interface Sight {
  /** The newest round, by its id. Remembered when the bus has lost it. */
  readonly id: string | null;
  /** On this process's own clock, which never jumps; null: no round was ever seen. */
  readonly bornMs: number | null;
  readonly lookedMs: number | null;
  /** It was not there yet at a look before; then `bornMs` is right to within that look. */
  readonly isWitnessed: boolean;
}

export interface Glance {
  readonly id: string | null;
  /** Own clock: before the bus was asked, and when it had answered. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** By the wall clock, when it had answered. */
  readonly wallMs: number;
  readonly intervalMs: number;
}

export const NOTHING_SEEN: Sight = { id: null, bornMs: null, lookedMs: null, isWitnessed: true };

export function seeing(before: Sight, glance: Glance): Sight {
  const { id, beganMs, endedMs, wallMs, intervalMs } = glance;
  if (id === null || id === before.id) return { ...before, lookedMs: beganMs };
  const earliestMs = before.lookedMs ?? endedMs - intervalMs;
  const ageMs = wallMs - Date.parse(id);
  const claimedMs = Number.isNaN(ageMs) ? endedMs : endedMs - ageMs;
  const bornMs = Math.min(endedMs, Math.max(earliestMs, claimedMs));
  return { id, bornMs, lookedMs: beganMs, isWitnessed: before.lookedMs !== null };
}

/** Milliseconds until the next round is due; 0: it is. */
export const untilDue = ({ bornMs }: Sight, nowMs: number, intervalMs: number): number =>
  bornMs === null ? 0 : Math.max(0, bornMs + intervalMs - nowMs);
