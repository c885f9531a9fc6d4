import { describe, expect, test } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { House, codeOf, house } from './harness.ts';

const AGENTS = {
  kai: { idle: { timeout: '60s' } },
  eve: { policy: 'always-on' },
  files: { policy: 'unmanaged', backend: 'http://127.0.0.1:7000' },
};
const MADE = { name: 'made', hostname: 'made.test', backend: 'http://127.0.0.1:7001', policy: 'unmanaged' } as const;

describe('agents made by API', () => {
  test('are served at once, listed with the others, and outlive a restart of the daemon', async () => {
    const first = await house({ agents: AGENTS });
    expect(first.control.createAgent(MADE)).toMatchObject({ ok: true, value: { name: 'made', state: 'running' } });
    expect(first.admitted('made.test').target.address).toEqual({ host: '127.0.0.1', port: 7001 });
    expect(first.control.agents().map(({ name }) => name)).toEqual(['eve', 'files', 'kai', 'made']);
    const second = await house({ agents: AGENTS, store: first.store });
    expect(second.admitted('made.test').target.address.port).toBe(7001);
    expect(codeOf(second.control.deleteAgent('made'))).toBe('ok');
    expect(second.fleet.lookup('made.test' as never)).toBeNull();
    const third = await house({ agents: AGENTS, store: first.store });
    expect(codeOf(third.control.agent('made'))).toBe('unknown-agent');
  });

  test('are refused with a reason: name, hostname, policy, body', async () => {
    const open = await house({ agents: AGENTS });
    const create = (parts: object) => codeOf(open.control.createAgent({ ...MADE, ...parts }));
    expect(create({ name: 'kai' })).toBe('agent-exists');
    expect(create({ hostname: 'KAI.test.' })).toBe('hostname-taken');
    expect(create({ policy: 'on-demand' })).toBe('invalid-body');
    expect(create({ backend: 'https://x' })).toBe('invalid-body');
    expect(create({ hostname: 'no host' })).toBe('invalid-body');
    expect(create({})).toBe('ok');
    expect(create({})).toBe('agent-exists');
    expect(create({ name: 'other' })).toBe('hostname-taken');
    expect(codeOf(open.control.deleteAgent('kai'))).toBe('agent-from-file');
    expect(codeOf(open.control.deleteAgent('nobody'))).toBe('unknown-agent');
    expect(open.store.agents()).toHaveLength(1);
  });

  test('that cannot be kept are not made, and that cannot be deleted stay', async () => {
    const open = await house({ agents: AGENTS });
    open.store.full = true;
    expect(codeOf(open.control.createAgent(MADE))).toBe('state-failed');
    expect(open.fleet.lookup('made.test' as never)).toBeNull();
    open.store.full = false;
    open.control.createAgent(MADE);
    open.store.full = true;
    expect(codeOf(open.control.deleteAgent('made'))).toBe('state-failed');
    expect(open.admitted('made.test').target.address.port).toBe(7001);
  });

  test('J: give way to a file that wants their name or hostname, and come back with one that does not', async () => {
    const open = await house({ agents: AGENTS });
    open.control.createAgent(MADE);
    open.control.createAgent({ ...MADE, name: 'constructor', hostname: 'c.test' });
    await open.reload({ ...AGENTS, made: { hostname: 'file.test' } });
    expect(open.control.agent('made')).toMatchObject({ value: { hostname: 'file.test', policy: 'on-demand' } });
    expect(codeOf(open.control.deleteAgent('made'))).toBe('agent-from-file');
    expect(open.control.agent('constructor')).toMatchObject({ ok: true });
    await open.reload({ ...AGENTS, other: { hostname: 'made.test' } });
    expect(open.fleet.lookup('made.test' as never)?.agent).toBe('other');
    expect(codeOf(open.control.agent('made'))).toBe('unknown-agent');
    await open.reload(AGENTS);
    expect(open.fleet.lookup('made.test' as never)?.agent).toBe('made');
    expect(open.control.agent('constructor')).toMatchObject({ ok: true });
  });

  test('J: take over the defaults of the file that a reload brings', async () => {
    const open = await house({ agents: AGENTS, file: { defaults: { health: { intercept: true } } } });
    open.control.createAgent(MADE);
    expect(open.fleet.lookup('made.test' as never)?.interceptsHealth).toBe(true);
    await open.reload(AGENTS, { defaults: { health: { intercept: false } } });
    expect(open.fleet.lookup('made.test' as never)?.interceptsHealth).toBe(false);
    expect(open.fleet.lookup('kai.test' as never)?.interceptsHealth).toBe(false);
  });
});

describe('waking and sleeping by API', () => {
  const wait = (open: House, ms: number, signal = new AbortController().signal) =>
    open.control.wakeAndWait('kai', millisOf(ms), signal);

  test('are for on-demand agents only', async () => {
    const open = await house({ agents: AGENTS });
    for (const name of ['eve', 'files']) {
      expect(codeOf(open.control.wake(name))).toBe('not-on-demand');
      expect(codeOf(open.control.sleep(name, { force: true }))).toBe('not-on-demand');
    }
    expect(codeOf(open.control.wake('nobody'))).toBe('unknown-agent');
    expect(codeOf(open.control.sleep('nobody', { force: false }))).toBe('unknown-agent');
    expect(codeOf(await open.control.wakeAndWait('eve', millisOf(1), new AbortController().signal))).toBe('not-on-demand');
    expect(codeOf(open.control.sleep('kai', { force: false }))).toBe('ok');
    expect(open.state()).toBe('sleeping');
  });

  test('a wake that is waited for answers once the agent is ready, also when it is already', async () => {
    const other = await house({ agents: AGENTS });
    await other.ready();
    const open = await house({ agents: AGENTS });
    const answer = wait(open, 30_000);
    await open.clock.advance(400);
    expect(open.state()).toBe('starting');
    await open.clock.advance(1);
    expect(codeOf(await answer)).toBe('ok');
    expect(codeOf(await wait(open, 30_000))).toBe('ok');
    await open.clock.settle();
    expect(open.clock.pending).toBe(other.clock.pending);
  });

  test('D: a wake that is waited for answers wake-timeout at its end, when the caller goes and when the agent is removed', async () => {
    const open = await house({ agents: AGENTS });
    open.probe.wellness = 'ill';
    const before = open.clock.now();
    expect(codeOf(await open.drive(wait(open, 5000)))).toBe('wake-timeout');
    expect(open.clock.now() - before).toBe(5000);
    const gone = new AbortController();
    const left = wait(open, 600_000, gone.signal);
    gone.abort();
    expect(codeOf(await left)).toBe('wake-timeout');
    expect(codeOf(await wait(open, 600_000, gone.signal))).toBe('wake-timeout');
    const removed = wait(open, 600_000);
    await open.reload({ eve: AGENTS.eve });
    expect(codeOf(await removed)).toBe('wake-timeout');
  });
});

describe('health', () => {
  test('counts agents by state, and says how long and since when', async () => {
    const open = await house({ agents: { ...AGENTS, asleep: {} } });
    await open.ready();
    open.admitted('kai.test', 'upgrade').upgraded();
    await open.clock.advance(90_000);
    expect(open.control.health()).toEqual({
      status: 'ok',
      uptime_seconds: 90,
      agent_count: 4,
      ready_count: 3,
      frozen_count: 0,
      sleeping_count: 1,
      ws_connections: 1,
      service_count: 0,
      engine: { name: 'process', connected: true, since: '2026-01-01T00:00:00.000Z' },
      config: { loaded_at: '2026-01-01T00:00:00.000Z' },
    });
    expect(open.control.ready()).toEqual({ ready: true });
    open.control.drain();
    expect(open.control.health().status).toBe('draining');
    expect(open.control.ready()).toEqual({ ready: false, because: 'shutting down' });
  });

  test('the view of an agent holds every field of the contract', async () => {
    const open = await house({
      agents: { kai: { hostnames: ['*.kai.test'], idle: { timeout: '90s' }, health: { url: 'http://127.0.0.1:9/ok' } } },
    });
    await open.ready();
    expect(open.control.agent('kai')).toEqual({
      ok: true,
      value: {
        name: 'kai',
        hostname: 'kai.test',
        hostnames: ['*.kai.test'],
        policy: 'on-demand',
        backend: null,
        health_url: 'http://127.0.0.1:9/ok',
        idle_timeout: '90s',
        state: 'ready',
        since: '2026-01-01T00:00:00.401Z',
        connections: 0,
        in_flight: 0,
        held: 0,
        last_activity: null,
        sleeps_at: '2026-01-01T00:01:30.401Z',
        replicas: { wanted: 1, running: 1, max: 1 },
      },
    });
    expect(open.probe.asked[0]).toMatchObject({ address: { host: '127.0.0.1', port: 9 }, path: '/ok', host: '127.0.0.1:9' });
  });
});

describe('events and figures', () => {
  test('tell a whole life in order, without gaps, each with its fields', async () => {
    const open = await house({ agents: { kai: { idle: { timeout: '5s' } } } });
    open.ask();
    await open.clock.advance(401 + 5000 + 3000);
    expect(open.events.map(({ id }) => id)).toEqual(open.events.map((_, index) => index + 1));
    expect(open.events.map((event) => ({ ...event, id: undefined, at: undefined }))).toEqual([
      { type: 'agent.wake', agent: 'kai', cause: 'request' },
      { type: 'agent.starting', agent: 'kai', from: 'sleeping', to: 'starting', cause: 'request' },
      { type: 'agent.ready', agent: 'kai', from: 'starting', to: 'ready', ms: 401 },
      { type: 'agent.draining', agent: 'kai', from: 'ready', to: 'draining', reason: 'idle' },
      { type: 'agent.sleep', agent: 'kai', from: 'stopping', to: 'sleeping', reason: 'idle' },
    ]);
    expect(open.events.at(-1)?.at).toBe('2026-01-01T00:00:08.401Z');
  });

  test('are handed on later and in order, to as many readers as there is room for, until they stop', async () => {
    const open = await house();
    const told: string[] = [];
    const stop = open.control.subscribe(({ type }) => {
      told.push(type);
      stop?.();
    });
    open.control.wake('kai');
    expect(told).toEqual([]);
    await open.clock.settle();
    expect(told).toEqual(['agent.wake']);
    const stops = Array.from({ length: 63 }, () => open.control.subscribe(() => undefined));
    expect(stops.every((each) => each !== null)).toBe(true);
    expect(open.control.subscribe(() => undefined)).toBeNull();
    stops[0]?.();
    expect(open.control.subscribe(() => undefined)).not.toBeNull();
  });

  test('every figure of the runtime moves', async () => {
    const open = await house({ agents: { kai: { idle: { timeout: '5s' }, health: { check_interval: '1s' } } } });
    const figure = (key: string) => open.metrics.values.get(key);
    const states = () => [...open.metrics.values].filter(([key, value]) => key.startsWith('agent_state') && value === 1);
    expect(states().map(([key]) => key)).toEqual(['agent_state{agent="kai",state="sleeping"}']);
    open.ask('kai.test', 'upgrade');
    open.probe.wellness = 'ill';
    await open.clock.advance(450);
    open.probe.wellness = 'well';
    await open.clock.advance(300);
    expect(states().map(([key]) => key)).toEqual(['agent_state{agent="kai",state="ready"}']);
    const work = open.admitted();
    open.admitted('kai.test', 'upgrade').upgraded();
    open.fleet.collect();
    expect([figure('requests_in_flight{agent="kai"}'), figure('websocket_connections{agent="kai"}')]).toEqual([1, 1]);
    work.end();
    open.control.sleep('kai', { force: true });
    await open.clock.advance(3000);
    expect(figure('wakes_total{agent="kai",cause="upgrade"}')).toBe(1);
    expect(figure('sleeps_total{agent="kai",reason="admin"}')).toBe(1);
    expect(figure('health_checks_total{agent="kai",result="fail"}')).toBeGreaterThan(0);
    expect(figure('health_checks_total{agent="kai",result="pass"}')).toBe(1);
    expect(figure('engine_calls_total{call="scale",result="ok"}')).toBe(2);
    expect(figure('engine_calls_total{call="open",result="ok"}')).toBe(1);
    expect(open.metrics.observations.get('wake_duration_seconds{agent="kai",result="ready"}')?.[0]).toBeCloseTo(0.5, 0);
    open.engine.failNext('scale', 'refused', 'no such command');
    open.ask();
    await open.clock.settle();
    expect(figure('engine_calls_total{call="scale",result="refused"}')).toBe(1);
    expect(open.metrics.observations.get('wake_duration_seconds{agent="kai",result="refused"}')).toEqual([0]);
  });
});

describe('the end', () => {
  test('D: closing takes back every alarm, check, lease and wait, in any state', async () => {
    const open = await house({ agents: { ...AGENTS, gone: { idle: { drain_timeout: '1h' } } } });
    await open.ready();
    await open.ready('gone');
    open.admitted('gone.test');
    await open.reload(AGENTS);
    open.admitted('kai.test', 'upgrade').upgraded();
    const [task = ''] = open.tasks();
    open.control.takeLease({ agent: 'kai', task, from: '', admin: false }, millisOf(60_000), 'x');
    open.control.sleep('kai', { force: false });
    const waiting = open.control.wakeAndWait('kai', millisOf(600_000), new AbortController().signal);
    open.probe.wellness = 'hangs';
    await open.close();
    expect(codeOf(await waiting)).toBe('ok');
    expect(open.clock.pending).toBe(0);
    expect(open.probe.open).toBe(0);
    // What comes too late changes nothing.
    await open.reload({ ...AGENTS, new: {} });
    open.fleet.runner('kai')?.activity.hold();
    open.fleet.runner('kai')?.activity.unhold();
    expect(open.clock.pending).toBe(0);
  });

  test('D: told to end while the engine is being opened, the fleet starts nothing any more', async () => {
    const open = new House({ agents: AGENTS, engine: { answerMs: 1000 } });
    const opening = open.control.open();
    await open.clock.advance(500);
    await open.reload({ kai: AGENTS.kai });
    expect(open.engine.calls.map(({ call }) => call)).toEqual(['open']);
    open.fleet.close();
    await open.drive(opening);
    expect(open.engine.calls.map(({ call }) => call)).toEqual(['open']);
    expect(open.clock.pending).toBe(0);
  });
});
