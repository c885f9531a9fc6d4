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
    open.fleet.lookup('eve.test' as never)?.want('api', null);
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

  test('F: what was open when somebody scaled to 0 is served for as long as its task lives', async () => {
    const open = await house({ agents: { kai: KAI } });
    await open.ready();
    let cuts = 0;
    open.admitted('kai.test', 'request', () => (cuts += 1));
    open.engine.scaleByHand('kai', 0);
    await open.clock.advance(2000);
    expect([open.state(), cuts]).toEqual(['stopping', 0]);
    await open.clock.advance(2000);
    expect([open.state(), cuts]).toEqual(['sleeping', 1]);
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

describe('an engine that is away when the daemon starts', () => {
  const AGENTS = { kai: KAI, files: { policy: 'unmanaged', backend: 'http://127.0.0.1:7000' }, watch: { policy: 'always-on' } };

  async function away(): Promise<House> {
    const open = new House({ agents: AGENTS, engine: { name: 'swarm' } });
    open.engine.lose();
    await open.open();
    return open;
  }

  test('F: is no engine that is there: not ready, wakes are refused, and all is right once it is back', async () => {
    const open = await away();
    for (let look = 1; look <= 2; look += 1) {
      expect(open.control.ready()).toEqual({ ready: false, because: 'engine unavailable' });
      expect(open.control.health()).toMatchObject({ status: 'degraded', engine: { connected: false } });
      expect(open.ask()).toEqual({ kind: 'refused', problem: 'engine-unavailable', retryAfterSeconds: 3 });
      expect(open.ask('watch.test')).toMatchObject({ problem: 'engine-unavailable' });
      expect(codeOf(open.control.wake('kai'))).toBe('engine-unavailable');
      expect(open.ask('files.test').kind).toBe('admitted');
      // Longer than startup_timeout: of what nothing is known, nothing is said.
      await open.clock.advance(120_000);
    }
    expect([open.state(), open.state('watch')]).toEqual(['sleeping', 'running']);
    expect(open.engine.calls.filter(({ call }) => call === 'scale')).toEqual([]);
    open.engine.restore();
    await open.clock.advance(1000);
    expect(open.control.ready()).toEqual({ ready: true });
    await open.ready();
    expect(open.state('watch')).toBe('running');
    expect(open.eventsOf('engine.lost', 'engine.restored', 'agent.degraded').map(({ type }) => type)).toEqual([
      'engine.lost',
      'engine.restored',
    ]);
    await open.close();
  });

  test('F: nothing is ordered between its return and the first news of an agent', async () => {
    const open = await away();
    open.engine.news.delay(50);
    open.engine.restore();
    open.engine.scaleByHand('kai', 1);
    await open.clock.advance(50);
    open.engine.news.delay(0);
    expect(open.state()).toBe('starting');
    await open.clock.advance(1000);
    expect(open.ask().kind).toBe('admitted');
    expect(open.engine.scales('kai')).toEqual([]);
    await open.close();
  });

  test('F: it may say so only after it was opened', async () => {
    const open = new House({ agents: AGENTS, engine: { name: 'swarm' } });
    open.engine.lose();
    open.engine.news.delay(10);
    await open.open();
    await open.clock.advance(10);
    expect(open.control.ready().ready).toBe(false);
    expect(open.ask()).toMatchObject({ problem: 'engine-unavailable' });
    await open.close();
  });
});
