import { describe, expect, test } from 'vitest';
import type { Work } from '../../src/runtime/traffic.ts';
import { instantOf, millisOf } from '../../src/std/time.ts';
import { type House, caller, codeOf, house } from './harness.ts';

/** Ready, idle after 5 s, and allowed to register `*.preview.test`; kai is reached by a wildcard too. */
async function awake(parts: object = {}, idle: object = {}): Promise<House> {
  const open = await house({
    agents: {
      kai: {
        hostnames: ['*.kai.test'],
        domains: ['*.preview.test'],
        ...parts,
        idle: { timeout: '5s', drain_timeout: '10s', ...idle },
      },
    },
  });
  await open.ready();
  return open;
}

/** Work that reports its end in the same turn in which it is cut, as the data plane does. */
function cuttable(open: House, kind: 'request' | 'upgrade' = 'request') {
  const cut = { times: 0 };
  const work = open.admitted('kai.test', kind, () => {
    cut.times += 1;
    work.end();
  });
  if (kind === 'upgrade') work.upgraded();
  return { work, cut };
}

describe('no sleep under work', () => {
  test('B: a request of two hours is two hours of activity', async () => {
    const open = await awake();
    const work = open.admitted();
    await open.clock.advance(7_200_000);
    expect(open.state()).toBe('ready');
    expect(open.engine.scales('kai')).toEqual([1]);
    work.end();
    await open.clock.advance(4999);
    expect(open.state()).toBe('ready');
    await open.clock.advance(1);
    expect(open.state()).toBe('stopping');
    expect(open.engine.scales('kai')).toEqual([1, 0]);
  });

  test('B: the end of one piece of work is not the end of all', async () => {
    const open = await awake();
    const [first, second] = [open.admitted(), open.admitted()];
    first.end();
    await open.clock.advance(60_000);
    expect(open.engine.scales('kai')).toEqual([1]);
    second.end();
    await open.clock.advance(5000);
    expect(open.engine.scales('kai')).toEqual([1, 0]);
  });

  test('B: with websocket open, a silent WebSocket holds its agent awake for as long as it is open', async () => {
    const open = await awake();
    const { work, cut } = cuttable(open, 'upgrade');
    expect(open.control.agent('kai')).toMatchObject({ value: { connections: 1, in_flight: 0 } });
    await open.clock.advance(3_600_000);
    expect(open.state()).toBe('ready');
    work.end();
    await open.clock.advance(5000);
    expect(open.engine.scales('kai')).toEqual([1, 0]);
    expect(cut.times).toBe(0);
  });

  test('B: with websocket data, data frames hold the agent awake; a socket silent for the idle timeout is closed by the sleep', async () => {
    const open = await awake({}, { websocket: 'data' });
    const { work, cut } = cuttable(open, 'upgrade');
    for (let turn = 0; turn < 10; turn += 1) {
      await open.clock.advance(4900);
      work.touch();
    }
    expect(open.state()).toBe('ready');
    await open.clock.advance(4999);
    expect(open.state()).toBe('ready');
    expect(cut.times).toBe(0);
    await open.clock.advance(1);
    expect(open.state()).toBe('stopping');
    expect(cut.times).toBe(1);
  });

  test('B: with websocket data, a socket that let go holds again with its next frame', async () => {
    const open = await awake({}, { websocket: 'data' });
    const { work, cut } = cuttable(open, 'upgrade');
    const request = open.admitted();
    await open.clock.advance(6000);
    work.touch();
    request.end();
    await open.clock.advance(4999);
    expect(open.state()).toBe('ready');
    await open.clock.advance(1);
    expect(open.state()).toBe('stopping');
    expect(cut.times).toBe(1);
    work.touch();
    await open.clock.advance(10_000);
    expect(open.state()).toBe('sleeping');
  });

  test('B: a busy lease holds its agent awake until it ends by itself', async () => {
    const open = await awake();
    expect(open.control.takeLease(caller(), millisOf(60_000), 'thinking')).toMatchObject({ ok: true });
    await open.clock.advance(59_999);
    expect(open.state()).toBe('ready');
    expect(open.control.agent('kai')).toMatchObject({ value: { busy: [{ reason: 'thinking', task: 'task-1' }] } });
    await open.clock.advance(1);
    expect(open.state()).toBe('ready');
    await open.clock.advance(5000);
    expect(open.state()).toBe('stopping');
  });

  test('B: a busy lease that is renewed or dropped never leaves a gap or a rest', async () => {
    const open = await awake();
    open.control.takeLease(caller(), millisOf(4000), 'first');
    await open.clock.advance(3000);
    open.control.takeLease(caller(), millisOf(60_000), 'second');
    await open.clock.advance(50_000);
    expect(open.state()).toBe('ready');
    expect(codeOf(open.control.dropLease(caller()))).toBe('ok');
    expect(codeOf(open.control.dropLease(caller()))).toBe('ok');
    await open.clock.advance(5000);
    expect(open.state()).toBe('stopping');
  });

  test.each(['kai.test', 'any.depth.kai.test', 'x.preview.test'])('B: a request by %s counts for its agent', async (host) => {
    const open = await awake();
    expect(codeOf(open.control.register(caller(), { hostname: 'x.preview.test', target: ':3000' }))).toBe('ok');
    const work = open.admitted(host);
    await open.clock.advance(60_000);
    expect(open.state()).toBe('ready');
    expect(open.control.agent('kai')).toMatchObject({ value: { in_flight: 1 } });
    work.end();
    await open.clock.advance(5000);
    expect(open.state()).toBe('stopping');
  });

  test('B: a request that comes in the very turn of the idle deadline is either let in and kept, or wakes', async () => {
    const before = await awake();
    // The alarm of the test was set later, so the deadline of the agent rings first; the request meets the decided sleep.
    let met: unknown = null;
    await before.clock.advance(4999);
    before.clock.alarm(instantOf(before.clock.now() + 1), () => (met = before.ask()));
    await before.clock.advance(1);
    expect(met).toMatchObject({ kind: 'asleep', state: 'stopping' });
    await before.clock.advance(4000);
    expect(before.state()).toBe('ready');

    const after = await awake();
    const cut = { times: 0 };
    let work: Work | null = null;
    // This alarm is set first, and so rings before the deadline of the same instant.
    after.clock.alarm(instantOf(after.clock.now() + 5000), () => {
      work = after.admitted('kai.test', 'request', () => (cut.times += 1));
    });
    after.runner().adjust(after.runner().settings);
    await after.clock.advance(60_000);
    expect(work).not.toBeNull();
    expect(after.state()).toBe('ready');
    expect(cut.times).toBe(0);
  });

  test('B: random requests around the moment of falling asleep: what was let in is never cut', async () => {
    const open = await awake({}, { timeout: '100ms' });
    for (let turn = 0; turn < 300; turn += 1) {
      await open.clock.advance(90 + ((turn * 7) % 20));
      const cut = { times: 0 };
      const answer = open.ask('kai.test', 'request', () => (cut.times += 1));
      if (answer.kind !== 'admitted') continue;
      const orders = open.engine.scales('kai').length;
      await open.clock.advance(1 + ((turn * 31) % 400));
      expect(cut.times).toBe(0);
      expect(open.engine.scales('kai')).toHaveLength(orders);
      answer.work.end();
      answer.work.end();
    }
  });

  test("B: the daemon's own checks and agents' calls to the internal port hold nobody awake", async () => {
    const open = await awake({ health: { check_interval: '1s' } });
    for (let turn = 0; turn < 5; turn += 1) {
      await open.clock.advance(999);
      open.control.register(caller(), { hostname: 'x.preview.test', target: ':3000' });
      open.control.self(caller());
    }
    await open.clock.advance(5);
    expect(open.state()).toBe('stopping');
    expect(open.probe.asked.length).toBeGreaterThan(4);
  });

  test('B: the wall clock stepped by years puts nobody to sleep and keeps nobody up', async () => {
    const open = await awake();
    open.control.register(caller(), { hostname: 'x.preview.test', target: ':3000', ttl: '4s' });
    open.clock.stepWall(10 * 365 * 86_400_000);
    await open.clock.advance(3999);
    expect(open.state()).toBe('ready');
    expect(open.control.services()).toHaveLength(1);
    await open.clock.advance(1);
    expect(open.control.services()).toHaveLength(0);
    open.clock.stepWall(-20 * 365 * 86_400_000);
    await open.clock.advance(999);
    expect(open.state()).toBe('ready');
    await open.clock.advance(1);
    expect(open.state()).toBe('stopping');
  });
});

describe('what may cut', () => {
  test('B: a lease that is renewed while an operator drains its agent is work all the time', async () => {
    const open = await awake();
    open.control.takeLease(caller(), millisOf(60_000), 'first');
    open.control.sleep('kai', { force: false });
    await open.clock.advance(1000);
    open.control.takeLease(caller(), millisOf(60_000), 'second');
    expect(open.state()).toBe('draining');
    open.control.dropLease(caller());
    expect(open.state()).toBe('stopping');
  });

  test('a sleep by an operator waits for work, and is refused when there is some at drain_timeout', async () => {
    const open = await awake();
    const { work, cut } = cuttable(open);
    open.control.sleep('kai', { force: false });
    expect(open.state()).toBe('draining');
    await open.clock.advance(10_000);
    expect(open.state()).toBe('ready');
    expect(open.eventsOf('agent.sleep_refused')).toMatchObject([{ agent: 'kai', because: 'work at drain_timeout' }]);
    expect(cut.times).toBe(0);
    work.end();
    open.control.sleep('kai', { force: false });
    expect(open.state()).toBe('stopping');
  });

  test('B: force cuts every request, WebSocket and lease once, however they report their end', async () => {
    const open = await awake();
    const request = cuttable(open);
    const socket = cuttable(open, 'upgrade');
    const slow = { cut: 0 };
    const late = open.admitted('kai.test', 'request', () => (slow.cut += 1));
    open.control.takeLease(caller(), millisOf(60_000), 'thinking');
    open.control.sleep('kai', { force: true });
    expect([request.cut.times, socket.cut.times, slow.cut]).toEqual([1, 1, 1]);
    expect(open.state()).toBe('stopping');
    await open.clock.advance(3000);
    expect(open.state()).toBe('sleeping');
    // The late one ends in the next life and must not make that one look idle.
    await open.ready();
    const next = open.admitted();
    late.end();
    await open.clock.advance(60_000);
    expect(open.state()).toBe('ready');
    next.end();
    expect(open.control.agent('kai')).toMatchObject({ value: { in_flight: 0, connections: 0 } });
    await open.clock.advance(5000);
    expect(open.state()).toBe('stopping');
  });

  test('B: a restart for failing checks waits for work up to drain_timeout and cuts it then', async () => {
    const open = await awake({ health: { check_interval: '1s' } });
    const { cut } = cuttable(open);
    open.probe.wellness = 'ill';
    await open.clock.advance(3100);
    expect(open.state()).toBe('draining');
    await open.clock.advance(9000);
    expect(cut.times).toBe(0);
    open.probe.wellness = 'well';
    await open.clock.advance(1000);
    expect(cut.times).toBe(1);
    expect(open.state()).toBe('stopping');
    await open.clock.advance(5000);
    expect(open.state()).toBe('ready');
  });
});
