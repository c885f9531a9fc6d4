import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { docker, enginePid, type EngineSpec, logTail, startEngine } from './engine.ts';
import { makeFoothold } from './foothold.ts';
import { buildAgentImage, importBase } from './images.ts';
import { LAB_FILE, LAB_RUN, type Lab } from './lab.ts';
import { openRelay } from './proxy.ts';
import { runProgram } from './run-program.ts';
import { MANAGER_ADDRESS, makeBridge } from './second-node.ts';
import { type Namespaces, namespacesOf } from './namespaces.ts';

/**
 * The lab from within: the first program in its namespaces makes the machine's directories safe, starts the engine, and runs
 * the command that the lab is for. Its end is the end of everything in here: the shell above it is process 1, and the kernel
 * takes the rest along. So nothing is stopped in order, since nothing of it is wanted again.
 */
export interface Orders {
  readonly scratch: string;
  readonly cgroupParent: string;
  readonly proxySocket: string;
  readonly registry: string;
  readonly baseTar: string;
  readonly outside: Namespaces;
  readonly command: readonly string[];
}

const NETWORK = 'reveille_agents';
const REPOSITORY = resolve(import.meta.dirname, '../..');
const COVERED = ['/etc', '/opt', '/var/lib'];

// The connection to who set the lab up is its life line: it breaks when that process ends, in whatever way.
process.once('disconnect', () => process.exit(1));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

/**
 * Lays something over every place that an engine writes to, whatever its flags say. The checkout and the scratch directory
 * may lie below such a place, and have to stay what they are.
 */
async function cover(scratch: string): Promise<void> {
  const kept = [REPOSITORY, scratch];
  const run = join(scratch, 'run');
  mkdirSync(run);
  await runProgram(['mount', '-n', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', run]);
  for (const [index, path] of kept.entries()) await bind(path, join(run, 'kept', String(index)));
  // -n: the table of mounts that mount(8) would write lies in the very directory that is covered here.
  await runProgram(['mount', '-n', '--move', run, '/run']);
  for (const place of COVERED) {
    const [upper = '', work = ''] = ['upper', 'work'].map((kind) => join('/run/layers', place, kind));
    for (const directory of [upper, work]) mkdirSync(directory, { recursive: true });
    await runProgram(['mount', '-n', '-t', 'overlay', '-o', `lowerdir=${place},upperdir=${upper},workdir=${work}`, 'lab', place]);
  }
  for (const [index, path] of kept.entries()) {
    if (['/run', ...COVERED].some((place) => path.startsWith(`${place}/`))) await bind(join('/run/kept', String(index)), path);
  }
  mkdirSync(LAB_RUN, { recursive: true });
  process.env['TMPDIR'] = join(scratch, 'tmp');
}

async function bind(from: string, to: string): Promise<void> {
  mkdirSync(to, { recursive: true });
  await runProgram(['mount', '-n', '--bind', from, to]);
}

/** What would lead the Docker client or the engine somewhere else than here. */
function forgetMachine(): void {
  const foreign = /^(DOCKER_.*|https?_proxy|all_proxy|no_proxy|NOTIFY_SOCKET|LISTEN_(PID|FDS))$/i;
  for (const name of Object.keys(process.env)) if (foreign.test(name)) Reflect.deleteProperty(process.env, name);
  process.env['DOCKER_CONFIG'] = join(LAB_RUN, 'client');
}

async function setUp(orders: Orders): Promise<void> {
  const began = performance.now();
  const took: string[] = [];
  let last = began;
  const done = (what: string): void => {
    took.push(`${what} ${((performance.now() - last) / 1000).toFixed(1)}`);
    last = performance.now();
  };
  forgetMachine();
  await cover(orders.scratch);
  await runProgram(['ip', 'link', 'set', 'lo', 'up']);
  const { url: proxy } = await openRelay(orders.proxySocket);
  const engine: EngineSpec = {
    name: 'one',
    socket: '/run/docker.sock',
    directory: join(orders.scratch, 'one'),
    runDirectory: '/run/one',
    cgroupParent: orders.cgroupParent,
    networkNamespace: null,
  };
  await startEngine(engine);
  process.once('exit', () => {
    // Not Reveille's doing, whatever failed after it; what it said last is gone with the lab otherwise.
    if (enginePid(engine) === null) console.error(`The engine has ended by itself:\n${logTail(engine)}`);
  });
  done('engine');
  const swarm = async (): Promise<void> => {
    // On the loopback no other node could ever join.
    await makeBridge();
    await docker(engine, 'swarm', 'init', '--advertise-addr', MANAGER_ADDRESS);
    await docker(engine, 'network', 'create', '--driver', 'overlay', '--attachable', NETWORK);
  };
  const [base] = await Promise.all([importBase(engine, orders.baseTar), swarm()]);
  done('base image and Swarm');
  const agent = await buildAgentImage({ socket: engine.socket, proxy });
  done('agent image');
  const foothold = await makeFoothold(engine.socket, NETWORK, base);
  done('foothold');
  const images = { base, agent };
  const { registry, outside } = orders;
  writeFileSync(LAB_FILE, JSON.stringify({ engine, network: NETWORK, images, foothold, proxy, registry, outside } satisfies Lab));
  console.log(`the lab stands after ${((last - began) / 1000).toFixed(1)} s (${took.join(', ')})`);
}

const orders = JSON.parse(process.env['REVEILLE_LAB_ORDERS'] ?? '') as Orders;
delete process.env['REVEILLE_LAB_ORDERS'];
process.send?.(namespacesOf('self'));
try {
  await setUp(orders);
} catch (error) {
  console.error(`The lab could not be set up. ${(error as Error).message}`);
  process.exit(1);
}
const child = spawn(orders.command[0] ?? '', orders.command.slice(1), { stdio: 'inherit' });
child.once('error', (error) => {
  console.error(error.message);
  process.exit(127);
});
child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
