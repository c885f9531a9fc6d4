import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type EngineSpec, docker, startEngine } from './engine.ts';
import { lab } from './lab.ts';
import { runProgram } from './run-program.ts';

/**
 * A second node for the lab's Swarm: an engine in a network namespace of its own, a cable to the bridge that the first one
 * advertises, and a join as worker. It has the same images under the same ids, and sees the same files. Only the tests that
 * want it make it, and it goes with the lab: it is in the lab's mount and process namespaces, and its cgroups are below the
 * lab's.
 *
 * A Swarm of two further engines was rejected: overlays, footholds and daemons would then be in a namespace that tests cannot
 * reach.
 */
export const BRIDGE = 'reveille0';
/** For documentation only (RFC 5737), so neither Docker nor a user's network has it. */
export const MANAGER_ADDRESS = '192.0.2.1';
const WORKER_ADDRESS = '192.0.2.2';
export const WORKER = 'two';
const CABLE = 'reveille-two';
const JOINED_WITHIN_MS = 240_000;

/** What the manager advertises. Made before the Swarm is, since the address cannot be changed afterwards. */
export async function makeBridge(): Promise<void> {
  await runProgram(['ip', 'link', 'add', 'name', BRIDGE, 'type', 'bridge']);
  await runProgram(['ip', 'address', 'add', `${MANAGER_ADDRESS}/24`, 'dev', BRIDGE]);
  await runProgram(['ip', 'link', 'set', BRIDGE, 'up']);
}

export function worker(): EngineSpec {
  const { engine } = lab();
  return {
    name: WORKER,
    socket: '/run/two/docker.sock',
    directory: join(dirname(engine.directory), WORKER),
    runDirectory: '/run/two',
    cgroupParent: `${engine.cgroupParent}/${WORKER}`,
    networkNamespace: `/run/netns/${WORKER}`,
  };
}

/** Resolves once the Swarm gives it tasks. Joined once for the life of the lab; whoever asks again gets the same one. */
export async function joinWorker(): Promise<EngineSpec> {
  const spec = worker();
  if (existsSync(spec.networkNamespace ?? '')) return spec;
  const { engine, images } = lab();
  await runProgram(['ip', 'netns', 'add', WORKER]);
  await runProgram(['ip', 'link', 'add', CABLE, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', WORKER]);
  await runProgram(['ip', 'link', 'set', CABLE, 'master', BRIDGE, 'up']);
  const inside = (...args: readonly string[]): Promise<string> => runProgram(['ip', '-netns', WORKER, ...args]);
  await inside('link', 'set', 'lo', 'up');
  await inside('address', 'add', `${WORKER_ADDRESS}/24`, 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
  await startEngine(spec);
  await copyImages(engine, spec, Object.values(images));
  const token = await docker(engine, 'swarm', 'join-token', '--quiet', 'worker');
  await docker(spec, 'swarm', 'join', '--advertise-addr', WORKER_ADDRESS, '--token', token, `${MANAGER_ADDRESS}:2377`);
  await untilNode('Ready');
  return spec;
}

/** `state` as `docker node ls` says it. */
export async function untilNode(state: 'Ready' | 'Down', patienceMs = JOINED_WITHIN_MS): Promise<void> {
  const { engine } = lab();
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const nodes = await docker(engine, 'node', 'ls', '--format', '{{.Hostname}} {{.Status}}');
    if (nodes.split('\n').includes(`${WORKER} ${state}`)) return;
    if (performance.now() >= deadline) throw new Error(`The node ${WORKER} does not become ${state}:\n${nodes}`);
    await pause(50);
  }
}

/** Loaded as they were saved they keep their ids, by which services name them; an import would give them others. */
async function copyImages(from: EngineSpec, to: EngineSpec, ids: readonly string[]): Promise<void> {
  const script = 'docker --host "unix://$1" save $3 | docker --host "unix://$2" load --quiet';
  await runProgram(['sh', '-euc', script, 'sh', from.socket, to.socket, ids.join(' ')]);
}
