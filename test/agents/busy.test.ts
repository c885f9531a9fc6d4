import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Busy, busyWith } from '../../agents/kit/busy.ts';
import { DaemonError } from '../../agents/kit/daemon-error.ts';
import { keepRoute } from '../../agents/kit/routes.ts';
import type { Daemon } from '../../agents/kit/daemon.ts';
import { type Millis, millisOf } from '../../src/std/time.ts';

const log: string[] = [];
let take: () => Promise<Millis>;
const unused = () => Promise.reject(new Error('not part of this test'));
const daemon: Daemon = {
  self: unused,
  scale: unused,
  endTask: unused,
  routes: unused,
  register: async (hostname, target, ttl) => {
    log.push(`register ${hostname} ${target} ${ttl}`);
    return ttl;
  },
  unregister: async (hostname) => {
    log.push(`unregister ${hostname}`);
    throw new DaemonError('refused', 'gone', 'unknown-service', 404);
  },
  takeLease: (ttl, reason) => {
    log.push(`take ${ttl} ${reason}`);
    return take();
  },
  dropLease: async () => {
    // The answer is as late as it can be: later than anything that did not wait for it.
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    log.push('drop');
  },
};
const watcher = { late: vi.fn(), lost: vi.fn() };
let busy: Busy;

beforeEach(() => {
  vi.useFakeTimers();
  log.length = 0;
  take = async () => millisOf(60_000);
  busy = busyWith(daemon, watcher);
});
afterEach(() => vi.useRealTimers());

describe('being busy', () => {
  it('is one lease however many hold it: the first takes it, the last release ends it', async () => {
    const holds = await Promise.all([busy.hold('first'), busy.hold('second'), busy.hold('third')]);
    expect(busy.held).toBe(3);
    await holds[0].release();
    await holds[1].release();
    expect(log).toEqual(['take 60000 first']);
    await holds[2].release();
    expect(log).toEqual(['take 60000 first', 'drop']);
    expect([busy.held, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('counts a release once, so that releasing twice does not take the lease from the others', async () => {
    const [one, other] = await Promise.all([busy.hold('one'), busy.hold('other')]);
    await one.release();
    await one.release();
    expect(log).not.toContain('drop');
    await other.release();
  });

  it('is renewed while it is held', async () => {
    const hold = await busy.hold('long work');
    await vi.advanceTimersByTimeAsync(61_000);
    expect(log.filter((line) => line.startsWith('take')).length).toBeGreaterThanOrEqual(4);
    await hold.release();
  });

  it('takes the next lease only after the last one is dropped, or the drop would end it', async () => {
    const first = await busy.hold('first');
    const releasing = first.release();
    const next = busy.hold('next');
    await releasing;
    await (await next).release();
    expect(log).toEqual(['take 60000 first', 'drop', 'take 60000 next', 'drop']);
  });

  it('is refused to all who asked when the daemon refuses it, and can be asked for again', async () => {
    const refused = new DaemonError('refused', 'no', 'not-your-task', 403);
    take = () => Promise.reject(refused);
    const outcomes = await Promise.allSettled([busy.hold('a'), busy.hold('b')]);
    expect(outcomes).toEqual([
      { status: 'rejected', reason: refused },
      { status: 'rejected', reason: refused },
    ]);
    expect(busy.held).toBe(0);
    take = async () => millisOf(60_000);
    await (await busy.hold('c')).release();
    expect(log.at(-1)).toBe('drop');
  });

  it('sends at most 200 characters of the reason, and never an empty one', async () => {
    await (await busy.hold('x'.repeat(500))).release();
    await (await busy.hold('')).release();
    expect(log.filter((line) => line.startsWith('take'))).toEqual([`take 60000 ${'x'.repeat(200)}`, 'take 60000 busy']);
  });
});

describe('a route of the agent', () => {
  it('is registered for two minutes, renewed, and taken back; that it is gone already is no error', async () => {
    const route = await keepRoute(daemon, { hostname: 'p.kai.localhost', target: ':3000' }, watcher);
    await vi.advanceTimersByTimeAsync(40_000);
    await route.drop();
    expect(log).toEqual([
      'register p.kai.localhost :3000 120000',
      'register p.kai.localhost :3000 120000',
      'unregister p.kai.localhost',
    ]);
  });
});
