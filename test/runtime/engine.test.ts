import { describe, expect, test } from 'vitest';
import { House, caller, codeOf, house } from './harness.ts';

const KAI = { idle: { timeout: '60s', drain_timeout: '10s' }, domains: ['*.preview.test'] };

describe('the engine is lost', () => {
  test('F: who is ready is served, wakes are refused, and all is right again when it is back', async () => {
    const open = await house({ agents: { kai: KAI, eve: {} } });
    await open.ready();
    open.engine.lose('the socket is gone');
    await open.clock.settle();
    expect(open.ask().kind).toBe('admitted');
    expect(open.ask('eve.test')).toEqual({ kind: 'refused', problem: 'engine-unavailable', retryAfterSeconds: 3 });
    expect(open.want('eve.test')).toEqual({ kind: 'refused', problem: 'engine-unavailable', retryAfterSeconds: 3 });
    expect(open.want('kai.test')).toBeNull();
    expect(codeOf(open.control.wake('eve'))).toBe('engine-unavailable');
    expect(codeOf(open.control.wake('kai'))).toBe('ok');
    open.fleet.lookup('eve.test' as never)?.want('api');
    expect(open.state('eve')).toBe('sleeping');
    expect(open.control.health()).toMatchObject({ status: 'degraded', engine: { connected: false } });
    expect(open.control.ready()).toEqual({ ready: false, because: 'engine unavailable' });
    open.engine.scaleByHand('eve', 1);
    open.engine.exit('kai', 'exit code 9');
    await open.clock.advance(10_000);
    expect([open.state('kai'), open.state('eve')]).toEqual(['ready', 'sleeping']);
    open.engine.restore();
    await open.clock.advance(1000);
    expect([open.state('kai'), open.state('eve')]).toEqual(['sleeping', 'ready']);
    expect(open.control.ready()).toEqual({ ready: true });
    expect(open.eventsOf('engine.lost', 'engine.restored')).toMatchObject([
      { type: 'engine.lost', detail: 'the socket is gone' },
      { type: 'engine.restored' },
    ]);
    expect(open.ask().kind).toBe('asleep');
    await open.clock.advance(1000);
    expect(open.state()).toBe('ready');
  });

  test('F: lost in the middle of a start, the start is no failure of the agent and can be ordered again', async () => {
    const open = await house({ agents: { kai: KAI }, engine: { answerMs: 100 } });
    open.ask();
    open.engine.lose();
    await open.clock.advance(200);
    expect(open.state()).toBe('stopping');
    expect(open.control.agent('kai')).toMatchObject({ value: { problem: { code: 'engine-unavailable' } } });
    await open.clock.advance(60_000);
    open.engine.restore();
    await open.clock.advance(30_000);
    expect(open.state()).toBe('sleeping');
    expect(open.control.agent('kai')).not.toHaveProperty('value.attempts');
    await open.ready();
  });

  test('F: a sleep that is due meanwhile is ordered until it is taken', async () => {
    const open = await house({ agents: { kai: KAI } });
    await open.ready();
    open.engine.lose();
    await open.clock.advance(120_000);
    expect(open.state()).toBe('stopping');
    expect(open.ask()).toMatchObject({ problem: 'engine-unavailable' });
    open.engine.restore();
    await open.clock.advance(30_000);
    expect(open.state()).toBe('sleeping');
    expect(open.engine.truth('kai').tasks).toEqual([]);
  });

  test('F: what is scaled by hand is seen and adopted, up and down', async () => {
    const open = await house({ agents: { kai: KAI } });
    open.engine.scaleByHand('kai', 2);
    await open.clock.advance(1000);
    expect(open.state()).toBe('ready');
    expect(open.runner()).toMatchObject({ wanted: 2, wokenBy: 'adopted' });
    expect(open.store.starts('kai')).toEqual([]);
    open.engine.scaleByHand('kai', 0);
    await open.clock.advance(3000);
    expect(open.state()).toBe('sleeping');
    expect(open.eventsOf('agent.sleep')).toMatchObject([{ reason: 'external' }]);
  });

  test('F: the last task that ends by itself puts the agent to sleep, and the next call starts it', async () => {
    const open = await house({ agents: { kai: KAI } });
    await open.ready();
    open.engine.exit('kai', 'exit code 7');
    await open.clock.advance(100);
    expect(open.state()).toBe('sleeping');
    expect(open.control.agent('kai')).toMatchObject({ value: { problem: { code: 'exited', detail: 'exit code 7' } } });
    open.ask();
    await open.clock.advance(500);
    expect(open.state()).toBe('ready');
  });
});

describe('calls before the engine is open', () => {
  test('are told to come back, not that there is nobody; a config that is loaded meanwhile counts', async () => {
    const open = new House({
      agents: { kai: KAI, files: { policy: 'unmanaged', backend: 'http://127.0.0.1:7000' } },
      engine: { answerMs: 1000 },
    });
    const opening = open.control.open();
    expect(open.ask()).toEqual({ kind: 'refused', problem: 'engine-unavailable', retryAfterSeconds: 3 });
    expect(open.admitted('files.test').target.address.port).toBe(7000);
    expect(codeOf(open.control.wake('kai'))).toBe('engine-unavailable');
    expect(codeOf(open.control.sleep('kai', { force: true }))).toBe('ok');
    expect(codeOf(await open.control.endTask(caller(), 'task-1', { replace: true }))).toBe('unknown-task');
    expect(codeOf(await open.control.scaleSelf(caller(), 1))).toBe('agent-asleep');
    expect(open.control.ready().ready).toBe(false);
    await open.reload({ eve: {} });
    await open.drive(opening);
    expect(open.engine.calls.filter(({ call }) => call === 'declare')).toMatchObject([{ agent: 'eve' }]);
    expect(open.ask('eve.test').kind).toBe('asleep');
    await open.close();
  });
});

describe('a restart of the daemon', () => {
  /** A second daemon on the engine's world of the first: the fake is told to look like it at once. */
  async function restarted(first: House): Promise<House> {
    const second = new House({ agents: { kai: KAI }, store: first.store, clock: first.clock, engine: { name: 'swarm' } });
    const declare = second.engine.declare.bind(second.engine);
    second.engine.declare = (workload) => {
      declare(workload);
      second.engine.scaleByHand(workload.agent, 1);
    };
    await second.open();
    return second;
  }

  test('E: what runs is adopted without a scale and without a cut, and idleness counts from the start', async () => {
    const first = await house({ agents: { kai: KAI }, engine: { name: 'swarm' } });
    await first.ready();
    await first.clock.advance(50_000);
    const second = await restarted(first);
    await second.clock.advance(1000);
    expect(second.state()).toBe('ready');
    expect(second.runner().wokenBy).toBe('adopted');
    await second.clock.advance(58_000);
    expect(second.engine.scales('kai')).toEqual([]);
    await second.clock.advance(2000);
    expect(second.engine.scales('kai')).toEqual([0]);
    await second.close();
  });

  test('E: hostnames that live tasks registered are kept, those of others and those that ended meanwhile are not', async () => {
    const first = await house({ agents: { kai: KAI }, engine: { name: 'swarm' } });
    await first.ready();
    const register = (hostname: string, ttl?: string) =>
      codeOf(first.control.register(caller(), { hostname, target: ':3000', ...(ttl === undefined ? {} : { ttl }) }));
    expect([register('a.preview.test'), register('b.preview.test', '1h'), register('c.preview.test', '1ms')]).toEqual([
      'ok',
      'ok',
      'ok',
    ]);
    const [a, b, c] = first.store.routes();
    first.fleet.close();
    first.store.putRoute({ ...a!, hostname: 'dead.preview.test', task: 'task-99' });
    first.store.putRoute({ ...a!, hostname: 'kai.test' });
    first.store.putRoute({ ...a!, hostname: 'not.allowed.test' });
    first.store.putRoute({ ...c! });
    await first.clock.advance(1000);
    const second = await restarted(first);
    expect(second.control.services().map(({ hostname, expires_at }) => [hostname, expires_at])).toEqual([
      ['a.preview.test', null],
      ['b.preview.test', second.control.services()[1]!.expires_at],
    ]);
    expect(second.control.services()[1]!.expires_at).not.toBeNull();
    expect(second.store.routes()).toMatchObject([{ hostname: a!.hostname }, { hostname: b!.hostname }]);
    await second.clock.advance(500);
    expect(second.admitted('a.preview.test').target.address.port).toBe(3000);
    await second.close();
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
