import type { Task } from '../../src/ports/engine.ts';
import { engineContract } from '../engine/contract.ts';
import { ticksOf } from '../engine/ticks.ts';
import { AGENT_FILE, listenOn, makeRig, output, script, workload } from './rig.ts';

engineContract('the process engine', { embedded: true, restartsAfterMs: [1000, 2000], hasEnvironment: true }, async () => {
  // A back-off of seconds passes in tenths of them.
  const rig = makeRig({ speed: 10 });
  const ask = async (task: Task, path: string): Promise<Response> => {
    await output(rig.log, 'listening', task);
    return fetch(`http://${String(task.address?.host)}:${String(task.address?.port)}${path}`);
  };
  return {
    engine: rig.engine,
    watcher: rig.watcher,
    workload: (agent, policy = 'on-demand', replicas = 1) => workload(['node', AGENT_FILE], { agent, policy, replicas }),
    until: (holds) => rig.watcher.until(holds),
    settled: (call) => call,
    exit: async (_agent, task) => {
      await (await ask(task, '/exit')).text();
    },
    estranged: async (agent) => {
      rig.engine.declare(workload(script('setInterval(() => undefined, 1000)'), { agent }));
      await rig.engine.scale(agent, 1);
      await rig.watcher.until(() => rig.watcher.latest(agent)?.tasks[0]?.state === 'running');
      const task = rig.watcher.latest(agent)?.tasks[0];
      await listenOn(task?.address?.port);
      return task!;
    },
    environment: async (task) => (await (await ask(task, '/env')).json()) as Record<string, string>,
    outside: {
      spin: async (task) => {
        await (await ask(task, '/spin')).text();
      },
      answered: async (task) => {
        await (await ask(task, '/env')).text();
      },
      ticks: async (task) => {
        const { facts } = await rig.log.line((line) => line.message === 'task started' && line.facts['task'] === task.id);
        return ticksOf(Number(facts['pid']));
      },
    },
    now: () => rig.clock.now(),
    dispose: rig.dispose,
  };
});
