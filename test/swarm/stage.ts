import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { type EngineSpec, docker } from '../lab/engine.ts';
import { type Lab, lab } from '../lab/lab.ts';
import { runProgram } from '../lab/run-program.ts';
import { type Daemon, type DaemonEvent, type Home, type Settings, it as daemonIt } from '../support/daemon.ts';
import { agentsNode, onAgentsNode } from './agents-node.ts';

/**
 * The real daemon on the lab's overlay, and the operator who deploys services for it with the docker command. Agents are
 * programs of this repository, which the containers have as a mount: nothing has to be built. A service has the name of its
 * agent, so names are used once in a file, whose tests may run at the same time.
 */
export interface Deployment {
  /** In this repository; null: whatever the image does. */
  readonly program?: string | null;
  readonly image?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly replicas?: number;
  /** Put before the image on the command line. */
  readonly options?: readonly string[];
  /** Instead of on the node of the agents. */
  readonly placement?: readonly string[];
  /** A service that nobody can reach on the overlay. */
  readonly network?: boolean;
}

export interface ServiceUpdate {
  readonly service: string;
  /** Milliseconds since 1970, by the engine's clock, which is ours. */
  readonly at: number;
  readonly replicas: readonly [from: number, to: number] | null;
}

const REPOSITORY = resolve(import.meta.dirname, '../..');
export const WORKER = 'test/swarm/agents/worker.ts';
export const PORT = 8080;
/** Less than a test may take, so that it is known what was waited for. */
const PATIENCE_MS = 240_000;
const UPDATES = { type: ['service'], event: ['update'] };
/** In the foothold's network namespace, where nobody else is. */
let nextPort = 20_000;

export class Stage {
  readonly lab: Lab = lab();
  /** Where the agents run. */
  readonly node: EngineSpec = agentsNode();
  readonly home: Home;
  /** Where agents find the daemon, also after it was started again. */
  readonly url: string;
  private readonly salt = randomBytes(16).toString('hex');
  private readonly ports = [(nextPort += 1), (nextPort += 1)] as const;
  private readonly services: string[] = [];
  private readonly secrets: string[] = [];
  private readonly since = Date.now() / 1000;
  private readonly told = new Map<string, ServiceUpdate>();
  private readonly events: ClientRequest;

  constructor(home: Home) {
    this.home = home;
    this.events = this.follow();
    this.url = `http://${this.lab.foothold.overlayAddress}:${this.ports[1]}`;
  }

  /** The agent's own: in its environment, unless `options` name a Swarm secret. */
  tokenOf(agent: string): string {
    return `${agent}-${this.salt}`;
  }

  docker(...args: readonly string[]): Promise<string> {
    return docker(this.lab.engine, ...args);
  }

  /** With 0 replicas unless told otherwise. */
  async deploy(name: string, deployment: Deployment = {}): Promise<void> {
    const { program = WORKER, image = this.lab.images.base, env = {}, replicas = 0, options = [], network = true } = deployment;
    const { placement = onAgentsNode() } = deployment;
    this.services.push(name);
    const environment = {
      PORT: String(PORT),
      HOST: '0.0.0.0',
      REVEILLE_URL: this.url,
      REVEILLE_AGENT: name,
      ...(options.includes('--secret') ? {} : { REVEILLE_TOKEN: this.tokenOf(name) }),
      REVEILLE_TASK_ID: '{{.Task.ID}}',
      REVEILLE_TASK_SLOT: '{{.Task.Slot}}',
      REVEILLE_TASK_NAME: `${name}.{{.Task.Slot}}`,
      ...env,
    };
    const flags = ['--quiet', '--detach', '--no-resolve-image', '--name', name, '--init', '--stop-grace-period', '5s'];
    if (network) flags.push('--network', this.lab.network, '--endpoint-mode', 'dnsrr');
    if (!options.includes('--mode')) flags.push('--replicas', String(replicas));
    flags.push('--mount', `type=bind,source=${REPOSITORY},target=/repository,readonly`);
    for (const [variable, value] of Object.entries(environment)) flags.push('--env', `${variable}=${value}`);
    const command = program === null ? [] : ['node', `/repository/${program}`];
    await this.docker('service', 'create', ...flags, ...placement, ...options, image, ...command);
  }

  /** A service that was deployed by other means goes with the others. */
  owns(name: string): void {
    this.services.push(name);
  }

  /** Resolves to the name of a Swarm secret with this content. */
  async secret(content: string): Promise<string> {
    const name = `secret-${randomBytes(4).toString('hex')}`;
    const command = ['docker', '--host', `unix://${this.lab.engine.socket}`, 'secret', 'create', name, '-'];
    await runProgram(command, { input: content });
    this.secrets.push(name);
    return name;
  }

  /** The config: each agent is the service of its name, unless it says otherwise. */
  settings(agents: Readonly<Record<string, Settings>>, more: Settings = {}): Settings {
    const full = (name: string, agent: Settings): Settings => {
      const file = `token-${name}`;
      writeFileSync(join(this.home.directory, file), this.tokenOf(name), { mode: 0o600 });
      return { backend: `http://tasks.${name}:${PORT}`, container: { name }, token_file: file, ...agent };
    };
    return {
      engine: 'swarm',
      swarm: { network: this.lab.network, socket: this.lab.engine.socket },
      listen: `0.0.0.0:${this.ports[0]}`,
      admin_listen: `0.0.0.0:${this.ports[1]}`,
      agents: Object.fromEntries(Object.entries(agents).map(([name, agent]) => [name, full(name, agent)])),
      ...more,
    };
  }

  async start(agents: Readonly<Record<string, Settings>>, more: Settings = {}): Promise<Daemon> {
    this.home.write(this.settings(agents, more));
    return this.home.start();
  }

  /** What Swarm was told of this service since the test began, by the engine's own events. */
  async updates(name: string): Promise<readonly ServiceUpdate[]> {
    // The engine keeps no more than 256 events, so they are followed; those on their way are among the ones it keeps.
    const window = ['--since', String(this.since), '--until', String(Date.now() / 1000), '--format', '{{json .}}'];
    const filters = Object.entries(UPDATES).flatMap(([key, [value = '']]) => ['--filter', `${key}=${value}`]);
    for (const line of (await this.docker('events', ...window, ...filters)).split('\n')) this.heard(line);
    return [...this.told.values()].filter((update) => update.service === name).sort((one, other) => one.at - other.at);
  }

  private follow(): ClientRequest {
    const path = `/events?since=${this.since}&filters=${encodeURIComponent(JSON.stringify(UPDATES))}`;
    const stream = request({ socketPath: this.lab.engine.socket, path, agent: false }, (response) => {
      const lines = createInterface(response);
      // It ends with the engine, which some tests end, and with the test.
      lines.on('error', () => undefined);
      response.on('error', () => undefined);
      lines.on('line', (line) => this.heard(line));
    });
    stream.on('error', () => undefined);
    stream.end();
    return stream;
  }

  private heard(line: string): void {
    if (line === '') return;
    const { timeNano, Actor } = JSON.parse(line);
    const { name: service, 'replicas.old': from, 'replicas.new': to } = Actor.Attributes;
    const replicas = to === undefined ? null : ([Number(from), Number(to)] as const);
    this.told.set(`${service} ${timeNano}`, { service, at: timeNano / 1e6, replicas });
  }

  /** How many replicas Swarm has been told to run. */
  async wanted(name: string): Promise<number> {
    return Number(await this.docker('service', 'inspect', '--format', '{{.Spec.Mode.Replicated.Replicas}}', name));
  }

  /** Resolves once Docker lists no container. It tells of an end before it takes it off its list. */
  async emptied(name: string): Promise<void> {
    await until(
      `${name} has no container`,
      () => this.containers(name),
      (left) => left.length === 0,
    );
  }

  /** Ids of the containers of the service that are there, ended ones among them when told so. */
  async containers(name: string, all = false): Promise<readonly string[]> {
    const filter = ['--filter', `label=com.docker.swarm.service.name=${name}`];
    const text = await docker(this.node, 'ps', '--quiet', ...(all ? ['--all'] : []), ...filter);
    return text.split('\n').filter(Boolean);
  }

  /** The service as the engine has it, to the byte. */
  raw(name: string): Promise<string> {
    return new Promise((fulfil, reject) => {
      const asked = request({ socketPath: this.lab.engine.socket, path: `/services/${name}`, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => fulfil(text)).on('error', reject);
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  async dispose(): Promise<void> {
    this.events.destroy();
    // Some of them a test may have removed itself.
    if (this.services.length > 0) await this.docker('service', 'rm', ...this.services).catch(() => undefined);
    if (this.secrets.length > 0) await this.docker('secret', 'rm', ...this.secrets);
  }
}

export const it = daemonIt.extend<{ readonly stage: Stage }>({
  stage: async ({ home }, use) => {
    const stage = new Stage(home({}, {}, lab().foothold));
    await use(stage);
    await stage.dispose();
  },
});

export const msBetween = (from: DaemonEvent | number, to: DaemonEvent | number): number => {
  const time = (moment: DaemonEvent | number): number => (typeof moment === 'number' ? moment : Date.parse(moment.at));
  return time(to) - time(from);
};

/** Asks until the answer will do: for what the engine or the daemon tells nobody by itself. */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  holds: (answer: T) => boolean,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (performance.now() > end) throw new Error(`waited in vain until ${what}: ${JSON.stringify(answer)}`);
    await pause(50);
  }
}
