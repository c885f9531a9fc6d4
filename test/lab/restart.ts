import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { docker, startEngine } from './engine.ts';
import { type Foothold, makeFoothold } from './foothold.ts';
import { LAB_FILE, type Lab, lab } from './lab.ts';

const NETWORK_WITHIN_MS = 30_000;

/**
 * Starts the lab's engine after a test has ended it, by `stopEngine` or worse. Containers do not outlive their engine (a Swarm
 * allows nothing else), so there is a new foothold afterwards, with another address; `lab()` tells of it from then on.
 */
export async function startAgain(): Promise<Lab> {
  const { engine, network, images, foothold, ...rest } = lab();
  await startEngine(engine);
  await docker(engine, 'rm', '--force', foothold.container);
  const renewed = { engine, network, images, ...rest, foothold: await footholdAgain(engine.socket, network, images.base) };
  writeFileSync(LAB_FILE, JSON.stringify(renewed satisfies Lab));
  return renewed;
}

/** After a SIGKILL the engine answers before its Swarm knows of the network again. */
async function footholdAgain(socket: string, network: string, image: string): Promise<Foothold> {
  const deadline = performance.now() + NETWORK_WITHIN_MS;
  for (;;) {
    try {
      return await makeFoothold(socket, network, image);
    } catch (error) {
      if (performance.now() >= deadline) throw error;
      await docker({ socket }, 'rm', '--force', 'foothold');
      await pause(200);
    }
  }
}
