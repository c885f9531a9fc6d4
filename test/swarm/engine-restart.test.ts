import { describe, expect } from 'vitest';
import { enginePid, stopEngine } from '../lab/engine.ts';
import { lab } from '../lab/lab.ts';
import { startAgain } from '../lab/restart.ts';
import { it } from '../support/daemon.ts';
import { PORT, Stage, until } from './stage.ts';

/**
 * Promise F with an engine that is really ended and started again. The foothold on the overlay would end with it, so here the
 * daemon is beside the engine and reaches agents on ports that are published on the node itself.
 */
const published = { kept: 39_301, asleep: 39_302 };
const STARTS_WITHIN_MS = 240_000;

describe('an engine that is started again', () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(
      `F: dockerd ended with ${signal}: the daemon lives, says so, and all is right again without help`,
      {
        timeout: 600_000,
      },
      async ({ home }) => {
        const stage = new Stage(home({}));
        // Not the loopback: what is published there goes through a process of the engine, and ends with it.
        const node = await stage.docker(
          'network',
          'inspect',
          '--format',
          '{{(index .IPAM.Config 0).Gateway}}',
          'docker_gwbridge',
        );
        try {
          const agents = await Promise.all(
            Object.entries(published).map(async ([name, port]) => {
              const options = ['--publish', `mode=host,published=${port},target=${PORT}`, '--restart-delay', '200ms'];
              await stage.deploy(name, { network: false, options });
              const health = { startup_timeout: '4m' };
              return [name, { backend: `http://${node}:${port}`, health, idle: { timeout: '5m' } }] as const;
            }),
          );
          const daemon = await stage.start(Object.fromEntries(agents), { swarm: { socket: lab().engine.socket } });
          const { task } = (await daemon.wake('kept')).json;

          await stopEngine(stage.lab.engine, signal);
          const lost = await daemon.event('engine.lost');
          expect((await daemon.admin('/readyz')).status).toBe(503);
          const refused = await daemon.call('asleep');
          expect([refused.status, refused.json.type]).toEqual([503, expect.stringMatching(/engine-unavailable$/)]);
          // Containers end in good order with their engine, which may be known before it is gone; one that was killed they outlive.
          const { status: now } = await daemon.call('kept');
          expect(signal === 'SIGTERM' ? [502, 503] : [200]).toContain(now);

          const begun = performance.now();
          await startAgain();
          await daemon.event('engine.restored', undefined, lost);
          console.log(`restored ${Math.round(performance.now() - begun)} ms after dockerd was started (${signal})`);
          const reply = await until(
            'a task that Swarm has brought serves',
            () => daemon.call('kept'),
            ({ status, json }) => status === 200 && json.task !== task,
            STARTS_WITHIN_MS,
          );
          console.log(`served ${Math.round(performance.now() - begun)} ms after dockerd was started (${signal})`);
          expect(reply.status).toBe(200);
          expect(await daemon.view('kept')).toMatchObject({ state: 'ready', replicas: { wanted: 1 } });
          expect((await daemon.wake('asleep')).status).toBe(200);
          expect((await daemon.admin('/readyz')).status).toBe(200);
          expect(daemon.run.ended).toBeNull();
        } finally {
          if (enginePid(stage.lab.engine) === null) await startAgain();
          await stage.dispose();
        }
      },
    );
  }
});
