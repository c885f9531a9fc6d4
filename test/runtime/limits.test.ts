import { describe, expect, test } from 'vitest';
import { house } from './harness.ts';

const kai = (parts: object = {}) => ({ agents: { kai: { idle: { timeout: '1h' }, ...parts } } });

describe('nothing waits forever', () => {
  test('D: an agent that never gets healthy is asleep again at startup_timeout, with the reason', async () => {
    const open = await house(kai({ health: { startup_timeout: '20s' } }));
    open.probe.wellness = 'ill';
    open.ask();
    await open.clock.advance(19_999);
    expect(open.state()).toBe('starting');
    await open.clock.advance(1);
    expect(open.state()).toBe('stopping');
    await open.clock.advance(3000);
    expect(open.state()).toBe('sleeping');
    expect(open.control.agent('kai')).toMatchObject({
      value: { attempts: 1, problem: { code: 'startup-timeout', detail: '1 running, none passed its health check' } },
    });
    expect(open.eventsOf('agent.sleep')).toMatchObject([{ from: 'stopping', to: 'sleeping', reason: 'startup-timeout' }]);
  });

  test('D: a check that hangs holds a start up no longer than startup_timeout', async () => {
    const open = await house(kai({ health: { startup_timeout: '20s', timeout: '15s' } }));
    open.probe.wellness = 'hangs';
    open.ask();
    await open.clock.advance(20_000);
    expect(open.state()).toBe('stopping');
    await open.clock.advance(100);
    expect(open.probe.open).toBe(0);
  });

  test('D: an agent that dies at once is degraded after max_restart_attempts, and a call after the backoff tries again', async () => {
    const open = await house(kai({ health: { max_restart_attempts: 3 } }));
    for (let turn = 0; turn < 3; turn += 1) {
      open.engine.scriptStart('kai', { exits: 'exit code 1' });
      open.ask();
      await open.clock.advance(5000);
    }
    expect(open.state()).toBe('degraded');
    expect(open.eventsOf('restart.exhausted')).toMatchObject([{ agent: 'kai', attempts: 3 }]);
    expect(open.eventsOf('agent.degraded')).toMatchObject([{ agent: 'kai', problem: 'exited', to: 'degraded' }]);
    expect(open.ask()).toMatchObject({ kind: 'asleep', state: 'degraded' });
    expect(open.state()).toBe('starting');
    await open.clock.advance(1000);
    expect(open.state()).toBe('ready');
    expect(open.eventsOf('agent.recovered')).toHaveLength(1);
  });

  test('D: an operator does not wait for the backoff of a degraded agent', async () => {
    const open = await house(kai({ health: { max_restart_attempts: 1 } }));
    open.engine.scriptStart('kai', { exits: 'exit code 1' });
    open.ask();
    await open.clock.advance(500);
    expect(open.state()).toBe('degraded');
    expect(open.ask()).toMatchObject({ kind: 'asleep', state: 'degraded', retryAfterSeconds: 4 });
    expect(open.state()).toBe('degraded');
    open.control.wake('kai');
    expect(open.state()).toBe('starting');
  });

  test('D: a stop that never ends is ordered again every 20 s', async () => {
    const open = await house({ ...kai(), engine: { stopMs: 65_000 } });
    await open.ready();
    open.control.sleep('kai', { force: false });
    await open.clock.advance(64_000);
    expect(open.state()).toBe('stopping');
    expect(open.engine.scales('kai')).toEqual([1, 0, 0, 0, 0]);
    await open.clock.advance(2000);
    expect(open.state()).toBe('sleeping');
  });

  test('D: an engine that takes long to answer holds a start up no longer than startup_timeout', async () => {
    const open = await house({ ...kai({ health: { startup_timeout: '10s' } }), engine: { answerMs: 15_000 } });
    open.ask();
    await open.clock.advance(10_000);
    expect(open.state()).toBe('stopping');
    open.ask();
    await open.clock.advance(120_000);
    expect(open.engine.overlaps).toBe(0);
    expect(['starting', 'stopping', 'sleeping']).toContain(open.state());
  });

  test('D: a refused start counts as an attempt and says why', async () => {
    const open = await house(kai());
    open.engine.failNext('scale', 'refused', 'no such command');
    open.ask();
    await open.clock.settle();
    expect(open.state()).toBe('sleeping');
    expect(open.control.agent('kai')).toMatchObject({
      value: { attempts: 1, problem: { code: 'start-failed', detail: 'no such command' } },
    });
    await open.clock.advance(1000);
    // Nothing was changed, so nothing is taken back.
    expect(open.engine.scales('kai')).toEqual([1]);
  });

  test('D: news that the engine never told is set right by the next look or deadline', async () => {
    const open = await house(kai({ health: { startup_timeout: '10s' } }));
    // The task runs, and nobody hears of it.
    open.engine.news.drop(2);
    open.ask();
    await open.clock.advance(60_000);
    open.ask();
    await open.clock.advance(60_000);
    expect(open.state()).toBe('ready');
    expect(open.engine.overlaps).toBe(0);
  });
});

describe('readiness is real', () => {
  for (const { asked, health } of [
    { asked: 'at its port', health: {} },
    { asked: 'elsewhere', health: { url: 'http://127.0.0.1:7000/health' } },
  ]) {
    test(`H: a task asked ${asked} does not get ready while a stranger has its port; the start fails and says so`, async () => {
      const open = await house(kai({ health }));
      open.engine.scriptStart('kai', { stranger: true });
      open.ask();
      await open.clock.advance(400);
      const port = open.port();
      await open.clock.advance(3100);
      expect(open.state()).toBe('sleeping');
      expect(open.eventsOf('agent.ready')).toEqual([]);
      const detail = `port ${port} was taken by another process`;
      expect(open.control.agent('kai')).toMatchObject({ value: { attempts: 1, problem: { code: 'exited', detail } } });
      expect(open.metrics.values.has('health_checks_total{agent="kai",result="pass"}')).toBe(false);
      open.ask();
      await open.clock.advance(1500);
      expect(open.state()).toBe('ready');
    });
  }

  test('H: nobody is let in before a check has passed, however long the task runs', async () => {
    const open = await house(kai());
    open.probe.wellness = 'ill';
    open.ask();
    for (let turn = 0; turn < 50; turn += 1) {
      await open.clock.advance(100);
      expect(open.ask().kind).toBe('asleep');
    }
    open.probe.wellness = 'well';
    await open.clock.advance(300);
    expect(open.ask().kind).toBe('admitted');
  });

  test('H: checks begin when the task runs, never before, every 10 ms at first and 250 ms at most', async () => {
    const open = await house(kai());
    open.probe.wellness = 'ill';
    open.ask();
    await open.clock.advance(399);
    expect(open.probe.asked).toHaveLength(0);
    await open.clock.advance(1);
    expect(open.probe.asked).toHaveLength(1);
    await open.clock.advance(11);
    expect(open.probe.asked).toHaveLength(2);
    await open.clock.advance(5000);
    const before = open.probe.asked.length;
    await open.clock.advance(2510);
    expect(open.probe.asked.length - before).toBe(10);
    expect(open.probe.asked[0]).toMatchObject({ path: '/api/health', host: 'kai.test', expect: [[200, 399]], timeout: 1000 });
  });

  for (const bootMs of [20, 100, 330, 500, 1000, 2000]) {
    test(`I: an agent that boots in ${bootMs} ms is seen to be well within a tenth of that`, async () => {
      const open = await house(kai());
      open.probe.wellness = 'ill';
      open.ask();
      await open.clock.advance(400 + bootMs);
      open.probe.wellness = 'well';
      // The first pause, and two checks of a millisecond each.
      await open.clock.advance(bootMs / 10 + 12);
      expect(open.state()).toBe('ready');
    });
  }

  test('H: a check that takes longer than a boot is asked with may still pass, within health.timeout', async () => {
    const open = await house(kai({ health: { timeout: '5s' } }));
    open.probe.answerMs = 3000;
    open.ask();
    await open.clock.advance(20_000);
    expect(open.state()).toBe('ready');
  });

  test('H: of several tasks only those get requests whose own check has passed', async () => {
    const open = await house(kai({ replicas: 3, health: { check_interval: '1s' } }));
    open.ask();
    await open.clock.advance(400);
    const ports = [0, 1, 2].map((index) => open.port('kai', index));
    open.probe.wellness = 'ill';
    open.probe.set(ports[1]!, 'well');
    await open.clock.advance(1000);
    const dialled = () => open.admitted().target.address.port;
    expect(new Set(Array.from({ length: 20 }, dialled))).toEqual(new Set([ports[1]]));
    open.probe.set(ports[2]!, 'well');
    await open.clock.advance(1000);
    expect(new Set(Array.from({ length: 40 }, dialled))).toEqual(new Set([ports[1], ports[2]]));
  });

  test('H: a task that is replaced lets nobody in before the new one has passed its check', async () => {
    const open = await house(kai());
    await open.ready();
    const first = open.tasks()[0]!;
    const work = open.admitted();
    const before = work.target.key;
    await open.drive(open.control.endTask({ agent: 'kai', task: null, from: '', admin: true }, first, { replace: true }));
    expect(open.ask()).toMatchObject({ kind: 'asleep', state: 'starting' });
    work.end();
    open.probe.wellness = 'ill';
    await open.clock.advance(5000);
    expect(open.ask()).toMatchObject({ kind: 'asleep', state: 'starting' });
    open.probe.wellness = 'well';
    await open.clock.advance(1000);
    const after = open.admitted();
    expect(after.target.key).not.toBe(before);
    expect(open.engine.scales('kai')).toEqual([1]);
  });

  test('H: after a restart for failing checks the first request meets a task that passed', async () => {
    const open = await house(kai({ health: { check_interval: '1s' } }));
    await open.ready();
    const before = open.admitted();
    before.end();
    open.probe.wellness = 'ill';
    await open.clock.advance(3000 + 3000 + 400);
    expect(open.state()).toBe('starting');
    for (let turn = 0; turn < 20; turn += 1) {
      expect(open.ask().kind).toBe('asleep');
      await open.clock.advance(100);
    }
    open.probe.wellness = 'well';
    await open.clock.advance(300);
    expect(open.admitted().target.key).not.toBe(before.target.key);
  });

  test('H: always-on agents are proxied while they run, and said to be degraded when no check passes', async () => {
    const open = await house(kai({ policy: 'always-on', health: { check_interval: '1s', startup_timeout: '10s' } }));
    open.probe.wellness = 'ill';
    await open.clock.advance(10_000);
    expect(open.state()).toBe('degraded');
    expect(open.ask().kind).toBe('admitted');
    open.probe.wellness = 'well';
    await open.clock.advance(1000);
    expect(open.state()).toBe('running');
    expect(open.eventsOf('agent.degraded', 'agent.recovered')).toMatchObject([
      { type: 'agent.degraded', from: 'running', to: 'degraded', problem: 'startup-timeout' },
      { type: 'agent.recovered', from: 'degraded', to: 'running' },
    ]);
    expect(open.engine.scales('kai')).toEqual([]);
    open.engine.exit('kai', 'exit code 2');
    await open.clock.settle();
    expect(open.control.agent('kai')).toMatchObject({ value: { problem: { code: 'exited', detail: 'exit code 2' } } });
    expect(open.ask()).toEqual({ kind: 'refused', problem: 'upstream-refused', retryAfterSeconds: null });
    await open.clock.advance(2000);
    expect(open.state()).toBe('running');
    expect(open.metrics.values.get('restarts_total{agent="kai"}')).toBe(1);
  });
});
