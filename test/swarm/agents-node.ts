import type { EngineSpec } from '../lab/engine.ts';
import { lab } from '../lab/lab.ts';
import { WORKER, worker } from '../lab/second-node.ts';

/**
 * On which node of the Swarm the agents of a test run. The suite `two-nodes` runs some of these tests a second time, unchanged, with
 * the agents on the worker while the daemon and its engine stay on the manager: all that a test may know of it is here.
 */
const elsewhere = process.env['REVEILLE_TEST_AGENTS_ON'] === WORKER;

export const agentsNode = (): EngineSpec => (elsewhere ? worker() : lab().engine);

/** Options of `docker service create` that keep a service there. With one node there is nothing to keep. */
export const onAgentsNode = (): readonly string[] => (elsewhere ? ['--constraint', `node.hostname==${WORKER}`] : []);
