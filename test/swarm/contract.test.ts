import { engineContract } from '../engine/contract.ts';
import { ticksOf } from '../engine/ticks.ts';
import { swarmRig } from './rig.ts';

/** As soon as it listens: Swarm says that a task runs before its program does. */
const EXIT = "const ask = () => fetch('http://127.0.0.1:8080/exit').catch(() => setTimeout(ask, 20)); void ask();";

/** Who told it to exit ends with the container. */
const ignored = (): undefined => undefined;

/** A restart waits `restart-delay` and grows no longer than that. */
engineContract('the Swarm engine', { embedded: false, restartsAfterMs: [200, 200], hasEnvironment: true }, async () => {
  const rig = swarmRig();
  return {
    engine: rig.engine,
    watcher: rig.watcher,
    workload: (agent, policy = 'on-demand', replicas = 1) =>
      policy === 'on-demand' ? rig.deploy(agent) : rig.deploy(agent, { policy, replicas, restart: 'any' }),
    replacing: (agent) => rig.deploy(agent, { restart: 'any' }),
    until: (holds) => rig.watcher.until(holds),
    settled: (call) => call,
    exit: (_agent, task) => rig.inside(task, ['node', '--eval', EXIT]).then(ignored, ignored),
    environment: async (task) => {
      const lines = (await rig.inside(task, ['cat', '/proc/1/environ'])).split('\0');
      return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
    },
    outside: {
      spin: (task) => rig.ask(task, '/spin'),
      answered: (task) => rig.ask(task, '/env'),
      ticks: async (task) => ticksOf(await rig.programOf(task)),
    },
    now: () => rig.clock.now(),
    dispose: () => rig.dispose(),
  };
});
