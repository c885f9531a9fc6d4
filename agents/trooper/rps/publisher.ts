import { BusError } from '../../world/bus-error.ts';
import type { Bus } from '../../world/bus.ts';
import { KEYS, TTL } from '../../world/keys.ts';
import type { Choice } from '../../world/values.ts';
import { type Mark, type Round, after, bookIn, bookText, markIn, newestOf } from './book.ts';
import { roundTtl } from './interval.ts';
import { LEASE_TTL_SECONDS, type PublisherLease, leaseIn } from './lease.ts';

/**
 * What a publisher does on the bus. It may be stalled between any two calls for any time. What holds all the same rests on one
 * order: first the book is read, then the lease is renewed, then the book is replaced, if it is still the one that was read.
 * Had a later term published after the reading, the book would be another one; had it before, the lease would be lost. So
 * terms never fall from round to round, and no round has two publications.
 *
 * Every call rejects with a BusError, and may be repeated after that: nothing is known here that is not read again.
 */
export interface Desk {
  readonly bus: Bus;
  readonly taskId: string;
  readonly taskName: string;
  readonly service: string;
}

const ATTEMPTS_MAX = 5;

/** Takes the lease where it is still as it was `seen`; null: nothing was there. It has no term yet. */
export async function claimLease({ bus, taskId, service }: Desk, seen: string | null): Promise<boolean> {
  const text = JSON.stringify({ task_id: taskId, service, term: null, beat: 0 } satisfies PublisherLease);
  const found = await bus.gets(KEYS.rpsLease);
  if ((found?.value ?? null) !== seen) return false;
  if (found === null) return bus.add(KEYS.rpsLease, text, LEASE_TTL_SECONDS);
  return bus.cas(KEYS.rpsLease, text, LEASE_TTL_SECONDS, found.version);
}

/** Resolves to the term under which the lease is held now, at least `termMin`; null: somebody else has it. */
export async function renewLease({ bus, taskId }: Desk, termMin: number): Promise<number | null> {
  const found = await bus.gets(KEYS.rpsLease);
  const lease = leaseIn(found?.value ?? null);
  if (found === null || lease?.task_id !== taskId) return null;
  const term = lease.term !== null && lease.term >= termMin ? lease.term : await drawTerm(bus, termMin);
  const text = JSON.stringify({ ...lease, term, beat: lease.beat + 1 });
  return (await bus.cas(KEYS.rpsLease, text, LEASE_TTL_SECONDS, found.version)) ? term : null;
}

/** Above all that were drawn before. The counter may be lost while the book is not, so the book has a say. */
async function drawTerm(bus: Bus, termMin: number): Promise<number> {
  const found = await bus.gets(KEYS.rpsTerm);
  // Somebody else's value: memcached adds nothing to it, and would say so until the end of the world.
  if (found !== null && !/^[0-9]{1,15} *$/.test(found.value)) await bus.cas(KEYS.rpsTerm, String(termMin), 0, found.version);
  const term = await bus.increment(KEYS.rpsTerm, 1, 1);
  return term > termMin ? term : bus.increment(KEYS.rpsTerm, termMin + 1 - term, termMin + 1);
}

export interface Edition {
  /** The newest round that the caller knows of, by its id: what is to be published follows it. */
  readonly afterId: string | null;
  /** False: no round is due, and only how long the book is kept is put right. */
  readonly isDue: boolean;
  readonly intervalSeconds: number;
  readonly wallMs: () => number;
  readonly choose: () => Choice;
}

/** `kept`: nothing was due. `opened`: an empty book is there now, and the round can follow. `overtaken`: it is somebody else's. */
export type Published = 'published' | 'kept' | 'opened' | 'overtaken';

/** Keeps the lease, and publishes the round after `afterId` where that is due and still the newest. */
export async function publish(desk: Desk, edition: Edition): Promise<Published> {
  const { bus } = desk;
  const found = await bus.gets(KEYS.rpsState);
  const book = bookIn(found?.value ?? null);
  const newest = newestOf(book);
  const ttl = roundTtl(edition.intervalSeconds);
  const term = await renewLease(desk, newest?.term ?? 0);
  if (term === null) return 'overtaken';
  const replace = (recent: readonly Round[]): Promise<boolean> => {
    const text = bookText(recent, ttl);
    return found === null ? bus.add(KEYS.rpsState, text, ttl) : bus.cas(KEYS.rpsState, text, ttl, found.version);
  };

  if (found === null || book === null) {
    if (!edition.isDue) return 'kept';
    return (await replace([])) ? 'opened' : 'overtaken';
  }
  if (newest !== null && newest.at !== edition.afterId) return 'kept';
  if (!edition.isDue) {
    // Another interval than when it was stored: it would be gone before the next round, or stay for too long.
    if (book.ttl_seconds !== ttl) await replace(book.recent);
    return 'kept';
  }
  const next = await reserve(bus, newest, edition.wallMs());
  const round: Round = { ...next, term, choice: edition.choose(), from: desk.taskName, task_id: desk.taskId };
  return (await replace([...book.recent, round])) ? 'published' : 'overtaken';
}

/** Number and id for a round. The mark is above both before the round is published, so none is given out again. */
async function reserve(bus: Bus, newest: Round | null, wallMs: number): Promise<Mark> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const found = await bus.gets(KEYS.rpsMark);
    const mark = markIn(found?.value ?? null);
    const next = after(newest ?? mark, wallMs);
    const raised: Mark = {
      round: Math.max(next.round, mark?.round ?? 0),
      at: mark !== null && mark.at > next.at ? mark.at : next.at,
    };
    const text = JSON.stringify(raised);
    const stored =
      found === null
        ? await bus.add(KEYS.rpsMark, text, TTL.rpsMark)
        : await bus.cas(KEYS.rpsMark, text, TTL.rpsMark, found.version);
    if (stored) return next;
  }
  throw new BusError(`${KEYS.rpsMark} was changed by others ${ATTEMPTS_MAX} times in a row`);
}
