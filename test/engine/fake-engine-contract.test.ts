import { expect } from 'vitest';
import type { Workload } from '../../src/ports/engine.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';
import { SimClock } from '../support/sim-clock.ts';
import { engineContract } from './contract.ts';
import type { EngineHarness } from './harness.ts';

for (const name of ['process', 'swarm'] as const) {
  engineContract(
    `the fake engine as ${name}`,
    { embedded: name === 'process', restartsAfterMs: [1000, 2000], hasEnvironment: false },
    async (): Promise<EngineHarness> => {
      const clock = new SimClock();
      const engine = new FakeEngine(clock, { name });
      const watcher = new RecordingWatcher();
      const until = async (holds: () => boolean): Promise<void> => {
        await clock.settle();
        for (let waited = 0; !holds(); waited += 10) {
          expect(waited, 'it happens within an hour').toBeLessThan(3_600_000);
          await clock.advance(10);
        }
      };
      const workload = (agent: string, policy: Workload['policy'] = 'on-demand', replicas = 1): Workload => ({
        agent,
        policy,
        replicas,
        process: { command: [agent], cwd: '/', env: {}, port: null, token: 'token' },
        swarm: null,
      });
      return {
        engine,
        watcher,
        workload,
        estranged: async (agent) => {
          engine.declare(workload(agent));
          engine.scriptStart(agent, { stranger: true });
          await engine.scale(agent, 1);
          await until(() => watcher.latest(agent)?.tasks[0]?.state === 'running');
          return engine.truth(agent).tasks[0]!;
        },
        until,
        settled: async (call) => {
          let settled = false;
          void call.finally(() => (settled = true));
          await until(() => settled);
        },
        exit: async (agent, task) => {
          engine.exit(agent, 'exit code 7', { taskId: task.id });
        },
        environment: null,
        outside: null,
        now: () => clock.now(),
        dispose: async () => undefined,
      };
    },
  );
}
