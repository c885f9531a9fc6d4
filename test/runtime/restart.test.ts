import { describe, expect, test } from 'vitest';
import { prng } from '../../src/std/prng.ts';
import { House, caller, codeOf, house } from './harness.ts';

/** The daemon is killed and started again. Under Swarm that is no event for agents: what runs is found and taken over. */
const KAI = { idle: { timeout: '60s', drain_timeout: '10s' }, domains: ['*.preview.test'] };
const SWARM = { name: 'swarm', answerMs: 20 } as const;

const register = (open: House, hostname: string, ttl?: string): string =>
  codeOf(open.control.register(caller(), { hostname, target: ':3000', ...(ttl === undefined ? {} : { ttl }) }));
const hostnames = (open: House): string[] => open.control.services().map(({ hostname }) => hostname);

/** The next daemon, up. */
async function again(open: House): Promise<House> {
  const next = open.killed();
  await next.open();
  return next;
}

describe('a restart of the daemon', () => {
  test('E: what runs is adopted without a scale and without a cut, and idleness counts from the start', async () => {
    const first = await house({ agents: { kai: KAI }, engine: SWARM });
    await first.ready();
    await first.clock.advance(50_000);
    const calls = first.engine.calls.length;
    const second = await again(first);
    await second.clock.advance(1000);
    expect(second.state()).toBe('ready');
    expect(second.runner().wokenBy).toBe('adopted');
    await second.clock.advance(58_000);
    expect(second.engine.scales('kai', calls)).toEqual([]);
    await second.clock.advance(2000);
    expect(second.engine.scales('kai', calls)).toEqual([0]);
    await second.close();
  });

  const seed = Number(process.env['RESTART_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  test(`E: killed at any point of its agents' lives, it orders no start, and finishes what was half done (RESTART_SEED=${seed})`, async () => {
    const random = prng(seed);
    const met = new Map<string, number>();
    for (let round = 0; round < 300; round += 1) {
      const first = new House({ agents: { kai: KAI }, engine: SWARM });
      await first.open();
      const killAt = random.below(17_000);
      // Wakes, registers, is told to sleep at work, drains, stops and is gone by 16 s.
      let left = killAt;
      const pass = async (ms: number): Promise<boolean> => {
        const passed = Math.min(ms, left);
        left -= passed;
        await first.clock.advance(passed);
        return left > 0;
      };
      first.ask();
      if (await pass(500)) {
        expect(register(first, 'a.preview.test')).toBe('ok');
        const work = first.admitted();
        if (await pass(5000)) first.control.sleep('kai', { force: false });
        if (await pass(7000)) work.end();
        await pass(left);
      }
      const about = `killed at ${killAt} ms, ${first.state()}`;
      met.set(first.state(), (met.get(first.state()) ?? 0) + 1);
      const kept = first.store.routes();
      const calls = first.engine.calls.length;
      const second = first.killed();
      const away = random.below(2) === 1;
      if (away) second.engine.lose();
      await second.open();
      if (away) {
        expect(second.ask(), about).toMatchObject({ problem: 'engine-unavailable' });
        await second.clock.advance(random.below(5000));
        second.engine.restore();
      }
      await second.clock.advance(8000);
      const { wanted, tasks } = second.engine.truth('kai');
      expect([wanted, tasks.length, second.state()], about).toEqual(wanted === 1 ? [1, 1, 'ready'] : [0, 0, 'sleeping']);
      expect(
        second.engine.scales('kai', calls).filter((replicas) => replicas > 0 || wanted > 0),
        about,
      ).toEqual([]);
      expect(second.store.routes(), about).toEqual(wanted === 1 ? kept : []);
      expect(hostnames(second), about).toEqual(second.store.routes().map(({ hostname }) => hostname));
      if (kept.length > 0) expect(wanted, about).toBe(1);
      expect(second.engine.overlaps, about).toBe(0);
      if (wanted === 1) expect(second.ask().kind, about).toBe('admitted');
      else await second.ready();
      await second.close();
    }
    expect([...met.keys()].sort(), 'every state was met').toEqual(['draining', 'ready', 'sleeping', 'starting', 'stopping']);
  });

  test('E: hostnames that live tasks registered are kept, those of others and those that ended meanwhile are not', async () => {
    const files = { policy: 'unmanaged', backend: 'http://127.0.0.1:7000', domains: ['*.preview.test'] };
    const first = await house({ agents: { kai: KAI, files }, engine: SWARM });
    await first.ready();
    for (const [name, ttl] of [['a'], ['b', '1h'], ['c', '1ms']] as const)
      expect(register(first, `${name}.preview.test`, ttl)).toBe('ok');
    const [a, b, c] = first.store.routes();
    const next = first.killed();
    for (const hostname of ['kai.test', 'not.allowed.test']) next.store.putRoute({ ...a!, hostname });
    next.store.putRoute({ ...a!, hostname: 'dead.preview.test', task: 'task-99' });
    for (const agent of ['nobody', 'files']) next.store.putRoute({ ...a!, hostname: `${agent}.preview.test`, agent });
    next.store.putRoute({ ...c! });
    await next.clock.advance(1000);
    await next.open();
    expect(next.store.routes()).toEqual([a, b]);
    expect(next.control.services().map(({ hostname, expires_at }) => [hostname, expires_at === null])).toEqual([
      ['a.preview.test', true],
      ['b.preview.test', false],
    ]);
    await next.clock.advance(500);
    expect(next.admitted('a.preview.test').target.address.port).toBe(3000);
    await next.close();
  });

  test('E: while the engine is away registered hostnames are kept and asked to come back, however long it takes', async () => {
    const first = await house({ agents: { kai: KAI }, engine: SWARM });
    await first.ready();
    register(first, 'a.preview.test');
    register(first, 'b.preview.test', '30s');
    const [a] = first.store.routes();
    const next = first.killed();
    next.engine.lose();
    await next.open();
    expect(next.ask('a.preview.test')).toMatchObject({ problem: 'engine-unavailable' });
    expect(hostnames(next)).toEqual(['a.preview.test', 'b.preview.test']);
    await next.clock.advance(120_000);
    expect(next.store.routes()).toEqual([a]);
    next.engine.restore();
    await next.clock.advance(100);
    expect(next.admitted('a.preview.test').target.address.port).toBe(a?.port);
    await next.close();
  });

  test('E: a task that ended while nobody watched takes its hostnames with it', async () => {
    const first = await house({ agents: { kai: KAI }, engine: SWARM });
    await first.ready();
    register(first, 'a.preview.test');
    const next = first.killed();
    next.engine.lose();
    await next.open();
    next.engine.scaleByHand('kai', 0);
    await next.clock.advance(10);
    next.engine.restore();
    await next.clock.advance(10);
    expect(next.state()).toBe('stopping');
    expect([hostnames(next), next.store.routes()]).toEqual([[], []]);
    await next.clock.advance(5000);
    await next.ready();
    await next.close();
  });

  test('E: an agent that is found told to stop has no hostnames any more, though its task still runs', async () => {
    const first = await house({ agents: { kai: KAI }, engine: SWARM });
    await first.ready();
    register(first, 'a.preview.test');
    const next = first.killed();
    next.engine.lose();
    await next.open();
    next.runner().observe({ ...next.engine.truth('kai'), wanted: 0 });
    expect([next.state(), hostnames(next), next.store.routes()]).toEqual(['stopping', [], []]);
    await next.close();
  });

  test('E: an agent whose first look fails loses nothing, holds up nobody, and is asked for again by its next caller', async () => {
    const agents = { kai: KAI, eve: { ...KAI, domains: ['*.preview.test'] } };
    const first = await house({ agents, engine: SWARM });
    await Promise.all([first.ready(), first.ready('eve')]);
    register(first, 'a.preview.test');
    const calls = first.engine.calls.length;
    const next = first.killed();
    next.engine.news.drop(1);
    next.engine.failNext('observe');
    await next.open();
    expect([next.runner('kai').met, next.runner('eve').met]).toEqual([false, true]);
    await next.clock.advance(1000);
    expect(next.ask('eve.test').kind).toBe('admitted');
    expect(hostnames(next)).toEqual(['a.preview.test']);
    // Nobody else gets the hostname meanwhile.
    expect(codeOf(next.control.register(caller('eve'), { hostname: 'a.preview.test', target: ':3000' }))).toBe('hostname-taken');
    expect(next.ask('a.preview.test')).toMatchObject({ problem: 'engine-unavailable' });
    expect(codeOf(next.control.wake('kai'))).toBe('engine-unavailable');
    await next.clock.advance(100);
    expect(next.admitted('a.preview.test').target.address.port).toBe(3000);
    expect(next.engine.calls.slice(calls).filter(({ call, agent }) => call === 'observe' && agent === 'kai')).toHaveLength(2);
    await next.close();
  });

  test('E: on the process engine nothing is left to adopt: the agent is asleep, its routes are gone, its agents made by API are there', async () => {
    const first = await house({ agents: { kai: KAI } });
    await first.ready();
    first.control.register(caller(), { hostname: 'a.preview.test', target: ':3000' });
    first.control.createAgent({ name: 'made', hostname: 'made.test', backend: 'http://127.0.0.1:7001', policy: 'unmanaged' });
    const second = await house({ agents: { kai: KAI }, store: first.store, clock: first.clock });
    expect(second.state()).toBe('sleeping');
    expect(second.control.services()).toEqual([]);
    expect(second.store.routes()).toEqual([]);
    expect(second.ask('made.test').kind).toBe('admitted');
    // Measured starts are kept too: Retry-After is no guess any more.
    expect(second.ask()).toMatchObject({ retryAfterSeconds: 1 });
  });
});
