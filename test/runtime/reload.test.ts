import { describe, expect, test } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { caller, codeOf, house } from './harness.ts';

const KAI = { idle: { timeout: '60s', drain_timeout: '10s' }, domains: ['*.preview.test'] };
const ALWAYS = { policy: 'always-on' };
const FILES = { policy: 'unmanaged', backend: 'http://127.0.0.1:7000' };

describe('a reload', () => {
  test('J: an agent that stays the same keeps its state, counts, timers, routes and tasks', async () => {
    const agents = { kai: KAI, eve: ALWAYS, files: FILES };
    const open = await house({ agents });
    await open.ready();
    const work = open.admitted();
    open.admitted('kai.test', 'upgrade').upgraded();
    open.control.takeLease(caller(), millisOf(30_000), 'thinking');
    open.control.register(caller(), { hostname: 'a.preview.test', target: ':3000', ttl: '50s' });
    await open.clock.advance(20_000);
    const before = {
      runner: open.runner(),
      state: open.runner().state,
      tasks: open.runner().tasks,
      leases: open.runner().leases.list(),
      services: open.control.services(),
      views: open.control.agents(),
      pending: open.clock.pending,
      calls: open.engine.calls.length,
      asked: open.probe.asked.length,
      events: open.events.length,
      key: work.target.key,
    };
    expect(await open.reload({ ...agents, new: {} })).toMatchObject({
      ok: true,
      value: { added: ['new'], removed: [], changed: [], restart_needed: [] },
    });
    const { runner, state, tasks, services } = before;
    expect(open.runner()).toBe(runner);
    expect(open.runner().state).toBe(state);
    expect(open.runner().tasks).toBe(tasks);
    expect(open.runner().leases.list()).toEqual(before.leases);
    expect(open.control.services()).toEqual(services);
    expect(open.control.agents().filter(({ name }) => name !== 'new')).toEqual(before.views);
    expect(open.clock.pending).toBe(before.pending);
    expect(open.probe.asked).toHaveLength(before.asked);
    expect(new Set(open.engine.calls.slice(before.calls).map(({ agent }) => agent))).toEqual(new Set(['new']));
    expect(open.events.slice(before.events)).toMatchObject([
      { type: 'agent.added', agent: 'new' },
      { type: 'config.reloaded', added: 1, removed: 0, changed: 0 },
    ]);
    expect(open.admitted().target.key).toBe(before.key);
  });

  test('J: an idle deadline and a backoff of the engine are where they were before the reload', async () => {
    const agents = { kai: KAI, eve: ALWAYS };
    const open = await house({ agents });
    await open.ready();
    // The second replacement of eve waits 2 s.
    await open.clock.advance(1000);
    open.engine.exit('eve');
    await open.clock.advance(2000);
    open.engine.exit('eve');
    await open.clock.advance(1500);
    await open.reload(agents);
    await open.clock.advance(400);
    expect(open.engine.truth('eve').tasks).toHaveLength(0);
    await open.clock.advance(200);
    expect(open.engine.truth('eve').tasks).toHaveLength(1);
    await open.clock.advance(60_000 - 1000 - 2000 - 1500 - 600 - 1);
    expect(open.state()).toBe('ready');
    await open.clock.advance(1);
    expect(open.state()).toBe('stopping');
  });

  test('J: a bad file changes nothing, says every complaint, and is told in health until a good one comes', async () => {
    const open = await house({ agents: { kai: KAI } });
    const before = open.control.agents();
    const answer = await open.reload({ kai: { ...KAI, policy: 'sometimes' }, eve: { hostname: 'no host' } });
    expect(answer).toMatchObject({ ok: false, failure: { problem: 'config-invalid' } });
    expect(answer.ok ? [] : answer.failure.extra?.['complaints']).toHaveLength(2);
    expect(open.control.agents()).toEqual(before);
    expect(open.fleet.all()).toHaveLength(1);
    expect(open.eventsOf('config.rejected')).toMatchObject([{ complaints: 2 }]);
    expect(open.control.health().config.error).toContain('policy');
    expect(open.metrics.values.get('config_reloads_total{result="rejected"}')).toBe(1);
    open.clock.stepWall(5000);
    await open.reload({ kai: KAI });
    expect(open.control.health().config).toEqual({ loaded_at: '2026-01-01T00:00:05.000Z' });
    expect(open.metrics.values.get('config_reloads_total{result="ok"}')).toBe(1);
  });

  test('J: what changes of an agent takes effect at once and leaves its work alone', async () => {
    const open = await house({ agents: { kai: KAI } });
    await open.ready();
    const work = open.admitted();
    await open.reload({ kai: { ...KAI, hostname: 'other.test', idle: { timeout: '5s' } } });
    expect(open.fleet.lookup('kai.test' as never)).toBeNull();
    expect(open.fleet.lookup('other.test' as never)?.agent).toBe('kai');
    await open.clock.advance(50_000);
    expect(open.state()).toBe('ready');
    work.end();
    await open.clock.advance(5000);
    expect(open.state()).toBe('stopping');
    expect(open.engine.scales('kai')).toEqual([1, 0]);
  });

  test('J: an idle timeout made shorter than the time already idle ends the idling at once', async () => {
    const open = await house({ agents: { kai: KAI } });
    await open.ready();
    await open.clock.advance(30_000);
    await open.reload({ kai: { ...KAI, idle: { timeout: '5s' } } });
    expect(open.state()).toBe('stopping');
  });

  test('J: a route whose hostname or domain the config takes away goes with the reload', async () => {
    const open = await house({ agents: { kai: { ...KAI, domains: ['*.preview.test', '*.more.test'] } } });
    await open.ready();
    for (const hostname of ['a.more.test', 'b.preview.test', 'c.preview.test'])
      expect(codeOf(open.control.register(caller(), { hostname, target: ':3000' }))).toBe('ok');
    const answer = await open.reload({ kai: KAI, eve: { hostname: 'b.preview.test' } });
    expect(answer).toMatchObject({ ok: true });
    expect(open.control.services().map(({ hostname }) => hostname)).toEqual(['c.preview.test']);
    expect(open.fleet.lookup('b.preview.test' as never)?.agent).toBe('eve');
    expect(open.eventsOf('service.removed').map(({ hostname, reason }) => [hostname, reason])).toEqual([
      ['a.more.test', 'domains'],
      ['b.preview.test', 'config'],
    ]);
    expect(open.store.routes()).toHaveLength(1);
  });

  test('J: websocket open made data lets go of sockets that are silent from then on, and made open again holds them', async () => {
    const open = await house({ agents: { kai: { idle: { timeout: '60s', websocket: 'open' } } } });
    await open.ready();
    const socket = open.admitted('kai.test', 'upgrade');
    socket.upgraded();
    const request = open.admitted();
    await open.clock.advance(200_000);
    await open.reload({ kai: { idle: { timeout: '60s', websocket: 'data' } } });
    await open.clock.advance(60_000);
    request.end();
    expect(open.control.agent('kai')).toHaveProperty('value.sleeps_at');
    await open.reload({ kai: { idle: { timeout: '60s', websocket: 'open' } } });
    await open.clock.advance(600_000);
    expect(open.state()).toBe('ready');
    await open.reload({ kai: { idle: { timeout: '60s', websocket: 'data' } } });
    await open.clock.advance(59_999);
    expect(open.state()).toBe('ready');
    await open.clock.advance(1);
    expect(open.state()).toBe('stopping');
  });
});

describe('an agent that is removed', () => {
  test('J: loses its routes at once, finishes its work, and is released then', async () => {
    const open = await house({ agents: { kai: KAI, eve: {} } });
    await open.ready();
    open.control.register(caller(), { hostname: 'a.preview.test', target: ':3000' });
    open.control.takeLease(caller(), millisOf(3_600_000), 'a lease holds up no removal');
    let cuts = 0;
    const work = open.admitted('kai.test', 'request', () => (cuts += 1));
    await open.reload({ eve: {} });
    expect(open.fleet.lookup('kai.test' as never)).toBeNull();
    expect(open.fleet.lookup('a.preview.test' as never)).toBeNull();
    expect(open.control.services()).toEqual([]);
    expect(codeOf(open.control.agent('kai'))).toBe('unknown-agent');
    expect(open.eventsOf('agent.removed', 'service.removed')).toMatchObject([
      { type: 'service.removed', agent: 'kai', reason: 'agent removed' },
      { type: 'agent.removed', agent: 'kai' },
    ]);
    await open.clock.advance(9000);
    expect(open.engine.calls.filter(({ call }) => call === 'release')).toEqual([]);
    work.end();
    await open.clock.settle();
    expect(cuts).toBe(0);
    expect(open.engine.calls.filter(({ call }) => call === 'release')).toMatchObject([{ agent: 'kai' }]);
    expect(open.forgotten).toEqual(['kai']);
    expect([...open.metrics.values.keys()].filter((key) => key.includes('agent="kai"'))).toEqual([]);
    await open.clock.advance(5000);
    expect(open.clock.pending).toBe(0);
  });

  test('J: work that is left at drain_timeout is cut, once', async () => {
    const open = await house({ agents: { kai: KAI } });
    await open.ready();
    let cuts = 0;
    const work = open.admitted('kai.test', 'request', () => {
      cuts += 1;
      work.end();
    });
    await open.reload({});
    await open.clock.advance(9999);
    expect(cuts).toBe(0);
    await open.clock.advance(1);
    expect(cuts).toBe(1);
    await open.clock.advance(20_000);
    expect(cuts).toBe(1);
    expect(open.clock.pending).toBe(0);
  });

  test('J: that comes back while its work ends is met as it runs, and no task of it is ended', async () => {
    const open = await house({ agents: { kai: KAI } });
    await open.ready();
    const work = open.admitted();
    await open.reload({});
    await open.clock.advance(2000);
    await open.reload({ kai: KAI });
    await open.clock.advance(1000);
    expect(open.state()).toBe('ready');
    expect(open.runner().wokenBy).toBe('adopted');
    work.end();
    await open.clock.advance(20_000);
    expect(open.engine.calls.filter(({ call }) => call === 'release' || call === 'scale')).toHaveLength(1);
    expect(open.forgotten).toEqual([]);
  });

  test('J: whose port another agent is given later does not keep it', async () => {
    const open = await house({ agents: { kai: KAI, eve: { domains: ['*.eve.test'] } } });
    await open.ready();
    await open.ready('eve');
    const port = open.port();
    const register = () => open.control.register(caller('eve'), { hostname: 'a.eve.test', target: `:${port}` });
    expect(codeOf(register())).toBe('foreign-target');
    await open.reload({ eve: { domains: ['*.eve.test'] } });
    await open.clock.advance(5000);
    expect(codeOf(register())).toBe('ok');
  });
});

describe('a policy that changes', () => {
  test('J: on-demand made always-on goes on running and is watched from then on', async () => {
    const open = await house({ agents: { kai: KAI } });
    await open.ready();
    const before = open.tasks();
    await open.reload({ kai: { ...KAI, policy: 'always-on' } });
    await open.clock.advance(600_000);
    expect(open.state()).toBe('running');
    expect(open.tasks()).toEqual(before);
    expect(open.ask().kind).toBe('admitted');
    expect(open.metrics.values.get('agent_state{agent="kai",state="running"}')).toBe(1);
    expect(open.metrics.values.get('agent_state{agent="kai",state="ready"}')).toBe(0);
  });

  test('B: always-on made on-demand does not fall asleep under work that began before', async () => {
    const open = await house({ agents: { kai: { ...KAI, policy: 'always-on' } } });
    await open.clock.advance(1000);
    let cuts = 0;
    const work = open.admitted('kai.test', 'request', () => (cuts += 1));
    await open.reload({ kai: { ...KAI, idle: { timeout: '2s', drain_timeout: '10s' } } });
    await open.clock.advance(60_000);
    expect(cuts).toBe(0);
    expect(open.state()).toBe('ready');
    expect(open.control.agent('kai')).toMatchObject({ value: { in_flight: 1 } });
    work.end();
    await open.clock.advance(2000);
    expect(open.engine.scales('kai')).toEqual([0]);
  });

  test('J: a managed agent made unmanaged is let go of by the engine, after its work', async () => {
    const open = await house({ agents: { kai: KAI } });
    await open.ready();
    const work = open.admitted();
    await open.reload({ kai: FILES });
    expect(open.state()).toBe('running');
    expect(open.admitted().target.address).toEqual({ host: '127.0.0.1', port: 7000 });
    expect(open.engine.calls.filter(({ call }) => call === 'release')).toEqual([]);
    work.end();
    await open.clock.advance(10_000);
    expect(open.engine.calls.filter(({ call }) => call === 'release')).toMatchObject([{ agent: 'kai' }]);
    expect(open.forgotten).toEqual([]);
    await open.reload({ kai: KAI });
    await open.clock.settle();
    expect(open.state()).toBe('sleeping');
    expect(open.ask().kind).toBe('asleep');
  });
});
