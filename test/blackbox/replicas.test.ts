import { describe, expect } from 'vitest';
import { type Daemon, it, program } from '../support/daemon.ts';

const plain = { process: program('test/blackbox/agents/trouble.ts'), replicas: 3, replicas_max: 4, idle: { timeout: '1m' } };

/** Calls until so many tasks have answered: each takes traffic once its own health check has passed. */
async function untilServing(daemon: Daemon, tasks: number): Promise<ReadonlySet<number>> {
  for (;;) {
    const replies = await Promise.all(Array.from({ length: tasks * 2 }, () => daemon.call('plain', '/hold?ms=20')));
    const pids = new Set(replies.map(({ status, json }): number => (status === 200 ? json.pid : -1)));
    if (pids.size === tasks && !pids.has(-1)) return pids;
  }
}

describe.concurrent('several tasks', () => {
  it('requests go to the task with the least in flight', async ({ start }) => {
    const daemon = await start({ agents: { plain } });
    await daemon.wake('plain');
    const pids = await untilServing(daemon, 3);
    const replies = await Promise.all(Array.from({ length: 30 }, () => daemon.call('plain', '/hold?ms=4000')));
    const each = [...pids].map((pid) => replies.filter(({ json }) => json.pid === pid).length);
    expect(each).toEqual([10, 10, 10]);
  });

  it('a task that ends by itself is replaced, and the others go on serving', async ({ start }) => {
    const daemon = await start({ agents: { plain } });
    await daemon.wake('plain');
    const before = await untilServing(daemon, 3);
    await daemon.call('plain', '/crash', { method: 'POST' }).catch(() => null);
    for (let calls = 0; calls < 20; calls += 1) expect((await daemon.call('plain')).status).toBe(200);
    const after = await untilServing(daemon, 3);
    expect([...after].filter((pid) => before.has(pid))).toHaveLength(2);
    expect(daemon.eventsOf('plain')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
    expect((await daemon.metrics()).get('restarts_total{agent="plain"}')).toBe(1);
  });

  it('an agent scales itself, within replicas_max and until it sleeps', async ({ start }) => {
    const daemon = await start({ agents: { plain: { ...plain, replicas: 1 } } });
    const headers = { authorization: daemon.bearerOf('plain') };
    const scale = (replicas: number, task: string) =>
      daemon.admin('/api/self/scale', {
        method: 'POST',
        headers: { ...headers, 'x-reveille-task': task },
        json: { replicas },
      });
    const self = async () => (await daemon.admin('/api/self', { headers })).json;
    await daemon.wake('plain');
    const [{ id }] = (await self()).tasks;

    expect((await scale(5, id)).status).toBe(400);
    expect((await scale(0, id)).status).toBe(400);
    expect((await scale(4, id)).status).toBe(202);
    await untilServing(daemon, 4);
    expect((await daemon.view('plain')).replicas).toEqual({ wanted: 4, running: 4, max: 4 });
    // Scaled away, tasks finish what they have.
    const held = Array.from({ length: 8 }, () => daemon.call('plain', '/hold?ms=5000'));
    await daemon.untilInFlight('plain', 8);
    expect((await scale(1, id)).status).toBe(202);
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual(held.map(() => 200));
    await untilServing(daemon, 1);

    await scale(2, id);
    await untilServing(daemon, 2);
    const before = daemon.lastEvent;
    await daemon.admin('/admin/agents/plain/sleep', { method: 'POST' });
    await daemon.event('agent.sleep', 'plain', before);
    await daemon.wake('plain');
    expect((await daemon.view('plain')).replicas.wanted).toBe(1);
  });

  it('a task can be ended and replaced by name, but not the last one for good', async ({ start }) => {
    const daemon = await start({ agents: { plain: { ...plain, replicas: 1 } } });
    const headers = { authorization: daemon.bearerOf('plain') };
    const first = await daemon.wake('plain');
    const [{ id }] = (await daemon.admin('/api/self', { headers })).json.tasks;
    const end = (path: string) => daemon.admin(`/api/self/tasks/${path}`, { method: 'DELETE', headers });
    expect((await end('nonesuch')).status).toBe(404);
    const last = await end(id);
    expect([last.status, last.json.type]).toEqual([409, expect.stringMatching(/last-task$/)]);
    const before = daemon.lastEvent;
    expect((await end(`${id}?replace=true`)).status).toBe(202);
    await daemon.event('agent.ready', 'plain', before);
    expect((await daemon.call('plain')).json.pid).not.toBe(first.json.pid);
  });
});
