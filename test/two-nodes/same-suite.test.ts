/**
 * The suite that runs on a Swarm of one node, unchanged, with the agents on the other node: REVEILLE_TEST_AGENTS_ON says so, and
 * test/swarm/agents-node.ts obeys. In one file, so that its tests wait together, and the longest first.
 */
import '../swarm/work.test.ts';
import '../swarm/restart.test.ts';
import '../swarm/waking.test.ts';
import '../swarm/engine-away.test.ts';
