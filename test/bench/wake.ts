import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { lab } from '../lab/lab.ts';
import { BenchDaemon, type Marks, now, quantile } from './daemon.ts';
import { AGENT, type Role, ROLE_NAMES, type Times, measureHeld, measureHeldOnProcesses } from './held.ts';

/**
 * `npm run bench:wake`: what a wake on a real Swarm takes, split where it changes hands, and what of it is the daemon's own. All
 * marks are on one clock, because the lab is one machine. Then the other way: how long until nothing is left, when the daemon
 * puts the agent to sleep and when somebody only scales the service to 0. At last what a caller waits who is held (held.ts).
 */
const WAKES = Number(process.env['BENCH_WAKES'] ?? 20);
const ROUNDS_BY_HAND = 5;
const PORT = 8080;
const run = promisify(execFile);
const docker = async (...args: readonly string[]): Promise<string> => (await run('docker', [...args])).stdout.trim();

function followDocker(marks: Marks): ChildProcess {
  const child = spawn('docker', ['events', '--format', '{{json .}}'], { stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface(child.stdout).on('line', (line) => {
    const event = JSON.parse(line) as {
      Type: string;
      Action: string;
      timeNano: number;
      Actor: { Attributes: Record<string, string> };
    };
    // Of a container: the service, the slot and the task, with a dot between them.
    const [service = ''] = (event.Actor.Attributes['name'] ?? '').split('.');
    marks.add(`${event.Type} ${event.Action} ${service}`, event.timeNano / 1e6);
  });
  return child;
}

/** In milliseconds, by what it is. */
type Split = Readonly<Record<string, number>>;

async function wake(daemon: BenchDaemon): Promise<Split> {
  const { marks } = daemon;
  const asked = now();
  await daemon.call('bench');
  const ready = await marks.first('agent.ready bench', asked);
  const { text, headAt } = await daemon.call('bench');
  const [update, create, start] = await Promise.all(
    ['service update', 'container create', 'container start'].map((what) => marks.first(`${what} bench`, asked)),
  );
  const { listening } = JSON.parse(text) as Times;
  return {
    'request -> update': update! - asked,
    'update -> container created': create! - update!,
    'created -> started': start! - create!,
    "started -> listening (the agent's own boot)": listening - start!,
    "listening -> seen healthy (the daemon's own share)": ready - listening,
    'seen healthy -> first byte': headAt - ready,
    'in all': headAt - asked,
  };
}

async function sleepByDaemon(daemon: BenchDaemon): Promise<number> {
  const asked = now();
  await daemon.order('bench', 'sleep');
  return (await daemon.marks.first('agent.sleep bench', asked)) - asked;
}

/** What Swarm takes by itself. The daemon watches, and does not help. */
async function sleepByHand({ marks }: BenchDaemon): Promise<number> {
  const asked = now();
  await docker('service', 'scale', '--detach', 'bench=0');
  return (await marks.first('agent.sleep bench', asked)) - asked;
}

function row(what: string, values: readonly number[]): string {
  const cells = [0.5, 0.9].map((share) => quantile(values, share).toFixed(1).padStart(9));
  return `| ${what.padEnd(52)} | ${cells.join(' | ')} |`;
}

async function deploy(name: string): Promise<void> {
  const { network, images } = lab();
  const service = ['--name', name, '--network', network, '--replicas', '0', '--endpoint-mode', 'dnsrr', '--no-resolve-image'];
  await docker('service', 'create', '--detach', '--quiet', ...service, '--init', images.base, 'node', '--eval', AGENT);
}

const agentOf = (name: string): object => ({ container: { name }, backend: `http://tasks.${name}:${PORT}` });

async function measureWakes(settings: object): Promise<void> {
  await deploy('bench');
  // Refused, so that what a wake takes is not mixed with what the caller does meanwhile.
  const bench = { hostname: 'bench.test', health: { path: '/' }, on_sleeping: 'refuse', ...agentOf('bench') };
  const daemon = await BenchDaemon.start({ ...settings, agents: { bench } }, lab().foothold);
  const events = followDocker(daemon.marks);
  try {
    const splits: Split[] = [];
    const asleepAfter: number[] = [];
    const asleepByHand: number[] = [];
    for (let round = 0; round < WAKES; round += 1) {
      splits.push(await wake(daemon));
      const byHand = round % Math.ceil(WAKES / ROUNDS_BY_HAND) === 0;
      if (byHand) asleepByHand.push(await sleepByHand(daemon));
      else asleepAfter.push(await sleepByDaemon(daemon));
    }
    console.log(`\n${WAKES} wakes on a Swarm of one node, in milliseconds`);
    console.log(`| ${'from -> to'.padEnd(52)} | ${'median'.padStart(9)} | ${'p90'.padStart(9)} |`);
    console.log(`|${'-'.repeat(54)}|----------:|----------:|`);
    for (const what of Object.keys(splits[0] ?? {}))
      console.log(
        row(
          what,
          splits.map((split) => split[what] ?? Number.NaN),
        ),
      );
    console.log(row('told to sleep -> gone, by the daemon', asleepAfter));
    console.log(row('scaled to 0 by hand -> gone, by Swarm alone', asleepByHand));
  } finally {
    await daemon.end();
    events.kill('SIGTERM');
    if (events.exitCode === null) await once(events, 'exit');
    await docker('service', 'rm', 'bench');
  }
}

async function measureHeldOnSwarm(settings: object): Promise<void> {
  for (const role of ROLE_NAMES) await deploy(role);
  try {
    // What Swarm and Docker take is as little the daemon's as the agent's boot is: from its order until the agent listens.
    const events = (daemon: BenchDaemon): ChildProcess => followDocker(daemon.marks);
    const began = async (daemon: BenchDaemon, role: Role, asked: number): Promise<number> =>
      daemon.marks.first(`service update ${role}`, asked);
    await measureHeld('On a Swarm of one node', settings, agentOf, { place: lab().foothold, events, began });
  } finally {
    await docker('service', 'rm', ...ROLE_NAMES);
  }
}

const settings = { engine: 'swarm', swarm: { network: lab().network } };
await measureWakes(settings);
await measureHeldOnSwarm(settings);
await measureHeldOnProcesses();
