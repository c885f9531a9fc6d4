import Type, { type Static } from 'typebox';
import { COUNT_MAX } from './book.ts';
import { valueIn } from '../../world/value-in.ts';

/**
 * Who may publish, among all tasks of all services on the bus. Not what keeps a round from being published twice, which is the
 * compare-and-set of the book; but what keeps publishers from following each other without need, and what gives out terms.
 *
 * It ends in three ways, and none compares the clocks of two machines: memcached ends it; the task that manages the holder's
 * own service takes it over; or the managing task of another service has looked several times and found it not renewed.
 */
export const PublisherLease = Type.Object({
  task_id: Type.String(),
  service: Type.String(),
  /** Null while it is taken and its term not yet drawn: drawn before, an old term could come after a newer one. */
  term: Type.Union([Type.Integer({ minimum: 1, maximum: COUNT_MAX }), Type.Null()]),
  /** Counts renewals, so that whoever looks sees one. */
  beat: Type.Integer({ maximum: COUNT_MAX }),
});
export type PublisherLease = Static<typeof PublisherLease>;

/** Backstop only: for a world that is asleep, and for tasks that see no other. */
export const LEASE_TTL_SECONDS = 5;
/**
 * Looks at a lease that stays the same before it counts as left behind; fewer once a round is due. A holder renews it about
 * once a look. One that is only slow loses it too, which costs a term and nothing else.
 */
const LOOKS_UNTIL_STALE = 4;
const LOOKS_UNTIL_STALE_WHEN_DUE = 2;

export interface LeaseSeen {
  readonly lease: PublisherLease | null;
  /** How many looks before this one have seen it exactly so. */
  readonly looksBefore: number;
  readonly isDue: boolean;
  /** Whether this task knows when the next round is due (sight.ts). */
  readonly isWitness: boolean;
  readonly taskId: string;
  readonly service: string;
  /** Whether this task is the one that manages its service; null: the daemon does not say. */
  readonly manages: boolean | null;
}

export const isLeftBehind = ({ lease, looksBefore, isDue }: Pick<LeaseSeen, 'lease' | 'looksBefore' | 'isDue'>): boolean =>
  lease === null || looksBefore >= (isDue ? LOOKS_UNTIL_STALE_WHEN_DUE : LOOKS_UNTIL_STALE);

/**
 * Only the managing task takes a lease. A holder that does not manage any more goes on until the one that does takes it over,
 * within a look of being of use: a task is named from the moment it is started, long before it can publish, and then it has
 * to see a round begin before it knows when the next one is due.
 */
export function leaseMove(seen: LeaseSeen): 'renew' | 'claim' | 'wait' {
  const { lease, taskId, service, manages, isWitness } = seen;
  if (lease?.task_id === taskId) return 'renew';
  if (manages !== true) return 'wait';
  return (isWitness && lease?.service === service) || isLeftBehind(seen) ? 'claim' : 'wait';
}

/** Null: nothing, or nothing that can be read. */
export const leaseIn = (text: string | null): PublisherLease | null => valueIn(PublisherLease, text);
