import { describe, expect, test } from 'vitest';
import { assert } from '../../src/std/assert.ts';
import { type House, house } from './harness.ts';

const kai = (parts: object = {}) => ({ agents: { kai: { idle: { timeout: '5s' }, ...parts } } });

describe('one wake', () => {
  test('A: a hundred requests at once order exactly one start', async () => {
    const { house: open, engine, clock, ask } = spread(await house(kai()));
    const answers = Array.from({ length: 100 }, () => ask());
    expect(answers.every((answer) => answer.kind === 'asleep')).toBe(true);
    expect(answers[0]).toEqual({ kind: 'asleep', state: 'sleeping', retryAfterSeconds: 3 });
    expect(answers[99]).toEqual({ kind: 'asleep', state: 'starting', retryAfterSeconds: 3 });
    await clock.advance(1000);
    expect(engine.scales('kai')).toEqual([1]);
    expect(open.state()).toBe('ready');
    expect(open.eventsOf('agent.wake', 'agent.starting')).toHaveLength(2);
  });

  test('A: requests, upgrades and wakes by API that meet while the engine is slow to answer order one start', async () => {
    const { engine, clock, ask, house: open } = spread(await house({ ...kai(), engine: { answerMs: 300 } }));
    for (let turn = 0; turn < 40; turn += 1) {
      ask('kai.test', turn % 2 === 0 ? 'request' : 'upgrade');
      open.control.wake('kai');
      await clock.advance(5);
    }
    await clock.advance(3000);
    expect(engine.scales('kai')).toEqual([1]);
    expect(engine.overlaps).toBe(0);
  });

  test('A: a wake asks for as many tasks as `replicas` says, in one order', async () => {
    const { engine, clock, ask } = spread(await house(kai({ replicas: 3 })));
    ask();
    ask();
    await clock.advance(1000);
    expect(engine.scales('kai')).toEqual([3]);
  });
});

describe('no lost wake', () => {
  test('C: in draining by idleness a request turns the sleep back and is let in', async () => {
    const { house: open, clock } = spread(await house(kai()));
    await open.ready();
    // Draining by idleness passes within a step; a request can only meet it if the step is stopped half way.
    const { state } = open.runner();
    assert(state.name === 'ready', 'it is ready');
    open.runner().state = { ...state, name: 'draining', reason: 'idle' };
    expect(open.ask().kind).toBe('admitted');
    expect(open.state()).toBe('ready');
    await clock.advance(60_000);
    expect(open.engine.scales('kai')).toEqual([1]);
  });

  test('C: in draining by an operator a request gets the 503 and does not call it off, an operator does', async () => {
    const { house: open } = spread(await house(kai()));
    await open.ready();
    const work = open.admitted();
    open.control.sleep('kai', { force: false });
    expect(open.ask()).toMatchObject({ kind: 'asleep', state: 'draining' });
    expect(open.state()).toBe('draining');
    open.control.wake('kai');
    expect(open.ask().kind).toBe('admitted');
    work.end();
    expect(open.engine.scales('kai')).toEqual([1]);
  });

  test('C: in draining for a restart a request gets the 503, and the agent comes back by itself', async () => {
    const { house: open, clock } = spread(
      await house(kai({ idle: { timeout: '1h', drain_timeout: '10s' }, health: { check_interval: '1s' } })),
    );
    await open.ready();
    const work = open.admitted();
    open.probe.wellness = 'ill';
    await clock.advance(4000);
    expect(open.state()).toBe('draining');
    expect(open.ask()).toMatchObject({ kind: 'asleep', state: 'draining' });
    open.probe.wellness = 'well';
    work.end();
    await clock.advance(10_000);
    expect(open.state()).toBe('ready');
    expect(open.engine.scales('kai')).toEqual([1, 0, 1]);
    expect(open.runner().wokenBy).toBe('restart');
    expect(open.metrics.values.get('restarts_total{agent="kai"}')).toBe(1);
  });

  test('C: a request in stopping starts the agent as soon as it is gone, without asking again', async () => {
    const { house: open, clock, ask } = spread(await house(kai()));
    await open.ready();
    await clock.advance(5000);
    expect(open.state()).toBe('stopping');
    expect(ask()).toMatchObject({ kind: 'asleep', state: 'stopping' });
    expect(ask()).toMatchObject({ kind: 'asleep', state: 'stopping' });
    await clock.advance(2900);
    expect(open.engine.scales('kai')).toEqual([1, 0]);
    await clock.advance(1000);
    expect(open.engine.scales('kai')).toEqual([1, 0, 1]);
    expect(open.state()).toBe('ready');
    expect(open.eventsOf('agent.wake').map((event) => event['cause'])).toEqual(['api', 'request']);
  });

  test('C: a wake inside the cooldown is remembered and starts at its end', async () => {
    const { house: open, clock, ask } = spread(await house(kai({ idle: { timeout: '5s', wake_cooldown: '20s' } })));
    await open.ready();
    await clock.advance(5000 + 3000);
    expect(open.state()).toBe('sleeping');
    await clock.advance(8000);
    expect(ask()).toEqual({ kind: 'asleep', state: 'sleeping', retryAfterSeconds: 13 });
    await clock.advance(11_999);
    expect(open.engine.scales('kai')).toEqual([1, 0]);
    await clock.advance(1000);
    expect(open.engine.scales('kai')).toEqual([1, 0, 1]);
  });

  test('a sleep by an operator takes back a wake that is remembered, and a later call wakes again', async () => {
    const { house: open, clock, ask } = spread(await house(kai({ idle: { timeout: '5s', wake_cooldown: '20s' } })));
    await open.ready();
    await clock.advance(5000 + 3000);
    ask();
    open.control.sleep('kai', { force: false });
    await clock.advance(60_000);
    expect(open.engine.scales('kai')).toEqual([1, 0]);
    ask();
    expect(open.state()).toBe('starting');
  });

  test('C: a wake inside the backoff of a failed start is remembered and starts at its end', async () => {
    const { house: open, clock, ask } = spread(await house(kai()));
    open.engine.scriptStart('kai', { exits: 'exit code 3' });
    ask();
    await clock.advance(401);
    expect(open.state()).toBe('sleeping');
    expect(open.control.agent('kai')).toMatchObject({
      ok: true,
      value: { attempts: 1, problem: { code: 'exited', detail: 'exit code 3' } },
    });
    expect(ask()).toEqual({ kind: 'asleep', state: 'sleeping', retryAfterSeconds: 4 });
    await clock.advance(990);
    expect(open.engine.scales('kai')).toEqual([1, 0]);
    await clock.advance(1000);
    expect(open.engine.scales('kai')).toEqual([1, 0, 1]);
    expect(open.state()).toBe('ready');
    expect(open.control.agent('kai')).not.toMatchObject({ value: { attempts: 1 } });
  });

  test('C: a random life of requests meets 503 or the agent, and never a task that is not there', async () => {
    const { house: open, clock, ask } = spread(await house(kai({ idle: { timeout: '50ms' } })));
    for (let turn = 0; turn < 400; turn += 1) {
      const answer = ask();
      expect(answer.kind).not.toBe('refused');
      if (answer.kind === 'admitted') {
        const live = open.engine.truth('kai').tasks.filter(({ state }) => state === 'running');
        expect(live.map(({ address }) => address)).toContainEqual(answer.work.target.address);
        answer.work.end();
      }
      await clock.advance((turn * 37) % 120);
    }
    expect(open.engine.scales('kai').length).toBeGreaterThan(10);
    expect(open.engine.overlaps).toBe(0);
  });
});

/** Parts of a house under the names that a test uses most. */
function spread(open: House) {
  return { house: open, engine: open.engine, clock: open.clock, ask: open.ask.bind(open) };
}
