import { describe, expect, test, vi } from 'vitest';
import type { Hostname } from '../../src/contract/hostname.ts';
import type { Admission } from '../../src/runtime/traffic.ts';
import { instantOf } from '../../src/std/time.ts';
import { type House, type Loose, house } from './harness.ts';

/** Requests that wait for their agent: served in order, told why not, or told that it took too long; each once. */
const kai = (parts: Loose = {}): { readonly kai: Loose } => ({ kai: { idle: { timeout: '5s' }, ...parts } });

/** Holds one and notes under `name` what becomes of it, in the order in which that is known. */
function wait(open: House, told: string[], name: string, host = 'kai.test'): void {
  const destination = open.fleet.lookup(host as Hostname);
  const note = (admission: Admission): void => {
    told.push(`${name} ${admission.kind === 'refused' ? admission.problem : admission.kind}`);
    if (admission.kind === 'admitted') admission.work.end();
  };
  const asked = destination?.hold('request', null, { settled: note }, () => undefined);
  if (asked !== undefined && asked.kind !== 'held') note(asked);
}

describe('requests that wait', () => {
  test('L: are let in together by one start, in order of arrival', async () => {
    const open = await house({ agents: kai() });
    const told: string[] = [];
    for (const name of ['first', 'second', 'third']) {
      wait(open, told, name);
      await open.clock.advance(50);
    }
    expect([open.state(), open.runner().holds.size, told]).toEqual(['starting', 3, []]);
    await open.clock.advance(1000);
    expect(told).toEqual(['first admitted', 'second admitted', 'third admitted']);
    expect(open.engine.scales('kai')).toEqual([1]);
    expect([open.runner().holds.size, open.fleet.heldInAll.count]).toEqual([0, 0]);
  });

  test('L: are told after max_wait each by itself, and the start goes on', async () => {
    const open = await house({ agents: kai({ hold: { max_wait: '2s' } }) });
    open.probe.wellness = 'ill';
    const early = open.waits();
    await open.clock.advance(500);
    const late = open.waits();
    await open.clock.advance(1499);
    expect(early.word).toBe('held');
    await open.clock.advance(1);
    expect([early.word, late.word]).toEqual(['wake-timeout', 'held']);
    await open.clock.advance(500);
    expect(late.outcome).toEqual({ kind: 'refused', problem: 'wake-timeout', retryAfterSeconds: null });
    open.probe.wellness = 'well';
    await open.clock.advance(500);
    expect(open.state()).toBe('ready');
  });

  test('L: are at most hold.max_requests an agent, and who is one too many is told when to come back', async () => {
    const open = await house({ agents: kai({ hold: { max_requests: 2 } }) });
    const [first, second, third] = [open.waits(), open.waits(), open.waits()];
    expect(third.outcome).toEqual({ kind: 'refused', problem: 'hold-queue-full', retryAfterSeconds: 3 });
    second.leave();
    const fourth = open.waits();
    await open.clock.advance(1000);
    expect([first.word, second.word, fourth.word]).toEqual(['admitted', 'held', 'admitted']);
  });

  test('L: are at most hold_max_requests in all, and a wake begins all the same', async () => {
    const open = await house({ agents: { ...kai(), lea: {} }, file: { hold_max_requests: 1 } });
    open.waits();
    const other = open.waits('lea.test');
    expect(other.outcome).toEqual({ kind: 'refused', problem: 'hold-queue-full', retryAfterSeconds: 3 });
    expect(open.state('lea')).toBe('starting');
    await open.clock.advance(1000);
    expect(open.ask('lea.test').kind).toBe('admitted');
  });

  test('L: count against limits.in_flight, so that all who were held are let in', async () => {
    const open = await house({ agents: kai(), file: { limits: { in_flight: 2 } } });
    const callers = [open.waits(), open.waits(), open.waits()];
    expect(callers.map(({ word }) => word)).toEqual(['held', 'held', 'in-flight-limit']);
    await open.clock.advance(1000);
    expect(callers.map(({ word }) => word)).toEqual(['admitted', 'admitted', 'in-flight-limit']);
    expect(open.waits().word).toBe('in-flight-limit');
  });

  test('L: are turned away with the state and a Retry-After as soon as the start fails', async () => {
    const open = await house({ agents: kai() });
    open.engine.scriptStart('kai', { exits: 'exit code 3' });
    const caller = open.waits();
    await open.clock.advance(401);
    expect(caller.outcome).toEqual({ kind: 'asleep', state: 'stopping', retryAfterSeconds: 4 });
    expect(open.state()).toBe('sleeping');
    // Whoever asks anew waits out the backoff of a second, and is served.
    const again = open.waits();
    await open.clock.advance(2000);
    expect(again.word).toBe('admitted');
  });

  test('L: that are refused by the engine are turned away at once, in the same moment for all', async () => {
    const open = await house({ agents: kai() });
    open.engine.failNext('scale', 'refused', 'no such program');
    const callers = [open.waits(), open.waits()];
    await open.clock.settle();
    expect(callers.map(({ word }) => word)).toEqual(['asleep', 'asleep']);
  });

  test('L: for a place that nobody gives up are told so at max_wait, and not that the agent sleeps', async () => {
    const agents = { kai: { pin: true }, eve: { on_sleeping: 'hold', hold: { max_wait: '5s' } } };
    const open = await house({ agents, file: { max_ready_agents: 1 } });
    await open.ready('kai');
    const caller = open.waits('eve.test');
    await open.clock.advance(4999);
    expect(caller.word).toBe('held');
    await open.clock.advance(1);
    expect(caller.word).toBe('wake-timeout');
    await open.clock.advance(60_000);
    expect(open.runner('eve').state).toMatchObject({ name: 'sleeping', wake: null, seeking: null });
  });

  test('L: for an agent that is stopping are held until it is up again', async () => {
    const open = await house({ agents: kai() });
    await open.ready();
    await open.clock.advance(5000);
    expect(open.state()).toBe('stopping');
    const caller = open.waits();
    await open.clock.advance(2999);
    expect(caller.word).toBe('held');
    await open.clock.advance(500);
    expect(caller.word).toBe('admitted');
    expect(open.engine.scales('kai')).toEqual([1, 0, 1]);
  });

  test('L: for a frozen agent are held for as long as the thaw takes, whatever on_sleeping says', async () => {
    const open = await house({ agents: kai({ idle: { timeout: '1h', freeze_after: '1s' }, on_sleeping: 'refuse' }) });
    await open.ready();
    await open.clock.advance(1500);
    expect(open.state()).toBe('frozen');
    const callers = [open.waits(), open.waits()];
    await open.clock.advance(6);
    expect(callers.map(({ word }) => word)).toEqual(['held', 'held']);
    await open.clock.advance(1);
    expect(callers.map(({ word }) => word)).toEqual(['admitted', 'admitted']);
    expect(open.engine.calls.filter(({ call }) => call === 'thaw')).toHaveLength(1);
  });

  test('L: keep their agent awake until they are served, and idleness counts from then', async () => {
    const open = await house({ agents: kai({ idle: { timeout: '10ms' } }) });
    const told: string[] = [];
    wait(open, told, 'only');
    await open.clock.advance(405);
    expect(told).toEqual(['only admitted']);
    const slept = open.eventsOf('agent.draining')[0];
    expect(slept).toBeUndefined();
    await open.clock.advance(20);
    expect(open.eventsOf('agent.draining')).toHaveLength(1);
  });

  test('L: are told by an operator who puts the agent to sleep, and nothing wakes it any more', async () => {
    const open = await house({ agents: kai() });
    const caller = open.waits();
    await open.clock.advance(100);
    open.control.sleep('kai', { force: false });
    expect(caller.outcome).toMatchObject({ kind: 'asleep', state: 'stopping' });
    await open.clock.advance(60_000);
    expect([open.state(), open.engine.scales('kai')]).toEqual(['sleeping', [1, 0]]);
  });

  test('L: are not held for a backoff that is longer than max_wait, but told how long it is', async () => {
    const open = await house({ agents: kai({ hold: { max_wait: '3s' } }) });
    for (const pause of [1500, 2500, 500]) {
      open.engine.scriptStart('kai', { exits: 'exit code 3' });
      open.waits();
      await open.clock.advance(pause);
    }
    expect(open.state()).toBe('sleeping');
    const caller = open.waits();
    expect(caller.outcome).toMatchObject({ kind: 'asleep', state: 'sleeping' });
    // It is remembered all the same: whoever comes back then finds it awake.
    await open.clock.advance(5000);
    expect(open.state()).toBe('ready');
  });

  test('L: are told as soon as a failed start shows that they would wait in vain', async () => {
    const open = await house({ agents: kai({ hold: { max_wait: '3s' }, health: { startup_timeout: '1s' } }) });
    open.probe.wellness = 'ill';
    open.waits();
    await open.clock.advance(1000);
    expect(open.state()).toBe('stopping');
    await open.clock.advance(1000);
    // It takes 2 s more to be gone, and 1 s of backoff after that.
    const callers = [open.waits(), open.waits()];
    await open.clock.advance(1999);
    expect(callers.map(({ word }) => word)).toEqual(['held', 'held']);
    await open.clock.advance(1);
    expect(callers.map(({ outcome }) => outcome)).toEqual([
      { kind: 'asleep', state: 'sleeping', retryAfterSeconds: 4 },
      { kind: 'asleep', state: 'sleeping', retryAfterSeconds: 4 },
    ]);
  });

  test('L: are refused while the engine is away, and told at max_wait when it goes while they wait', async () => {
    const open = await house({ agents: { ...kai({ hold: { max_wait: '3s' } }), lea: {} } });
    open.probe.wellness = 'ill';
    const held = open.waits();
    await open.clock.advance(100);
    open.engine.lose();
    await open.clock.settle();
    expect(open.waits('lea.test').word).toBe('engine-unavailable');
    expect(open.waits().word).toBe('engine-unavailable');
    await open.clock.advance(2899);
    expect(held.word).toBe('held');
    await open.clock.advance(1);
    expect(held.word).toBe('wake-timeout');
    open.engine.restore();
    await open.clock.advance(100);
  });

  test.each([
    ['is removed', {}],
    ['gets another policy', { kai: { policy: 'always-on' } }],
  ])('L: are told to come back when their agent %s', async (_, agents) => {
    const open = await house({ agents: { ...kai(), lea: {} } });
    const callers = [open.waits(), open.waits()];
    await open.clock.advance(100);
    await open.reload({ lea: {}, ...agents });
    expect(callers.map(({ outcome }) => outcome)).toEqual([
      { kind: 'asleep', state: 'starting', retryAfterSeconds: 1 },
      { kind: 'asleep', state: 'starting', retryAfterSeconds: 1 },
    ]);
    expect(open.fleet.heldInAll.count).toBe(0);
    await open.clock.advance(60_000);
  });

  test('L: feel nothing of a reload that changes their bounds', async () => {
    const open = await house({ agents: kai() });
    const caller = open.waits();
    await open.reload(kai({ hold: { max_wait: '1ms', max_requests: 1 } }));
    expect(open.waits().word).toBe('hold-queue-full');
    await open.clock.advance(1000);
    expect(caller.word).toBe('admitted');
  });

  test('L: are told when the daemon ends', async () => {
    const open = await house({ agents: kai() });
    const caller = open.waits();
    open.fleet.close();
    expect(caller.outcome).toMatchObject({ kind: 'asleep' });
    expect(open.fleet.heldInAll.count).toBe(0);
  });

  test('L: leave without a trace, and a wake that has begun goes on', async () => {
    const open = await house({ agents: kai() });
    const [stays, leaves] = [open.waits(), open.waits()];
    leaves.leave();
    leaves.leave();
    expect(open.fleet.heldInAll.count).toBe(1);
    stays.leave();
    expect([open.fleet.heldInAll.count, open.runner().activity.busy]).toEqual([0, false]);
    await open.clock.advance(1000);
    expect([open.state(), stays.outcome, leaves.outcome]).toEqual(['ready', null, null]);
  });

  test('L: are settled after they know that they wait, also where a deadline passes in that very moment', async () => {
    for (let looks = 0; looks < 30; looks += 1) {
      const open = await house({ agents: kai({ health: { startup_timeout: '1s' } }) });
      open.probe.wellness = 'hangs';
      open.control.wake('kai');
      await open.clock.advance(999);
      // The clock goes on by itself between two looks at it, as the real one does.
      const now = open.clock.now();
      let left = looks;
      const looking = vi.spyOn(open.clock, 'now').mockImplementation(() => ((left -= 1) < 0 ? instantOf(now + 2) : now));
      let isAsked = false;
      let told: Admission | null = null;
      const settled = (admission: Admission): void => {
        expect(isAsked).toBe(true);
        expect(told).toBeNull();
        told = admission;
      };
      const asked = open.fleet.lookup('kai.test' as Hostname)?.hold('request', null, { settled }, () => undefined);
      isAsked = true;
      if (asked !== undefined && asked.kind !== 'held') told = asked;
      looking.mockRestore();
      await open.clock.advance(10);
      if (told === null) expect(open.runner().holds.size).toBe(1);
      else expect(told).toMatchObject({ kind: 'asleep' });
      await open.close();
    }
  });
});
