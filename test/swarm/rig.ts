import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Task, Workload } from '../../src/ports/engine.ts';
import { SwarmEngine } from '../../src/swarm/engine.ts';
import { systemClock } from '../../src/system/clock.ts';
import { lab } from '../lab/lab.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingMetrics } from '../support/recording-metrics.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';

/**
 * A Swarm engine on the lab's Swarm, and the operator who deploys services for it. The services of a rig go with it, so that
 * the next one may use the same names.
 */
export interface Deployment {
  readonly policy?: Workload['policy'];
  readonly replicas?: number;
  /** Swarm's restart policy. */
  readonly restart?: 'none' | 'any';
  /** Put before the image on the command line. */
  readonly options?: readonly string[];
  readonly command?: readonly string[];
}

export interface SwarmRig {
  readonly engine: SwarmEngine;
  readonly watcher: RecordingWatcher;
  readonly log: RecordingLog;
  readonly metrics: RecordingMetrics;
  readonly clock: typeof systemClock;
  /** Deploys the service of this agent, once, and describes it to the engine. */
  deploy(agent: string, deployment?: Deployment): Workload;
  /** Runs a program in the container of the task, and resolves with what it writes. */
  inside(task: Task, command: readonly string[]): Promise<string>;
  /** Sends a request to the task, from a place on its network, and resolves once it is answered. */
  ask(task: Task, path: string): Promise<void>;
  containerOf(task: Task): Promise<string>;
  /** The process of its program, as this machine knows it. */
  programOf(task: Task): Promise<number>;
  docker(...args: readonly string[]): Promise<string>;
  dispose(): Promise<void>;
}

const run = promisify(execFile);
export const AGENT_PORT = 8080;
/** As soon as it listens: Swarm says that a task runs before its program does. */
const ASK = `
  const [url] = process.argv.slice(1);
  const ask = () => fetch(url).then((answer) => answer.text(), () => setTimeout(ask, 20));
  void ask();
`;
const GONE_WITHIN_MS = 240_000;

export function swarmRig(options: { readonly socket?: string } = {}): SwarmRig {
  const { engine: docker, network, images, foothold } = lab();
  const socket = docker.socket;
  const log = new RecordingLog();
  const metrics = new RecordingMetrics();
  const watcher = new RecordingWatcher();
  const engine = new SwarmEngine({
    clock: systemClock,
    log,
    metrics,
    socket: options.socket ?? socket,
    network,
    ownName: 'not-a-container',
  });
  const command = (args: readonly string[]): string[] => ['--host', `unix://${socket}`, ...args];
  const ask = async (...args: readonly string[]): Promise<string> => (await run('docker', command(args))).stdout.trim();
  const services = new Set<string>();

  const create = (agent: string, { policy = 'on-demand', replicas = 1, restart = 'none', ...rest }: Deployment): void => {
    services.add(agent);
    const environment = {
      PORT: AGENT_PORT,
      HOST: '0.0.0.0',
      REVEILLE_AGENT: agent,
      REVEILLE_TASK_ID: '{{.Task.ID}}',
      REVEILLE_TASK_SLOT: '{{.Task.Slot}}',
      REVEILLE_TASK_NAME: `${agent}.{{.Task.Slot}}`,
    };
    const args = ['service', 'create', '--quiet', '--detach', '--name', agent, '--network', network, '--no-resolve-image'];
    args.push('--replicas', String(policy === 'on-demand' ? 0 : replicas), '--endpoint-mode', 'dnsrr', '--init');
    args.push('--restart-condition', restart, '--restart-delay', '200ms', '--stop-grace-period', '5s');
    for (const [name, value] of Object.entries(environment)) args.push('--env', `${name}=${String(value)}`);
    args.push(...(rest.options ?? []), images.agent, ...(rest.command ?? []));
    execFileSync('docker', command(args), { stdio: ['ignore', 'ignore', 'pipe'] });
  };

  const containerOf = async (task: Task): Promise<string> =>
    ask('ps', '--quiet', '--filter', `label=com.docker.swarm.task.id=${task.id}`);

  return {
    engine,
    watcher,
    log,
    metrics,
    clock: systemClock,
    deploy: (agent, deployment = {}) => {
      if (!services.has(agent)) create(agent, deployment);
      const { policy = 'on-demand', replicas = 1 } = deployment;
      return { agent, policy, replicas, process: null, swarm: { service: agent, host: null, port: AGENT_PORT } };
    },
    ask: async (task, path) => {
      const url = `http://${String(task.address?.host)}:${AGENT_PORT}${path}`;
      const [program, ...args] = [...foothold.prefix, process.execPath, '--eval', ASK, url];
      await run(program, args);
    },
    containerOf,
    programOf: async (task) => {
      const init = await ask('inspect', '--format', '{{.State.Pid}}', await containerOf(task));
      return Number(readFileSync(`/proc/${init}/task/${init}/children`, 'utf8').split(' ')[0]);
    },
    inside: async (task, program) => ask('exec', await containerOf(task), ...program),
    docker: ask,
    dispose: async () => {
      await engine.close();
      const names = [...services];
      if (names.length === 0) return;
      await ask('service', 'rm', ...names);
      // Names and slots are used again by the next test; its tasks must not meet these.
      const filters = names.flatMap((name) => ['--filter', `name=^${name}\\.`]);
      const until = systemClock.now() + GONE_WITHIN_MS;
      while ((await ask('ps', '--all', '--quiet', ...filters)) !== '' && systemClock.now() < until) {
        await ask('rm', '--force', ...(await ask('ps', '--all', '--quiet', ...filters)).split('\n')).catch(() => undefined);
      }
    },
  };
}
