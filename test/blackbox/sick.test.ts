import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { type Daemon, type DaemonEvent, type Home, type Settings, it, program } from '../support/daemon.ts';
import { isAlive } from '../support/marked-processes.ts';

const quick = { check_interval: '100ms', timeout: '1s', max_failures: 3, max_restart_attempts: 2, startup_timeout: '30s' };
/** By the events' times, which are written down a moment after what they tell of: not to be taken to the millisecond. */
const between = (from: DaemonEvent, to: DaemonEvent): number => Date.parse(to.at) - Date.parse(from.at);

/** One agent of the name `sick`, with files for what it is told and what it tells. */
function sick(
  home: Home,
  trouble: string,
  more: Settings = {},
): { readonly mend: () => void; readonly births: () => readonly Birth[] } {
  const [mend, births] = [join(home.directory, 'mend'), join(home.directory, 'births')];
  const process = program('test/blackbox/agents/trouble.ts', { TROUBLE: trouble, MEND: mend, BIRTHS: births });
  home.write({ agents: { sick: { process, health: quick, idle: { timeout: '30m' }, ...more } } });
  return {
    mend: () => writeFileSync(mend, ''),
    births: () =>
      readFileSync(births, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  };
}

interface Birth {
  readonly pid: number;
  /** Who of those before still lived. */
  readonly beside: readonly number[];
}

describe.concurrent('an agent that is not well', () => {
  it('never healthy: it sleeps again, waits, is degraded, and recovers once it is mended', async ({ home }) => {
    const at = home({});
    const agent = sick(at, 'unwell', { health: { ...quick, startup_timeout: '3s' } });
    const daemon = await at.start();
    const first = await daemon.call('sick');
    expect([first.status, first.headers['retry-after'], first.json.status]).toEqual([503, '3', 'sleeping']);

    const slept = await daemon.event('agent.sleep', 'sick');
    expect(slept).toMatchObject({ reason: 'startup-timeout', to: 'sleeping' });
    expect(agent.births().map(({ pid }) => isAlive(pid))).toEqual([false]);
    // Wanted again at once, it waits for its backoff, and says how long.
    const second = await daemon.call('sick');
    expect(second.status).toBe(503);
    expect(Number(second.headers['retry-after'])).toBeGreaterThanOrEqual(3);
    const again = await daemon.event('agent.starting', 'sick', slept);
    expect(between(slept, again)).toBeGreaterThan(900);

    const degraded = await daemon.event('agent.degraded', 'sick');
    expect(degraded).toMatchObject({ to: 'degraded', problem: 'startup-timeout' });
    expect(await daemon.event('restart.exhausted', 'sick')).toMatchObject({ attempts: 2 });
    expect(await daemon.view('sick')).toMatchObject({
      state: 'degraded',
      attempts: 2,
      problem: { code: 'startup-timeout', detail: expect.any(String) },
      replicas: { running: 0 },
    });
    expect(at.agentProcesses()).toEqual([]);

    agent.mend();
    const third = await daemon.call('sick');
    expect([third.status, third.json.status]).toEqual([503, 'degraded']);
    const starting = await daemon.event('agent.starting', 'sick', degraded);
    expect(between(degraded, starting)).toBeGreaterThan(1900);
    await daemon.event('agent.recovered', 'sick', degraded);
    expect((await daemon.call('sick')).status).toBe(200);
    const view = await daemon.view('sick');
    expect([view.state, view.problem, view.attempts ?? 0]).toEqual(['ready', undefined, 0]);
    const metrics = await daemon.metrics();
    expect(metrics.get('wake_duration_seconds_count{agent="sick",result="timeout"}')).toBe(2);
    expect(metrics.get('sleeps_total{agent="sick",reason="startup-timeout"}')).toBe(2);
  });

  it('dies at once: its last words are told, and an operator need not wait for the backoff', async ({ home }) => {
    const at = home({});
    const agent = sick(at, 'dies', { health: { ...quick, max_restart_attempts: 5 } });
    const daemon = await at.start();
    let last: DaemonEvent | null = null;
    for (let attempts = 1; attempts <= 3; attempts += 1) {
      expect((await daemon.call('sick')).status).toBe(503);
      last = await daemon.event('agent.sleep', 'sick', last);
      expect(last).toMatchObject({ reason: 'exited' });
      expect(await daemon.view('sick')).toMatchObject({
        attempts,
        problem: { code: 'exited', detail: 'exit code 3: I will not live' },
      });
    }
    expect(agent.births()).toHaveLength(3);
    agent.mend();
    // Four seconds of backoff are left; the operator has mended it and says so.
    const before = Date.now();
    const woken = await daemon.admin('/admin/agents/sick/wake?wait=30s', { method: 'POST' });
    expect(woken.status).toBe(200);
    const ready = await daemon.event('agent.ready', 'sick');
    expect(Date.parse(ready.at) - before).toBeLessThan(30_000);
    const starting = await daemon.event('agent.starting', 'sick', last);
    expect(between(last!, starting)).toBeLessThan(4000);
    expect((await daemon.metrics()).get('wake_duration_seconds_count{agent="sick",result="exited"}')).toBe(3);
  });

  it('a command that is not there is one clear problem, and no process', async ({ start }) => {
    const daemon = await start({ agents: { sick: { process: { command: ['no-such-program'] } } } });
    expect((await daemon.call('sick')).status).toBe(503);
    await daemon.event('agent.sleep', 'sick');
    expect((await daemon.view('sick')).problem).toEqual({
      code: 'start-failed',
      detail: expect.stringContaining('"no-such-program"'),
    });
    expect((await daemon.metrics()).get('wake_duration_seconds_count{agent="sick",result="refused"}')).toBe(1);
    expect(daemon.run.log.filter(({ msg }) => msg === 'task started')).toEqual([]);
  });

  it('ignores SIGTERM: it is killed after 10 s, and no second copy starts beside it', async ({ home }) => {
    const at = home({});
    const agent = sick(at, 'deaf forks', { idle: { timeout: '500ms' } });
    const daemon = await at.start();
    const { pid, children } = (await daemon.wake('sick')).json;
    const draining = await daemon.event('agent.draining', 'sick');
    const stopping = await daemon.call('sick');
    expect([stopping.status, stopping.json.status]).toEqual([503, 'stopping']);
    expect(isAlive(pid)).toBe(true);

    const slept = await daemon.event('agent.sleep', 'sick');
    expect(between(draining, slept)).toBeGreaterThanOrEqual(9900);
    expect([pid, ...children].map(isAlive)).toEqual([false, false, false]);
    // The call during the stop is remembered: nobody asks again (promise C).
    await daemon.event('agent.ready', 'sick', slept);
    expect(agent.births()).toMatchObject([{ beside: [] }, { beside: [] }]);
  });

  it('grandchildren end with their agent, also one that has left its group', async ({ home }) => {
    const at = home({});
    sick(at, 'forks');
    const daemon = await at.start();
    const { pid, children } = (await daemon.wake('sick')).json;
    expect([pid, ...children].map(isAlive)).toEqual([true, true, true]);
    await daemon.admin('/admin/agents/sick/sleep', { method: 'POST' });
    await daemon.event('agent.sleep', 'sick');
    expect([pid, ...children].map(isAlive)).toEqual([false, false, false]);
  });

  it('H: no request meets an agent that listens already but is not healthy yet', async ({ home }) => {
    const at = home({});
    sick(at, 'warms-up');
    const daemon = await at.start();
    const answers: unknown[] = [];
    let ready = false;
    const isReady = daemon.event('agent.ready', 'sick').then(() => (ready = true));
    while (!ready) {
      const { status, json } = await daemon.call('sick');
      answers.push(status === 503 ? json.status : json.well);
    }
    await isReady;
    expect((await daemon.call('sick')).json.well).toBe(true);
    expect(answers.filter((answer) => answer === 'starting').length).toBeGreaterThan(0);
    expect(answers).not.toContain(false);
  });

  it('healthy, then failing: it drains, restarts, and serves again from another process', async ({ home }) => {
    const at = home({});
    sick(at, '');
    const daemon = await at.start();
    const { pid } = (await daemon.wake('sick')).json;
    const first = await daemon.event('agent.ready', 'sick');
    // Work in hand is finished by the old process before it goes.
    const work = daemon.call('sick', '/hold?ms=5000');
    await daemon.untilInFlight('sick', 1);
    await daemon.call('sick', '/unwell');
    expect(await daemon.event('agent.health_failed', 'sick')).toMatchObject({ failures: expect.any(Number) });
    expect(await daemon.event('agent.draining', 'sick', first)).toMatchObject({ reason: 'restart' });
    expect((await daemon.call('sick')).status).toBe(503);
    expect(await work).toMatchObject({ status: 200, json: { pid } });
    await daemon.event('agent.ready', 'sick', first);
    const after = await daemon.call('sick');
    expect(after.status).toBe(200);
    expect(after.json.pid).not.toBe(pid);
  });

  it('crashes under a request: that one gets 502, and the agent is asleep until the next', async ({ home }) => {
    const at = home({});
    sick(at, '');
    const daemon = await at.start();
    await daemon.wake('sick');
    const broken = await daemon.call('sick', '/crash', { method: 'POST' });
    expect([broken.status, broken.json.type]).toEqual([502, expect.stringMatching(/\/upstream-broken$/)]);
    expect(broken.headers['content-type']).toBe('application/problem+json');
    expect(broken.json.instance).toBe(broken.headers['x-request-id']);
    expect(await daemon.event('agent.sleep', 'sick')).toMatchObject({ reason: 'exited' });
    expect((await daemon.wake('sick')).status).toBe(200);
  });

  it('always-on: it runs from the start, and again after a crash', async ({ home }) => {
    const at = home({});
    sick(at, '', { policy: 'always-on' });
    const daemon = await at.start();
    const { pid } = await untilHealthy(daemon);
    await daemon.call('sick', '/crash', { method: 'POST' });
    const degraded = await daemon.event('agent.degraded', 'sick');
    expect(degraded).toMatchObject({ from: 'running', to: 'degraded', problem: 'exited' });
    const gap = await daemon.call('sick');
    expect([200, 502]).toContain(gap.status);
    const recovered = await daemon.event('agent.recovered', 'sick', degraded);
    expect(recovered).toMatchObject({ from: 'degraded', to: 'running' });
    expect(between(degraded, recovered)).toBeGreaterThan(900);
    const after = await daemon.call('sick');
    expect([after.status, after.json.pid === pid]).toEqual([200, false]);
    expect((await daemon.metrics()).get('restarts_total{agent="sick"}')).toBe(1);
    for (const verb of ['wake', 'sleep'])
      expect((await daemon.admin(`/admin/agents/sick/${verb}`, { method: 'POST' })).status).toBe(409);
  });

  it('always-on and ill: it is degraded, still served, and recovers by itself', async ({ home }) => {
    const at = home({});
    sick(at, '', { policy: 'always-on' });
    const daemon = await at.start();
    const { pid } = await untilHealthy(daemon);
    await daemon.call('sick', '/unwell');
    const degraded = await daemon.event('agent.degraded', 'sick');
    expect(degraded).toMatchObject({ problem: 'health-failed' });
    expect((await daemon.call('sick')).status).toBe(200);
    expect((await daemon.call('sick', '/api/health')).status).toBe(503);
    await daemon.call('sick', '/well');
    await daemon.event('agent.recovered', 'sick', degraded);
    expect((await daemon.call('sick', '/api/health')).status).toBe(200);
    // Watched, and never touched.
    expect((await daemon.call('sick')).json.pid).toBe(pid);
  });
});

/** Nobody announces that an always-on agent has passed its first check; the figures know. */
async function untilHealthy(daemon: Daemon): Promise<{ readonly pid: number }> {
  while (((await daemon.metrics()).get('health_checks_total{agent="sick",result="pass"}') ?? 0) === 0) await pause(50);
  return (await daemon.call('sick')).json;
}
