import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { daemonAt } from '../../agents/kit/daemon.ts';
import { keepRoute } from '../../agents/kit/routes.ts';
import { millisOf } from '../../src/std/time.ts';
import { tokenOf } from '../admin/support/fake-control.ts';
import { listening } from '../admin/support/port.ts';

/** The kit and the internal port were written apart, from the same contract. Here they meet. */
let port: Awaited<ReturnType<typeof listening>>;
beforeAll(async () => {
  port = await listening();
});
afterAll(() => port.close());

const as = (agent: string, taskId: string | null = `${agent}-task-1`, token = tokenOf(agent)) =>
  daemonAt({ url: port.base, token, taskId, timeoutMs: millisOf(10_000) });

describe('the kit at the real internal port', () => {
  it('reads what the agent is told of itself, and is known as its task', async () => {
    const self = await as('kai').self();
    expect(self).toMatchObject({ agent: 'kai', state: 'ready', tasks: [{ id: 'kai-task-1' }] });
    expect(port.control.callers.at(-1)).toMatchObject({ agent: 'kai', task: 'kai-task-1', admin: false });
  });

  it('registers, lists, keeps and takes back a route', async () => {
    const daemon = as('kai');
    const watcher = { late: () => undefined, lost: () => undefined };
    const route = await keepRoute(daemon, { hostname: 'preview.kai.example.com', target: ':3000' }, watcher);
    expect(await daemon.routes()).toEqual([
      { hostname: 'preview.kai.example.com', target: ':3000', agent: 'kai', expires_at: null },
    ]);
    await route.drop();
    expect(await daemon.routes()).toEqual([]);
    const again = daemon.unregister('preview.kai.example.com');
    await expect(again).rejects.toMatchObject({ kind: 'refused', code: 'unknown-service', status: 404 });
  });

  it('scales, ends a task, takes a busy lease and drops it', async () => {
    const daemon = as('kai');
    await daemon.scale(2);
    expect(port.control.known.get('kai')?.view.replicas.wanted).toBe(2);
    await daemon.takeLease(millisOf(90_000), 'thinking');
    expect(port.control.leases.get('kai')).toBe('thinking');
    await daemon.dropLease();
    expect(port.control.leases.has('kai')).toBe(false);
    await daemon.endTask('kai-task-1', { replace: true });
  });

  it.each([
    ['a wrong token', () => as('ada', null, 'wrong').self(), 'unauthorized'],
    ['another task', () => as('ada', 'kai-task-1').self(), 'not-your-task'],
    ['too many replicas', () => as('ada').scale(99), 'replicas-out-of-range'],
    ['a hostname of somebody else', () => as('ada').register('x.kai.example.com', ':1', null), 'hostname-not-allowed'],
    ['a target elsewhere', () => as('ada').register('x.ada.example.com', 'http://10.0.0.1/', null), 'foreign-target'],
    ['the last task', () => as('ada').endTask('ada-task-1'), 'last-task'],
    ['a task that is not there', () => as('ada').endTask('%2e%2e/x'), 'unknown-task'],
  ] as const)('is refused %s by the name of the contract', async (_what, call, code) => {
    await expect(call()).rejects.toMatchObject({ name: 'DaemonError', kind: 'refused', code });
  });
});
