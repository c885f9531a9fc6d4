import { describe, expect } from 'vitest';
import { type Daemon, type DaemonEvent } from '../support/daemon.ts';
import { type ServiceUpdate, type Stage, it, msBetween, until } from './stage.ts';

/**
 * The operator's own hand on the services. Promise F says that a scale done by hand is seen within a second. What it takes is
 * printed, and measured from the engine's own event; the bound is for a machine that has much else to
 * do, and below the 30 s after which everything is read anew.
 */
const SEEN_WITHIN_MS = 20_000;
const long = { idle: { timeout: '1m' } };

const last = async (stage: Stage, name: string): Promise<ServiceUpdate> => {
  const update = (await stage.updates(name)).at(-1);
  if (update === undefined) throw new Error(`${name} was never updated`);
  return update;
};

async function seenAfter(stage: Stage, name: string, what: string, event: DaemonEvent): Promise<void> {
  const ms = msBetween((await last(stage, name)).at, event);
  console.log(`${what} was seen after ${Math.round(ms)} ms`);
  expect(ms).toBeLessThan(SEEN_WITHIN_MS);
}

/** Ready by a call, with its one task. */
async function wake(daemon: Daemon, name: string): Promise<string> {
  return (await daemon.wake(name)).json.task;
}

describe.concurrent('by hand', () => {
  it('F: a scale up by hand is seen and adopted within a second', async ({ stage }) => {
    await stage.deploy('up');
    const daemon = await stage.start({ up: long });
    await stage.docker('service', 'scale', '--detach', 'up=1');
    const starting = await daemon.event('agent.starting', 'up');
    await seenAfter(stage, 'up', 'a scale up', starting);
    await daemon.event('agent.ready', 'up');
    expect((await daemon.call('up')).status).toBe(200);
    expect(await stage.updates('up')).toMatchObject([{ replicas: [0, 1] }]);
    expect(daemon.eventsOf('up')).not.toContain('agent.wake');
  });

  it('F: a scale to 0 by hand is seen within a second; the agent is asleep, and the next call wakes it', async ({ stage }) => {
    await stage.deploy('down');
    const daemon = await stage.start({ down: long });
    const task = await wake(daemon, 'down');
    await stage.docker('service', 'scale', '--detach', 'down=0');
    const stopping = await daemon.run.logged('agent changed state', ({ from }) => from === 'ready');
    expect(stopping).toMatchObject({ agent: 'down', to: 'stopping' });
    const ms = msBetween((await last(stage, 'down')).at, Date.parse(String(stopping['time'])));
    console.log(`a scale to 0 was seen after ${Math.round(ms)} ms`);
    expect(ms).toBeLessThan(SEEN_WITHIN_MS);
    expect(await daemon.event('agent.sleep', 'down')).toMatchObject({ reason: 'external' });
    await stage.emptied('down');
    expect(await wake(daemon, 'down')).not.toBe(task);
  });

  it('more replicas by hand share the requests once they are healthy, and fewer again lose none', async ({ stage }) => {
    await stage.deploy('wide');
    const daemon = await stage.start({ wide: long });
    await wake(daemon, 'wide');
    await stage.docker('service', 'scale', '--detach', 'wide=3');
    const spread = async (): Promise<number> => {
      const replies = await Promise.all(Array.from({ length: 12 }, () => daemon.call('wide', '/hold?ms=100')));
      expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
      return new Set(replies.map(({ json }) => json.task)).size;
    };
    await until('all three serve', spread, (tasks) => tasks === 3);
    expect(await daemon.view('wide')).toMatchObject({ replicas: { running: 3 } });
    await stage.docker('service', 'scale', '--detach', 'wide=1');
    await until('one is left', spread, (tasks) => tasks === 1);
    expect((await stage.updates('wide')).map(({ replicas }) => replicas)).toEqual([
      [0, 1],
      [1, 3],
      [3, 1],
    ]);
  });

  it('`docker service rm` of a ready agent: asleep, and its view says why nothing runs', async ({ stage }) => {
    await stage.deploy('removed');
    const daemon = await stage.start({ removed: long });
    await wake(daemon, 'removed');
    await stage.docker('service', 'rm', 'removed');
    expect(await daemon.event('agent.sleep', 'removed')).toMatchObject({ reason: 'external' });
    const view = await daemon.view('removed');
    expect(view).toMatchObject({ state: 'sleeping', problem: { code: 'start-failed' } });
    expect(view.problem.detail).toBe('there is no service removed: deploy it, or mend container.name');
    const call = await daemon.call('removed');
    expect([call.status, call.json.agent]).toEqual([503, 'removed']);

    // Deployed again it is found without a restart.
    await stage.deploy('removed');
    await daemon.run.logged('nothing stands in the way of the agent any more');
    await wake(daemon, 'removed');
    expect(await daemon.view('removed')).not.toHaveProperty('problem');
  });

  it('removed and deployed again in one breath, it waits for the copy that still runs', async ({ stage }) => {
    await stage.deploy('renewed');
    const daemon = await stage.start({ renewed: long });
    const old = await wake(daemon, 'renewed');
    await stage.docker('service', 'rm', 'renewed');
    await stage.deploy('renewed');
    let most = 0;
    let over = false;
    const watching = (async (): Promise<void> => {
      while (!over) most = Math.max(most, (await stage.containers('renewed')).length);
    })();
    const again = daemon.event('agent.sleep', 'renewed').then(() => wake(daemon, 'renewed'));
    const fresh = await again.finally(() => (over = true));
    await watching;
    expect(fresh).not.toBe(old);
    expect(most).toBe(1);
  });

  it('a rolling update that starts the new task first, with a health check of Docker, is not noticed by callers', async ({
    stage,
  }) => {
    // Without a health check Swarm takes the old task away before anybody knows whether the new one serves.
    const options = ['--update-order', 'start-first', '--health-cmd', 'true', '--health-interval', '1s'];
    await stage.deploy('rolled', { options });
    const daemon = await stage.start({ rolled: long });
    const old = await wake(daemon, 'rolled');
    const statuses = new Map<number, number>();
    let over = false;
    const load = (async (): Promise<void> => {
      while (!over) {
        const { status } = await daemon.call('rolled');
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    })();
    await stage.docker('service', 'update', '--detach', '--env-add', 'ADDED=yes', 'rolled');
    const fresh = await until(
      'another task serves',
      () => daemon.call('rolled'),
      (reply) => reply.status === 200 && reply.json.task !== old,
    );
    expect(fresh.json.environment.ADDED).toBe('yes');
    await until(
      'the old one is gone',
      () => stage.containers('rolled'),
      (ids) => ids.length === 1,
    );
    over = true;
    await load;
    console.log('answers during a rolling update, new task first', Object.fromEntries(statuses));
    expect([...statuses.keys()]).toEqual([200]);
    expect((await daemon.view('rolled')).state).toBe('ready');
  });

  it('a rolling update that stops the old task first ends ready again, with a new task', async ({ stage }) => {
    await stage.deploy('turned');
    const daemon = await stage.start({ turned: long });
    const old = await wake(daemon, 'turned');
    await stage.docker('service', 'update', '--detach', '--env-add', 'ADDED=yes', 'turned');
    const statuses = new Set<number>();
    const fresh = await until(
      'another task serves',
      async () => {
        const reply = await daemon.call('turned');
        statuses.add(reply.status);
        return reply;
      },
      (reply) => reply.status === 200 && reply.json.task !== old,
    );
    console.log('answers during a rolling update, old task first', [...statuses]);
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(fresh.json.environment.ADDED).toBe('yes');
    expect(await daemon.view('turned')).toMatchObject({ state: 'ready', replicas: { running: 1 } });
  });
});
