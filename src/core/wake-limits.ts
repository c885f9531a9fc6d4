import type { Config } from '../contract/config.ts';
import type { Rate } from '../contract/units.ts';
import { elapsed, type Instant, type Millis, millisOf } from '../std/time.ts';

/**
 * How often callers may wake agents. Wakes are counted and not requests: whoever calls an agent that is awake, or on its way,
 * costs nothing here. Each client has a bucket of tokens, and so have all of them together; a wake takes one of each or
 * none, so that a client who is refused takes nothing away from the others.
 *
 * The table of clients is bounded. A bucket that is full again is as good as none and is forgotten first. Only ordered wakes
 * put a client into the table, so with a total of 600/m at most 1,200 buckets are not full at any time; making a client
 * forgotten earlier takes {@link CLIENTS_MAX} wakes from as many addresses, and wins one bucket.
 */
const CLIENTS_MAX = 10_000;
/** Sums of fractions are not exact, and a wake must not be refused for the last digit of one. */
const TOLERANCE = 1e-6;

export type WakeRates = Config['wake_limits'];

export type WakeDecision =
  { readonly ok: true } | { readonly ok: false; readonly scope: 'client' | 'total'; readonly retryAfter: Millis };

export class WakeLimits {
  private rates: WakeRates;
  private total: Bucket | null = null;
  /** In the order in which they were last taken from. */
  private readonly clients = new Map<string, Bucket>();

  constructor(rates: WakeRates) {
    this.rates = rates;
  }

  /** What was taken stays taken; a bucket never holds more than the new rate allows. */
  change(rates: WakeRates): void {
    this.rates = rates;
  }

  /**
   * Asked once for each wake that is about to be ordered, and taken from only when the answer is yes. `client`: an address;
   * null for callers that have none, who count in the total only.
   */
  decide(client: string | null, now: Instant): WakeDecision {
    const { per_client: perClient, total } = this.rates;
    const name = client === null || perClient === null ? null : clientKey(client);
    const own = name === null || perClient === null ? null : filled(this.clients.get(name), perClient, now);
    const all = total === null ? null : filled(this.total ?? undefined, total, now);
    if (own !== null && perClient !== null && own.tokens < 1 - TOLERANCE) return refused('client', own, perClient);
    if (all !== null && total !== null && all.tokens < 1 - TOLERANCE) return refused('total', all, total);
    if (all !== null) this.total = taken(all);
    if (name !== null && own !== null && perClient !== null) this.keep(name, taken(own), perClient, now);
    return { ok: true };
  }

  get clientsKept(): number {
    return this.clients.size;
  }

  private keep(name: string, bucket: Bucket, rate: Rate, now: Instant): void {
    this.clients.delete(name);
    this.clients.set(name, bucket);
    for (const [other, old] of this.clients) {
      const isFull = filled(old, rate, now).tokens >= rate.count - TOLERANCE;
      if (!isFull && this.clients.size <= CLIENTS_MAX) return;
      this.clients.delete(other);
    }
  }
}

interface Bucket {
  readonly tokens: number;
  readonly at: Instant;
}

/** The bucket as it stands `now`: it fills evenly, up to the whole of what the rate allows at once. */
function filled(bucket: Bucket | undefined, { count, per }: Rate, now: Instant): Bucket {
  if (bucket === undefined) return { tokens: count, at: now };
  return { tokens: Math.min(count, bucket.tokens + (elapsed(bucket.at, now) * count) / per), at: now };
}

const taken = ({ tokens, at }: Bucket): Bucket => ({ tokens: tokens - 1, at });

const refused = (scope: 'client' | 'total', { tokens }: Bucket, { count, per }: Rate): WakeDecision => ({
  ok: false,
  scope,
  retryAfter: millisOf(((1 - tokens) * per) / count),
});

/**
 * What of an address is one client. A household has at least a /64 of IPv6 (RFC 6177) and may call from any address in it;
 * IPv4 that is written as IPv6 is IPv4.
 */
export function clientKey(address: string): string {
  const [bare = ''] = address.toLowerCase().split('%');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1];
  if (mapped !== undefined || !bare.includes(':')) return mapped ?? bare;
  const [head = '', tail] = bare.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const behind = tail === '' ? [] : tail.split(':');
    // The last two groups may be written as IPv4.
    const missing = 8 - groups.length - behind.length - (bare.includes('.') ? 1 : 0);
    groups.push(...Array.from({ length: Math.max(missing, 0) }, () => '0'), ...behind);
  }
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
