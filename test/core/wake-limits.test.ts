import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientKey, WakeLimits } from '../../src/core/wake-limits.ts';
import { parseRate, type Rate } from '../../src/contract/units.ts';
import { instantOf, millisOf } from '../../src/std/time.ts';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 1e9);
const rate = (text: string): Rate => {
  const parsed = parseRate(text);
  if (parsed === null) throw new Error(text);
  return parsed;
};
const limits = (perClient: string | null, total: string | null): WakeLimits =>
  new WakeLimits({ per_client: perClient === null ? null : rate(perClient), total: total === null ? null : rate(total) });
const at = (ms: number) => instantOf(1e9 + ms);

describe('wake limits', () => {
  const rates = fc.record({ count: fc.integer({ min: 1, max: 20 }), per: fc.constantFrom(1000, 60_000).map(millisOf) });
  const calls = fc.array(
    fc.record({
      client: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1', null),
      wait: fc.double({ min: 0, max: 9000, noNaN: true }),
    }),
    { maxLength: 150 },
  );

  test(`allow in no window more than a bucket and what flows in meanwhile, for each client and in all (FC_SEED=${seed})`, () => {
    fc.assert(
      fc.property(rates, rates, calls, (perClient, total, all) => {
        const subject = new WakeLimits({ per_client: perClient, total });
        let now = 0;
        const allowed: { readonly client: string | null; readonly now: number }[] = [];
        for (const { client, wait } of all) {
          now += wait;
          if (subject.decide(client, at(now)).ok) allowed.push({ client, now });
        }
        const within = (list: typeof allowed, { count, per }: Rate) => {
          for (const [from, first] of list.entries())
            for (const [to, last] of list.entries())
              if (to >= from) expect(to - from + 1).toBeLessThanOrEqual(count + ((last.now - first.now) * count) / per + 1e-3);
        };
        within(allowed, total);
        for (const client of new Set(all.map((call) => call.client)))
          if (client !== null)
            within(
              allowed.filter((call) => call.client === client),
              perClient,
            );
      }),
      { seed, numRuns: 300 },
    );
  });

  test(`refuse nobody for what another was refused for (FC_SEED=${seed})`, () => {
    fc.assert(
      fc.property(rates, calls, (perClient, all) => {
        // Both hear the same of one client; the greedy one calls in one of the worlds only, and the total is never the limit.
        const alone = new WakeLimits({ per_client: perClient, total: rate('100000/s') });
        const beside = new WakeLimits({ per_client: perClient, total: rate('100000/s') });
        let now = 0;
        for (const { client, wait } of all) {
          now += wait;
          for (let more = 0; more < 30; more += 1) beside.decide('198.51.100.7', at(now));
          expect(beside.decide(client, at(now))).toEqual(alone.decide(client, at(now)));
        }
      }),
      { seed, numRuns: 100 },
    );
  });

  test('say when the next wake is allowed, and keep their word', () => {
    const subject = limits('60/m', '600/m');
    for (let wake = 0; wake < 60; wake += 1) expect(subject.decide('192.0.2.1', at(0)).ok).toBe(true);
    const refused = subject.decide('192.0.2.1', at(250));
    expect(refused).toEqual({ ok: false, scope: 'client', retryAfter: 750 });
    expect(subject.decide('192.0.2.1', at(999)).ok).toBe(false);
    expect(subject.decide('192.0.2.1', at(1000)).ok).toBe(true);
    expect(subject.decide('192.0.2.2', at(250)).ok).toBe(true);
  });

  test('take nothing of the total for a client who is refused, nor of a client for a total that is used up', () => {
    const subject = limits('2/h', '3/h');
    const answers = ['a', 'a', 'a', 'a', 'b', 'c', 'c'].map((client) => subject.decide(client, at(0)));
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.scope))).toEqual([
      'ok',
      'ok',
      'client',
      'client',
      'ok',
      'total',
      'total',
    ]);
    // 20 minutes bring one more token of the total; c still has both of its own.
    expect(subject.decide('c', at(1_200_001)).ok).toBe(true);
  });

  test('count callers without an address in the total only', () => {
    const subject = limits('1/h', '3/h');
    expect([1, 2, 3].map(() => subject.decide(null, at(0)).ok)).toEqual([true, true, true]);
    expect(subject.decide(null, at(0))).toMatchObject({ ok: false, scope: 'total' });
  });

  test('switched off allow everything, one by one', () => {
    const noTotal = limits('1/h', null);
    expect(noTotal.decide('a', at(0)).ok).toBe(true);
    expect(noTotal.decide('a', at(0))).toMatchObject({ scope: 'client' });
    const none = limits(null, null);
    for (let wake = 0; wake < 5000; wake += 1) expect(none.decide('a', at(0)).ok).toBe(true);
    expect(none.clientsKept).toBe(0);
  });

  test('forget a client whose bucket is full again, and keep the table within its bound', () => {
    const subject = limits('60/m', '1000/s');
    for (let client = 0; client < 900; client += 1) subject.decide(`10.0.${client >> 8}.${client & 255}`, at(0));
    expect(subject.clientsKept).toBe(900);
    subject.decide('192.0.2.1', at(1000));
    expect(subject.clientsKept).toBe(1);

    const open = limits('60/m', null);
    for (let client = 0; client < 12_000; client += 1)
      open.decide(`10.${client >> 16}.${(client >> 8) & 255}.${client & 255}`, at(0));
    expect(open.clientsKept).toBe(10_000);
  });

  test('a client who has used up its wakes is not forgotten while others come by the thousand', () => {
    const subject = limits('2/m', '600/m');
    for (let wake = 0; wake < 2; wake += 1) subject.decide('192.0.2.1', at(0));
    let next = 0;
    for (let ms = 0; ms < 29_000; ms += 10) {
      subject.decide(`2001:db8:${(next >> 8).toString(16)}:${(next & 255).toString(16)}::1`, at(ms));
      next += 1;
    }
    expect(subject.decide('192.0.2.1', at(29_000))).toMatchObject({ scope: 'client' });
    expect(subject.clientsKept).toBeLessThan(10_000);
  });

  test('changed by a reload go on with what was taken', () => {
    const subject = limits('2/h', null);
    for (let wake = 0; wake < 2; wake += 1) subject.decide('a', at(0));
    subject.change({ per_client: rate('1/h'), total: null });
    expect(subject.decide('a', at(0)).ok).toBe(false);
    subject.change({ per_client: null, total: null });
    expect(subject.decide('a', at(0)).ok).toBe(true);
  });

  test('one client is an address of IPv4, or a /64 of IPv6 however it is written', () => {
    for (const [address, key] of [
      ['192.0.2.1', '192.0.2.1'],
      ['::ffff:192.0.2.1', '192.0.2.1'],
      ['2001:DB8:0:1:ffff::2', '2001:db8:0:1'],
      ['2001:db8:0:1::', '2001:db8:0:1'],
      ['2001:0db8:0000:0001:0:0:0:9', '2001:db8:0:1'],
      ['2001:db8::1', '2001:db8:0:0'],
      ['::1', '0:0:0:0'],
      ['::', '0:0:0:0'],
      ['fe80::1%eth0', 'fe80:0:0:0'],
      ['64:ff9b::192.0.2.1', '64:ff9b:0:0'],
      ['2001:db8:1:2:3:4:192.0.2.1', '2001:db8:1:2'],
    ] as const)
      expect(clientKey(address), address).toBe(key);
  });
});
