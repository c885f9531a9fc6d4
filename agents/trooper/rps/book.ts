import Type, { type Static } from 'typebox';
import { Choice } from '../../world/values.ts';
import { valueIn } from '../../world/value-in.ts';

/**
 * What lies at the key of the round: the newest round in the words of the original, and the last ten beside it, so that a
 * trooper that was stalled plays what it missed. It is the one authority: a round is published by compare-and-set from the
 * book that ends with the round before, hence by one of those who try.
 *
 * Where nothing lies an empty book is put first. It is no publication, and whoever publishes replaces exactly that book; a
 * writer that slept since the key was empty could otherwise fill it once more, after others had come and gone.
 */
export const ROUNDS_KEPT = 10;

/** Somebody else's "stone" is a rock. */
const Shown = Type.Union([Choice, Type.Literal('stone')]);
export type Shown = Static<typeof Shown>;

/** No world counts so far. Somebody else's value does, and to such a number nothing can be added. */
export const COUNT_MAX = 1e15;
/** Of one length, so that the later one is the greater text; a year of five digits is beyond what comes after it. */
const RoundId = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$' });

/** `round` counts all rounds of the world. `term` is that of the lease under which it was published. */
export const Round = Type.Object({
  round: Type.Integer({ minimum: 1, maximum: COUNT_MAX }),
  term: Type.Integer({ minimum: 1, maximum: COUNT_MAX }),
  /** Its id. Rises from round to round, whatever clocks say. */
  at: RoundId,
  choice: Shown,
  from: Type.String(),
  task_id: Type.String(),
});
export type Round = Static<typeof Round>;

const Book = Type.Object({
  /** Oldest first. */
  recent: Type.Array(Round, { maxItems: ROUNDS_KEPT }),
  /** What it was stored with. */
  ttl_seconds: Type.Integer(),
});
export type Book = Static<typeof Book>;

/** Numbers and ids that were given out. Kept when the book is gone: players remember a round for longer than the bus does. */
const Mark = Type.Object({ round: Type.Integer({ minimum: 0, maximum: COUNT_MAX }), at: RoundId });
export type Mark = Static<typeof Mark>;

/** Null: nothing, or nothing that can be read. */
export const bookIn = (text: string | null): Book | null => valueIn(Book, text);
export const markIn = (text: string | null): Mark | null => valueIn(Mark, text);
export const newestOf = (book: Book | null): Round | null => book?.recent.at(-1) ?? null;

export function bookText(recent: readonly Round[], ttlSeconds: number): string {
  const newest = recent.at(-1);
  const shown = newest === undefined ? {} : { ...newest, publisher: 'leader-manager' };
  return JSON.stringify({ ...shown, ttl_seconds: ttlSeconds, recent: recent.slice(-ROUNDS_KEPT) });
}

const LAST_ID_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Number and id of the round after `last`; the id is `wallMs`, or later where the clock of an earlier publisher was ahead. */
export function after(last: Mark | null, wallMs: number): Mark {
  const lastMs = Date.parse(last?.at ?? '');
  // No time, or the last one that has an id after it: then nobody's clock was merely ahead.
  const atMs = lastMs < LAST_ID_MS ? Math.max(wallMs, lastMs + 1) : wallMs;
  return { round: (last?.round ?? 0) + 1, at: new Date(atMs).toISOString() };
}
