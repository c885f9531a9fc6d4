import { writeFileSync } from 'node:fs';
import { docker, startEngine } from './engine.ts';
import { makeFoothold } from './foothold.ts';
import { LAB_FILE, type Lab, lab } from './lab.ts';

/**
 * Starts the lab's engine after a test has ended it, by `stopEngine` or worse. Containers do not outlive their engine (a Swarm
 * allows nothing else), so there is a new foothold afterwards, with another address; `lab()` tells of it from then on.
 */
export async function startAgain(): Promise<Lab> {
  const { engine, network, images, foothold, ...rest } = lab();
  await startEngine(engine);
  await docker(engine, 'rm', '--force', foothold.container);
  const renewed = { engine, network, images, ...rest, foothold: await makeFoothold(engine.socket, network, images.base) };
  writeFileSync(LAB_FILE, JSON.stringify(renewed satisfies Lab));
  return renewed;
}
