import { joinWorker } from '../lab/second-node.ts';

/** Global set-up of the suite: from now on the lab's Swarm has two nodes. It ends with the lab. */
export async function setup(): Promise<void> {
  const began = performance.now();
  await joinWorker();
  console.log(`the second node has joined after ${((performance.now() - began) / 1000).toFixed(1)} s`);
}
