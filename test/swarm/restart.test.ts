import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { prng } from '../../src/std/prng.ts';
import type { Daemon } from '../support/daemon.ts';
import { type Stage, it, msBetween, until } from './stage.ts';

/**
 * Promise E: the daemon killed at any point and started again is no event for agents. What they say about themselves (task,
 * process, what they counted) shows that nothing happened to them, and Docker's events that nobody ordered anything.
 */
const SEED = Number(process.env['SWARM_SEED'] ?? Date.now() % 2 ** 32);
const ROUNDS = 3;

async function killed(daemon: Daemon): Promise<void> {
  daemon.run.signal('SIGKILL');
  expect((await daemon.run.exit).signal).toBe('SIGKILL');
}

/** Calls until it is let in, and does not mind a daemon that is gone meanwhile. */
async function reached(daemon: Daemon, name: string) {
  const reply = await until(
    `${name} answers`,
    () => daemon.call(name).catch(() => null),
    (each) => each?.status === 200,
  );
  return reply?.json;
}

/** What a client outside sees, from now until it is told to stop. */
function load(daemon: Daemon, name: string) {
  const seen = new Map<string, number>();
  let over = false;
  const client = async (): Promise<void> => {
    while (!over) {
      const answer = await daemon.call(name, '/hold?ms=50').then(
        ({ status }) => String(status),
        (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error),
      );
      seen.set(answer, (seen.get(answer) ?? 0) + 1);
      if (answer === 'ECONNREFUSED') await pause(20);
    }
  };
  const clients = Array.from({ length: 4 }, client);
  return {
    seen,
    stop: async () => {
      over = true;
      await Promise.all(clients);
      return Object.fromEntries(seen);
    },
  };
}

describe.concurrent('a restart of the daemon', () => {
  it('E: kill -9 under load cuts nothing in an agent; it is adopted, keeps its preview route, and loses it with its sleep', async ({
    stage,
  }) => {
    await stage.deploy('kept');
    const agent = { kept: { idle: { timeout: '1m' }, domains: ['*.kept.test'] } };
    const daemon = await stage.start(agent);
    const before = (await daemon.wake('kept')).json;
    const body = JSON.stringify({ hostname: 'preview.kept.test', target: ':3000' });
    const query = new URLSearchParams({ path: '/api/services', method: 'POST', body });
    expect((await daemon.call('kept', `/ask?${String(query)}`)).status).toBe(200);
    const clients = load(daemon, 'kept');
    const { closed } = await daemon.socket('kept', '/ws');
    await until(
      'the load is on',
      async () => clients.seen.get('200') ?? 0,
      (served) => served > 50,
    );
    await killed(daemon);
    await closed;
    const served = clients.seen.get('200') ?? 0;
    const next = await stage.home.start();
    await until(
      'it serves again',
      async () => clients.seen.get('200') ?? 0,
      (now) => now > served + 50,
    );
    console.log('answers around a kill -9', await clients.stop());
    for (const answer of clients.seen.keys()) expect(['200', '503', 'ECONNREFUSED', 'ECONNRESET']).toContain(answer);

    const after = await reached(next, 'kept');
    expect([after.task, after.pid]).toEqual([before.task, before.pid]);
    // What it has served it counts on from before: this is one life.
    expect(after.requests).toBeGreaterThan(served);
    expect(after).toMatchObject({ sockets: 1, socketsOpen: 0 });
    expect(await stage.updates('kept')).toHaveLength(1);
    expect(next.eventsOf('kept')).not.toContain('agent.wake');
    expect(await next.call('preview.kept.test')).toMatchObject({ status: 200, text: `preview of ${before.task}` });

    await next.admin('/admin/agents/kept/sleep', { method: 'POST' });
    await next.event('agent.sleep', 'kept');
    expect((await next.call('preview.kept.test')).status).toBe(404);
    expect((await next.admin('/admin/services')).json).toEqual([]);
  });

  it('E: idleness counts from the new start', async ({ stage }) => {
    await stage.deploy('idle');
    const daemon = await stage.start({ idle: { idle: { timeout: '4s' } } });
    await daemon.wake('idle');
    await pause(2500);
    await killed(daemon);
    const next = await stage.home.start();
    const up = Date.parse(String((await next.run.logged('daemon is up'))['time']));
    const drained = await next.event('agent.draining', 'idle');
    expect(msBetween(up, drained)).toBeGreaterThan(3500);
    expect(await next.event('agent.sleep', 'idle')).toMatchObject({ reason: 'idle' });
  });

  it(
    'E: killed at random while agents start, serve, drain and stop, it finishes what was half done and orders nothing twice',
    {
      timeout: 600_000,
    },
    async ({ stage }) => {
      console.log(`rerun with SWARM_SEED=${SEED}`);
      const random = prng(SEED);
      const names = ['starting', 'serving', 'draining', 'ending'] as const;
      await Promise.all(names.map((name) => stage.deploy(name)));
      const agent = { idle: { timeout: '1m', drain_timeout: '20s' } };
      let daemon = await stage.start(Object.fromEntries(names.map((name) => [name, agent])));
      for (let round = 1; round <= ROUNDS; round += 1) {
        const [, serving, draining, ending] = await Promise.all(
          names.map(async (name) => (name === 'starting' ? '' : ((await daemon.wake(name)).json.task as string))),
        );
        const updates = await counted(stage, names);
        // In the middle of its drain: work that lasts longer than the daemon will.
        const work = daemon.call('draining', '/hold?ms=60000').catch(() => null);
        await daemon.untilInFlight('draining', 1);
        const steps: (() => Promise<unknown>)[] = [
          () => daemon.admin('/admin/agents/ending/sleep', { method: 'POST' }),
          () => daemon.admin('/admin/agents/draining/sleep', { method: 'POST' }),
          () => daemon.call('starting'),
        ];
        // A stop takes half a second, a start one.
        while (steps.length > 0) {
          for (const step of steps.splice(random.below(steps.length), 1)) await step();
          await pause(random.below(350));
        }
        const states = await Promise.all(names.map(async (name) => (await daemon.view(name)).state as string));
        await killed(daemon);
        await work;
        console.log(`round ${round}: killed when`, Object.fromEntries(names.map((name, index) => [name, states[index]])));
        daemon = await stage.home.start();

        // Who was being stopped is stopped, and nobody had to ask. A call meanwhile, or later, starts a new task.
        const again = (await daemon.wake('ending')).json.task;
        expect(again).not.toBe(ending);
        expect((await stage.containers('ending')).length).toBe(1);
        // Nobody who serves has noticed anything; a drain was a plan of the daemon that is dead.
        expect((await daemon.wake('serving')).json.task).toBe(serving);
        expect((await daemon.wake('draining')).json.task).toBe(draining);
        // Whether the order had gone out or not, it is given once.
        await daemon.wake('starting');
        expect(await counted(stage, names)).toEqual({
          starting: updates.starting + 1,
          serving: updates.serving,
          draining: updates.draining,
          ending: updates.ending + 2,
        });
        await daemon.admin('/admin/agents/starting/sleep', { method: 'POST' });
        await daemon.event('agent.sleep', 'starting');
      }
    },
  );
});

async function counted<Name extends string>(stage: Stage, names: readonly Name[]): Promise<Record<Name, number>> {
  const counts = await Promise.all(names.map(async (name) => [name, (await stage.updates(name)).length] as const));
  return Object.fromEntries(counts) as Record<Name, number>;
}
