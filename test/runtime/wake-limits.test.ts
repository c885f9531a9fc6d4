import { describe, expect, test } from 'vitest';
import { parseHost } from '../../src/contract/hostname.ts';
import type { Turned } from '../../src/runtime/traffic.ts';
import { assert } from '../../src/std/assert.ts';
import { type House, house } from './harness.ts';

/** Limits of wakes where they are ordered. How they count by themselves is in test/core/wake-limits.test.ts. */
const limited = (perClient: string | null, total: string | null, agents = 1): Promise<House> =>
  house({
    agents: Object.fromEntries(Array.from({ length: agents }, (_, at) => [`a${at}`, { idle: { timeout: '5s' } }])),
    file: { wake_limits: { per_client: perClient, total } },
  });

function destination(open: House, name: string) {
  const host = parseHost(`${name}.test`);
  const found = host === null ? null : open.fleet.lookup(host);
  assert(found !== null, `${name} has a hostname`);
  return found;
}

const call = (open: House, name: string, client: string | null): Turned => destination(open, name).call('request', client);
const said = (turned: Turned): string => (turned.kind === 'refused' ? turned.problem : turned.kind);

async function asleep(open: House, name: string): Promise<void> {
  for (let waited = 0; waited < 60_000 && open.state(name) !== 'sleeping'; waited += 10) await open.clock.advance(10);
}

describe('wake limits', () => {
  test('R: a client that has ordered its wakes is refused with the time until the next, and others are not', async () => {
    const open = await limited('2/m', '600/m', 4);
    expect(said(call(open, 'a0', '192.0.2.1'))).toBe('asleep');
    expect(said(call(open, 'a1', '192.0.2.1'))).toBe('asleep');
    expect(call(open, 'a2', '192.0.2.1')).toEqual({ kind: 'refused', problem: 'wake-limit', retryAfterSeconds: 30 });
    expect(open.state('a2')).toBe('sleeping');
    expect(said(call(open, 'a2', '192.0.2.2'))).toBe('asleep');
    expect(open.state('a2')).toBe('starting');
    await open.clock.advance(30_000);
    expect(said(call(open, 'a3', '192.0.2.1'))).toBe('asleep');
  });

  test('R: wakes are counted and not requests: a thousand at once are one, and those to an agent on its way or awake none', async () => {
    const open = await limited('1/h', '600/m');
    for (let count = 0; count < 1000; count += 1) expect(said(call(open, 'a0', '192.0.2.1'))).toBe('asleep');
    await open.clock.advance(1000);
    expect(open.state('a0')).toBe('ready');
    expect(destination(open, 'a0').want('api', '192.0.2.1')).toBeNull();
    await asleep(open, 'a0');
    expect(said(call(open, 'a0', '192.0.2.1'))).toBe('wake-limit');
    expect(destination(open, 'a0').want('api', '192.0.2.1')).toMatchObject({ problem: 'wake-limit' });
    expect(open.engine.scales('a0')).toEqual([1, 0]);
  });

  test('those who wait count where they order the wake, and are told at once when they may not', async () => {
    const open = await limited('1/h', '600/m', 2);
    const settled: unknown[] = [];
    const hold = (name: string, client: string) =>
      destination(open, name).hold(
        'request',
        client,
        { settled: (admission) => void settled.push(admission.kind) },
        () => undefined,
      ).kind;
    expect([hold('a0', '192.0.2.1'), hold('a0', '192.0.2.1'), hold('a1', '192.0.2.1')]).toEqual(['held', 'held', 'refused']);
    await open.clock.advance(1000);
    expect(settled).toEqual(['admitted', 'admitted']);
  });

  test('a wake that is remembered while the agent stops counts once', async () => {
    const open = await limited('2/h', '600/m', 2);
    expect(said(call(open, 'a0', '192.0.2.1'))).toBe('asleep');
    await open.clock.advance(1000);
    open.control.sleep('a0', { force: true });
    expect(open.state('a0')).toBe('stopping');
    for (let count = 0; count < 10; count += 1) expect(said(call(open, 'a0', '192.0.2.1'))).toBe('asleep');
    expect(said(call(open, 'a1', '192.0.2.1'))).toBe('wake-limit');
  });

  test('all clients together are bounded too, callers without an address among them, and operators are not', async () => {
    const open = await limited('60/h', '60/h', 1);
    const { wakeLimits } = open.fleet;
    for (let count = 0; count < 60; count += 1) wakeLimits.decide(count % 2 === 0 ? null : `192.0.2.${count}`, open.clock.now());
    expect(call(open, 'a0', '198.51.100.1')).toEqual({ kind: 'refused', problem: 'wake-limit-total', retryAfterSeconds: 60 });
    expect(said(call(open, 'a0', null))).toBe('wake-limit-total');
    open.control.wake('a0');
    expect(open.state('a0')).toBe('starting');
  });

  test('thawing a frozen agent is no wake', async () => {
    const open = await house({
      agents: { kai: { idle: { timeout: '60s', freeze_after: '2s' } } },
      file: { wake_limits: { per_client: '1/h', total: null } },
    });
    const at = destination(open, 'kai');
    at.call('request', '192.0.2.1');
    await open.clock.advance(1000);
    for (let round = 0; round < 3; round += 1) {
      await open.clock.advance(3000);
      expect(open.state('kai')).toBe('frozen');
      expect(
        at.hold('request', '192.0.2.1', { settled: (it) => it.kind === 'admitted' && it.work.end() }, () => undefined).kind,
      ).toBe('held');
      await open.clock.advance(100);
      expect(open.state('kai')).toBe('ready');
    }
  });

  test('a reload changes the limits and forgives nothing', async () => {
    const open = await limited('1/h', '600/m', 2);
    call(open, 'a0', '192.0.2.1');
    const agents = { a0: {}, a1: {} };
    await open.reload(agents, { wake_limits: { per_client: '1/m' } });
    expect(call(open, 'a1', '192.0.2.1')).toEqual({ kind: 'refused', problem: 'wake-limit', retryAfterSeconds: 60 });
    await open.reload(agents, { wake_limits: { per_client: null } });
    expect(said(call(open, 'a1', '192.0.2.1'))).toBe('asleep');
  });
});

describe('requests that do not count', () => {
  test('M: go through while the agent is awake, leave its idleness as it is, and are cut when it sleeps', async () => {
    const open = await limited(null, null);
    const at = destination(open, 'a0');
    expect(at.pass(() => undefined)).toBeNull();
    await open.ready('a0');
    let cut = false;
    const long = at.pass(() => (cut = true));
    expect(long?.kind).toBe('admitted');
    for (let count = 0; count < 40; count += 1) {
      await open.clock.advance(100);
      const passed = at.pass(() => undefined);
      if (passed?.kind === 'admitted') passed.work.end();
    }
    expect(open.runner('a0').activity.inFlight).toBe(0);
    await open.clock.advance(1100);
    expect(open.eventsOf('agent.sleep', 'agent.draining')[0]).toMatchObject({ reason: 'idle' });
    expect(cut).toBe(true);
    expect(at.pass(() => undefined)).toBeNull();
    expect(open.engine.scales('a0')).toEqual([1, 0]);
  });

  test('have a limit of their own, and take nothing from those who count', async () => {
    const open = await house({ file: { limits: { in_flight: 2 } } });
    await open.ready();
    const at = destination(open, 'kai');
    const passed = [1, 2, 3].map(() => at.pass(() => undefined));
    expect(passed.map((one) => one?.kind)).toEqual(['admitted', 'admitted', 'refused']);
    expect(at.admit('request', () => undefined).kind).toBe('admitted');
    for (const one of passed) if (one?.kind === 'admitted') one.work.end();
    const upgraded = at.pass(() => undefined);
    assert(upgraded?.kind === 'admitted', 'there is room again');
    upgraded.work.upgraded();
    expect(open.runner().activity).toMatchObject({ passing: 0, sockets: 1, inFlight: 1 });
    upgraded.work.end();
    expect(open.runner().activity).toMatchObject({ passing: 0, sockets: 0, inFlight: 1 });
  });
});
