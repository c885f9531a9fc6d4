import { describe, expect, test } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { type House, type HouseOptions, caller, codeOf, house } from './harness.ts';

const KAI = {
  replicas: 2,
  replicas_max: 3,
  idle: { timeout: '60s', drain_timeout: '10s', busy_max: '10m' },
  domains: ['*.p.test'],
};

async function awake(options: HouseOptions = {}): Promise<House> {
  const open = await house({ agents: { kai: KAI, eve: { policy: 'unmanaged', backend: 'http://127.0.0.1:5555' } }, ...options });
  await open.ready();
  await open.clock.advance(100);
  return open;
}

const ADMIN = caller('kai', { admin: true });

describe('what an agent asks about itself', () => {
  test('its view of itself is whole', async () => {
    const open = await awake();
    expect(open.control.self(caller())).toEqual({
      ok: true,
      value: {
        agent: 'kai',
        state: 'ready',
        since: '2026-01-01T00:00:00.401Z',
        woken_by: 'api',
        last_activity: null,
        sleeps_at: '2026-01-01T00:01:00.401Z',
        hostnames: ['kai.test'],
        domains: ['*.p.test'],
        replicas: { wanted: 2, running: 2, max: 3 },
        tasks: [1, 2].map((slot) => ({
          id: `task-${slot}`,
          slot,
          name: `kai.${slot}`,
          node: 'node-1',
          state: 'running',
          address: `127.0.0.1:${open.port('kai', slot - 1)}`,
          started_at: '2026-01-01T00:00:00.000Z',
          on_leader: true,
        })),
      },
    });
    const work = open.admitted();
    expect(open.control.self(caller())).toMatchObject({ value: { last_activity: '2026-01-01T00:00:00.501Z', sleeps_at: null } });
    work.end();
  });

  test('scaling stays within 1 and replicas_max, and lives until the next sleep', async () => {
    const open = await awake();
    for (const replicas of [0, -1, 4, 1.5, Number.NaN])
      expect(codeOf(await open.drive(open.control.scaleSelf(caller(), replicas)))).toBe('replicas-out-of-range');
    expect(codeOf(await open.drive(open.control.scaleSelf(caller(), 3)))).toBe('ok');
    await open.clock.advance(500);
    expect(open.control.self(caller())).toMatchObject({ value: { replicas: { wanted: 3, running: 3, max: 3 } } });
    await open.clock.advance(60_000 + 3000);
    expect(open.state()).toBe('sleeping');
    expect(codeOf(await open.drive(open.control.scaleSelf(caller(), 1)))).toBe('agent-asleep');
    await open.ready();
    expect(open.engine.scales('kai')).toEqual([2, 3, 0, 2]);
  });

  test('an agent that scales itself while it is stopping is refused, and is gone in time', async () => {
    const open = await awake();
    open.control.sleep('kai', { force: false });
    await open.clock.settle();
    expect(open.state()).toBe('stopping');
    expect(codeOf(await open.drive(open.control.scaleSelf(caller(), 3)))).toBe('agent-asleep');
    await open.clock.advance(3000);
    expect(open.state()).toBe('sleeping');
  });

  test('B: a task that is scaled away is drained first, at most for drain_timeout', async () => {
    const open = await awake();
    const works = [open.admitted(), open.admitted()];
    expect(codeOf(await open.drive(open.control.scaleSelf(caller(), 1)))).toBe('ok');
    await open.clock.advance(5000);
    expect(open.engine.truth('kai').tasks.map(({ state }) => state)).toEqual(['running', 'ending']);
    const ports = Array.from({ length: 5 }, () => open.admitted().target.address.port);
    expect(new Set(ports)).toEqual(new Set([open.port('kai', 0)]));
    for (const work of works) work.end();
    await open.clock.advance(3000);
    expect(open.engine.truth('kai').tasks).toHaveLength(1);
  });

  test('ending a task ends exactly that one; the last one only to be replaced', async () => {
    const open = await awake();
    const [first = '', second = ''] = open.tasks();
    expect(codeOf(await open.drive(open.control.endTask(caller(), 'nobody', { replace: false })))).toBe('unknown-task');
    expect(codeOf(await open.drive(open.control.endTask(caller(), second, { replace: false })))).toBe('ok');
    await open.clock.advance(3000);
    expect(open.tasks()).toEqual([first]);
    expect(open.runner().wanted).toBe(1);
    expect(codeOf(await open.drive(open.control.endTask(caller(), first, { replace: false })))).toBe('last-task');
    open.engine.failNext('endTask', 'task-elsewhere');
    expect(codeOf(await open.drive(open.control.endTask(caller(), first, { replace: true })))).toBe('task-elsewhere');
    open.engine.failNext('endTask', 'unavailable');
    expect(codeOf(await open.drive(open.control.endTask(caller(), first, { replace: true })))).toBe('engine-unavailable');
    expect(codeOf(await open.drive(open.control.endTask(caller(), first, { replace: true })))).toBe('ok');
    await open.clock.advance(5000);
    expect(open.tasks()).toHaveLength(1);
    expect(open.tasks()).not.toContain(first);
    expect(open.state()).toBe('ready');
    expect(open.metrics.values.get('engine_calls_total{call="end-task",result="task-elsewhere"}')).toBe(1);
  });

  test('an unmanaged agent has no tasks to scale, end or hold a lease with, and the daemon survives being asked', async () => {
    const open = await awake();
    const eve = caller('eve');
    expect(open.control.self(eve)).toMatchObject({ value: { state: 'running', tasks: [], woken_by: null, sleeps_at: null } });
    expect(codeOf(await open.drive(open.control.endTask(eve, 'task-1', { replace: true })))).toBe('unknown-task');
    expect(codeOf(await open.drive(open.control.scaleSelf(eve, 1)))).toBe('agent-asleep');
    expect(codeOf(open.control.takeLease(eve, millisOf(1000), 'x'))).toBe('agent-asleep');
    const nobody = caller('nobody');
    expect(codeOf(open.control.self(nobody))).toBe('unknown-agent');
    expect(codeOf(await open.drive(open.control.endTask(nobody, 'task-1', { replace: true })))).toBe('unknown-agent');
    expect(codeOf(await open.drive(open.control.scaleSelf(nobody, 1)))).toBe('unknown-agent');
    expect(codeOf(open.control.takeLease(nobody, millisOf(1000), 'x'))).toBe('unknown-agent');
    expect(codeOf(open.control.dropLease(nobody))).toBe('unknown-agent');
  });
});

describe('which task is asking', () => {
  const register = (open: House, parts: object) =>
    open.control.register(caller('kai', parts), { hostname: 'a.p.test', target: ':3000' });

  test('of several tasks each says its id; who does not is asked to, and an id of nobody is refused', async () => {
    const open = await awake();
    const [first = '', second = ''] = open.tasks();
    expect(codeOf(register(open, {}))).toBe('task-required');
    expect(codeOf(register(open, { task: 'task-99' }))).toBe('not-your-task');
    expect(codeOf(register(open, { task: second }))).toBe('ok');
    expect(open.store.routes()).toMatchObject([{ task: second }]);
    expect(codeOf(open.control.takeLease(caller(), millisOf(1000), 'x'))).toBe('task-required');
    await open.drive(open.control.endTask(ADMIN, second, { replace: false }));
    expect(codeOf(register(open, { task: second }))).toBe('not-your-task');
    // Only one is left that lives: it need not say so.
    expect(codeOf(register(open, {}))).toBe('ok');
    expect(open.store.routes()).toMatchObject([{ task: first }]);
  });

  test('under Swarm an id must come from the address of its task, and the address alone says which task it is', async () => {
    const open = await awake({
      agents: { kai: { ...KAI, idle: { timeout: '60s' } } },
      engine: { name: 'swarm' },
    });
    const [first = ''] = open.tasks();
    expect(codeOf(register(open, { task: first, from: '10.0.0.9' }))).toBe('not-your-task');
    expect(codeOf(register(open, { task: first, from: '127.0.0.1' }))).toBe('ok');
    expect(codeOf(register(open, { task: first, from: '10.0.0.9', admin: true }))).toBe('ok');
    expect(codeOf(register(open, { from: '127.0.0.1' }))).toBe('ok');
    expect(codeOf(register(open, { from: '10.0.0.9' }))).toBe('task-required');
  });
});

describe('busy leases', () => {
  test('last at most busy_max, belong to their task and end with it', async () => {
    const open = await awake();
    const [first = '', second = ''] = open.tasks();
    const take = (task: string, ttl: number) => open.control.takeLease(caller('kai', { task }), millisOf(ttl), 'x');
    expect(codeOf(take(first, 0))).toBe('invalid-body');
    expect(take(first, 3_600_000)).toEqual({ ok: true, value: { expiresAt: '2026-01-01T00:10:00.501Z' } });
    expect(codeOf(take(second, 600_000))).toBe('ok');
    expect(codeOf(open.control.dropLease(caller('kai', { task: first })))).toBe('ok');
    expect(open.runner().leases.list()).toMatchObject([{ task: second }]);
    open.engine.exit('kai', 'exit code 1', { taskId: second });
    await open.clock.settle();
    expect(open.runner().leases.list()).toEqual([]);
    expect(open.runner().activity.busy).toBe(false);
  });

  test('a lease that lasts over the end of its life holds up no later one', async () => {
    const open = await awake();
    const [first = ''] = open.tasks();
    open.control.takeLease(caller('kai', { task: first }), millisOf(600_000), 'x');
    open.control.sleep('kai', { force: true });
    await open.clock.advance(3000);
    expect(open.state()).toBe('sleeping');
    await open.ready();
    await open.clock.advance(60_000);
    expect(open.state()).toBe('stopping');
  });
});
