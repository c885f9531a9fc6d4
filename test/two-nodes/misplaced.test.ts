import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, onTestFinished } from 'vitest';
import { docker } from '../lab/engine.ts';
import { lab } from '../lab/lab.ts';
import { WORKER, untilNode, worker } from '../lab/second-node.ts';
import { it } from '../support/daemon.ts';

/** A worker's engine answers, but knows nothing of services. The rest of test/swarm/misplaced.test.ts. */
/** Whoever comes next finds a worker again. */
async function demoted(): Promise<void> {
  await docker(lab().engine, 'node', 'demote', WORKER);
  while ((await docker(worker(), 'info', '--format', '{{.Swarm.ControlAvailable}}')) !== 'false') await pause(50);
  await untilNode('Ready');
}

describe('the daemon on a worker of a Swarm', () => {
  it('says where it belongs, and comes up by itself once the node has become a manager', async ({ start }) => {
    const daemon = await start({
      engine: 'swarm',
      swarm: { network: lab().network, socket: worker().socket },
      agents: { kai: { backend: 'http://tasks.kai:8080', container: { name: 'kai' } } },
    });
    const { detail } = await daemon.run.logged('engine lost; agents that are awake are still served');
    expect(detail).toBe('this Docker is a worker of its Swarm: run the daemon on a manager');
    expect((await daemon.admin('/readyz')).status).toBe(503);

    onTestFinished(demoted);
    await docker(lab().engine, 'node', 'promote', WORKER);
    await daemon.event('engine.restored');
    expect((await daemon.admin('/readyz')).status).toBe(200);
  });
});
