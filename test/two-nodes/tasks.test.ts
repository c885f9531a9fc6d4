import { describe, expect } from 'vitest';
import { docker } from '../lab/engine.ts';
import { WORKER } from '../lab/second-node.ts';
import type { Daemon } from '../support/daemon.ts';
import { type Stage, it, msBetween, until } from '../swarm/stage.ts';

/**
 * What is different when tasks run on another node: their containers tell us nothing, so all that is known of them comes from
 * listing, and they cannot be ended from here. Figures are printed, and compared only with what no machine is too slow for.
 */
const WAKES = 4;
const long = { idle: { timeout: '5m' } };
const HERE = ['--constraint', 'node.role==manager'];
const PUNCTUAL = 'test/two-nodes/agents/punctual.ts';

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const figures = (values: readonly number[]): string => `${median(values)} ms (${[...values].sort((a, b) => a - b).join(', ')})`;

/** From "it listens" to "the daemon knows", for each wake. */
async function detections(daemon: Daemon, names: readonly string[]): Promise<readonly number[]> {
  const taken: number[] = [];
  // One after the other: beside each other they would measure the machine.
  for (const name of names) {
    const { since } = (await daemon.wake(name)).json;
    taken.push(msBetween(since, await daemon.event('agent.ready', name)));
  }
  return taken;
}

async function stops(daemon: Daemon, names: readonly string[]): Promise<readonly number[]> {
  return Promise.all(
    names.map(async (name) => {
      const asked = Date.now();
      await daemon.admin(`/admin/agents/${name}/sleep`, { method: 'POST' });
      return msBetween(asked, await daemon.event('agent.sleep', name));
    }),
  );
}

async function killed(stage: Stage, name: string): Promise<number> {
  const [id = ''] = await stage.containers(name);
  const at = Date.now();
  await docker(stage.node, 'kill', '--signal', 'KILL', id);
  return at;
}

interface SelfTask {
  readonly id: string;
  readonly state: string;
}

async function bothRun(daemon: Daemon, name: string): Promise<readonly SelfTask[]> {
  return until(
    'both run',
    async () => (await daemon.call(name, '/ask')).json.tasks as readonly SelfTask[],
    (tasks) => tasks.length === 2 && tasks.every(({ state }) => state === 'running'),
  );
}

describe('tasks on another node', () => {
  it('I: a start there is found by listing, and a stop takes what Swarm takes', async ({ stage }) => {
    const there = Array.from({ length: WAKES }, (_, index) => `there-${index}`);
    const here = Array.from({ length: WAKES }, (_, index) => `here-${index}`);
    for (const name of there) await stage.deploy(name, { program: PUNCTUAL });
    for (const name of here) await stage.deploy(name, { program: PUNCTUAL, placement: HERE });
    const daemon = await stage.start(Object.fromEntries([...there, ...here].map((name) => [name, long])));
    const local = await detections(daemon, here);
    const remote = await detections(daemon, there);
    console.log(`listening -> ready: here ${figures(local)}, on the other node ${figures(remote)}`);
    // Listing once a second would take half of one.
    expect(median(remote)).toBeLessThan(300);
    const gone = { here: await stops(daemon, here), there: await stops(daemon, there) };
    console.log(`told to sleep -> gone: here ${figures(gone.here)}, on the other node ${figures(gone.there)}`);
    expect(await stage.containers('there-0')).toEqual([]);
    for (const name of [...there, ...here]) expect((await stage.updates(name)).at(-1)?.replicas).toEqual([1, 0]);
  });
});

describe.concurrent('tasks on another node', () => {
  it('are told with the name of their node, and are not on the leader', async ({ stage }) => {
    await stage.deploy('named');
    const daemon = await stage.start({ named: { ...long, replicas: 2, replicas_max: 2 } });
    await daemon.wake('named');
    const tasks = await bothRun(daemon, 'named');
    expect(tasks).toMatchObject([
      { slot: 1, node: WORKER, on_leader: false },
      { slot: 2, node: WORKER, on_leader: false },
    ]);
  });

  it('cannot be ended one by one from here: 409, and nothing has changed', async ({ stage }) => {
    await stage.deploy('kept');
    const daemon = await stage.start({ kept: { ...long, replicas: 2, replicas_max: 2 } });
    await daemon.wake('kept');
    const [first] = await bothRun(daemon, 'kept');
    for (const query of ['', '?replace=true']) {
      const path = `/api/self/tasks/${first?.id ?? ''}${query}`;
      const refused = await daemon.call('kept', `/ask?${String(new URLSearchParams({ path, method: 'DELETE' }))}`);
      expect([refused.status, refused.json.type]).toEqual([409, expect.stringMatching(/task-elsewhere$/)]);
    }
    expect((await stage.containers('kept')).length).toBe(2);
    expect(await stage.updates('kept')).toMatchObject([{ replicas: [0, 2] }]);
    // As the problem advises: scale instead. Which of them goes is for Swarm to say.
    await stage.docker('service', 'scale', '--detach', 'kept=1');
    await until(
      'one is left, and serves',
      () => daemon.view('kept'),
      ({ state, replicas }) => state === 'ready' && replicas.running === 1,
    );
    expect((await daemon.call('kept')).status).toBe(200);
  });

  it('that die there are missed within a second or so, without any event from there', async ({ stage }) => {
    await stage.deploy('mortal', { options: ['--restart-condition', 'none'] });
    await stage.deploy('replaced', { options: ['--restart-condition', 'any', '--restart-delay', '0s'] });
    const daemon = await stage.start({ mortal: long, replaced: long });
    const [, first] = await Promise.all(['mortal', 'replaced'].map(async (name) => (await daemon.wake(name)).json.task));
    const noticed: number[] = [];

    let at = await killed(stage, 'mortal');
    const slept = await daemon.event('agent.sleep', 'mortal');
    noticed.push(msBetween(at, slept));
    expect(slept).toMatchObject({ reason: 'exited' });

    const before = daemon.lastEvent;
    at = await killed(stage, 'replaced');
    const starting = await daemon.event('agent.starting', 'replaced', before);
    noticed.push(msBetween(at, starting));
    await daemon.event('agent.ready', 'replaced', starting);
    expect((await daemon.wake('replaced')).json.task).not.toBe(first);
    expect(await stage.updates('replaced')).toHaveLength(1);
    console.log(`killed on the other node -> noticed: ${noticed.join(' and ')} ms`);
    expect(Math.max(...noticed)).toBeLessThan(5000);
  });
});
