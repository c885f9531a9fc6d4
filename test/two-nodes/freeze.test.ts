import { afterEach, beforeEach, expect, it } from 'vitest';
import { docker } from '../lab/engine.ts';
import { WORKER, worker } from '../lab/second-node.ts';
import { type SwarmRig, swarmRig } from '../swarm/rig.ts';

/** Containers are paused by the engine of their own node, and the daemon speaks to one. */
let rig: SwarmRig;

beforeEach(() => {
  rig = swarmRig();
});
afterEach(() => rig.dispose());

const paused = (...args: readonly string[]): readonly string[] => ['ps', '--quiet', '--filter', 'status=paused', ...args];

it('an agent with a task on another node is not frozen, and neither is the task that is on this one', async () => {
  await rig.engine.open(rig.watcher);
  const spread = ['--placement-pref', 'spread=node.id', '--replicas-max-per-node', '1'];
  rig.engine.declare(rig.deploy('kai', { options: spread }));
  await rig.engine.scale('kai', 2);
  const tasks = () => rig.watcher.latest('kai')?.tasks ?? [];
  await rig.watcher.until(() => tasks().length === 2 && tasks().every(({ state }) => state === 'running'));
  const there = tasks().find(({ node }) => node === WORKER);
  await expect(rig.engine.freeze('kai')).rejects.toMatchObject({
    name: 'EngineError',
    code: 'task-elsewhere',
    message: `task ${String(there?.id)} of kai has no container on this node`,
  });
  expect([await rig.docker(...paused()), await docker(worker(), ...paused())]).toEqual(['', '']);
  expect((await rig.engine.observe('kai')).tasks.map((task) => task.frozen)).toEqual([false, false]);
  await rig.engine.thaw('kai');
});
