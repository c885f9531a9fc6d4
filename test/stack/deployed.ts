import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { docker } from '../lab/engine.ts';
import { type Foothold, makeFoothold } from '../lab/foothold.ts';
import { lab } from '../lab/lab.ts';
import { runProgram } from '../lab/run-program.ts';
import { type Call, type Reply, call } from '../support/call.ts';
import { Recording } from '../support/recording.ts';

/**
 * The stack as it is deployed, seen from where its users stand: callers at the published port, a container of somebody else on
 * the overlay, and an operator with the docker command, who listens to Docker's events all the time.
 */
export interface DockerEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string | undefined>> };
}

export const PORT = 8080;
export const ADMIN_PORT = 9180;
const STACK = 'reveille';
const NETWORK = 'reveille';
const SERVICE_LABEL = 'com.docker.swarm.service.name';
/** Less than a test may take, so that it is known what was waited for. */
const PATIENCE_MS = 240_000;
const GONE_WITHIN_MS = 240_000;
const LOOK_MS = 50;

/** Resolves to the first answer that is not null. */
export async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  let last: unknown = null;
  while (performance.now() < end) {
    const seen = await look().catch((error: unknown) => ((last = error), null));
    if (seen !== null) return seen;
    await pause(LOOK_MS);
  }
  throw new Error(`waited in vain: ${what}`, { cause: last });
}

export class Deployed {
  readonly events = new Recording<DockerEvent>("Docker's events");
  private readonly listener: ChildProcess;
  private standing: Foothold | null = null;

  /** Docker's events are heard from now on. */
  constructor() {
    this.listener = spawn('docker', ['--host', `unix://${lab().engine.socket}`, 'events', '--format', '{{json .}}'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    if (this.listener.stdout !== null) {
      createInterface(this.listener.stdout).on('line', (line) => this.events.push(JSON.parse(line) as DockerEvent));
    }
    this.listener.once('exit', () => this.events.end('docker events has ended'));
  }

  docker(...args: readonly string[]): Promise<string> {
    return docker(lab().engine, ...args);
  }

  /** A request at the published port. */
  call(host: string, path = '/', options: Partial<Call> = {}): Promise<Reply> {
    return call({ port: PORT, host, path, ...options });
  }

  /** Calls as a client would who was told to come again, until it is let through. */
  awake(host: string, path = '/whoami'): Promise<Reply> {
    return until(`${host} answers`, async () => {
      const reply = await this.call(host, path);
      return reply.status === 200 ? reply : null;
    });
  }

  /** What the daemon says of an agent, which does not wake it. */
  inState(host: string, state: string): Promise<true> {
    return until(`${host} is ${state}`, async () => {
      const { json } = await this.call(host, '/api/health');
      return json.status === state ? true : null;
    });
  }

  /** Ids of the containers of a service that run. */
  async containers(service: string): Promise<readonly string[]> {
    const filter = `label=${SERVICE_LABEL}=${STACK}_${service}`;
    const told = await this.docker('ps', '--quiet', '--no-trunc', '--filter', filter);
    return told === '' ? [] : told.split('\n').sort();
  }

  async container(service: string): Promise<string> {
    const [id, ...more] = await this.containers(service);
    if (id === undefined || more.length > 0) throw new Error(`${service} has ${id === undefined ? 'no' : 'several'} containers`);
    return id;
  }

  /** The containers of both agents: the same ones later means that nobody has touched them. */
  async agents(): Promise<readonly string[]> {
    return [...(await this.containers('hello')), ...(await this.containers('greeter'))];
  }

  async exec(service: string, ...command: readonly string[]): Promise<string> {
    return this.docker('exec', await this.container(service), ...command);
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async inspect(service: string): Promise<any> {
    return JSON.parse(await this.docker('inspect', await this.container(service)))[0];
  }

  /** What the tasks of a service have written, of the past too, to either output. */
  async log(service: string): Promise<string> {
    const filter = `label=${SERVICE_LABEL}=${STACK}_${service}`;
    const ids = (await this.docker('ps', '--all', '--quiet', '--no-trunc', '--filter', filter)).split('\n');
    // Not `docker service logs`: once a task has ended by itself it may wait for more of it without end.
    const script = 'host=$1; shift; for id in "$@"; do docker --host "$host" logs "$id" 2>&1; done';
    return runProgram(['sh', '-c', script, 'sh', `unix://${lab().engine.socket}`, ...ids]);
  }

  /** Events of a service's containers, or of the service itself, from a position on. */
  heard(type: 'container' | 'service', service: string, action: string, from = 0): readonly DockerEvent[] {
    return this.events.items.slice(from).filter((event) => isOf(event, type, service, action));
  }

  hears(type: 'container' | 'service', service: string, action: string, from = 0): Promise<DockerEvent> {
    return this.events.first(`${action} of ${service}`, (event) => isOf(event, type, service, action), from);
  }

  get soFar(): number {
    return this.events.items.length;
  }

  /** A request from a container on the overlay, which finds the daemon by its name. With a body it is a POST. */
  async fromOverlay(path: string, token: string | null = null, body: unknown = null): Promise<Pick<Reply, 'status' | 'text'>> {
    const { container } = await this.onlooker();
    const script = `const { path, token, body } = JSON.parse(process.argv[1]);
      const headers = { 'content-type': 'application/json', ...(token === null ? {} : { authorization: 'Bearer ' + token }) };
      const sent = body === null ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
      const reply = await fetch('http://reveille:${ADMIN_PORT}' + path, sent);
      console.log(JSON.stringify({ status: reply.status, text: await reply.text() }));`;
    const question = JSON.stringify({ path, token, body });
    return JSON.parse(await this.docker('exec', container, 'node', '--input-type=module', '--eval', script, question));
  }

  /** A download from the agent itself, past the daemon. Resolves once it has begun. */
  async download(service: string, seconds: number): Promise<{ readonly missingBytes: Promise<number> }> {
    const { container } = await this.onlooker();
    const script = `const reply = await fetch('http://tasks.${STACK}_${service}:3000/slow?seconds=${seconds}');
      console.log(reply.status);
      const wanted = Number(reply.headers.get('content-length'));
      console.log(wanted - (await reply.arrayBuffer()).byteLength);`;
    const lines = new Recording<string>('what the download says');
    const args = ['--host', `unix://${lab().engine.socket}`, 'exec', container, 'node', '--input-type=module', '--eval', script];
    const child = spawn('docker', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface(child.stdout).on('line', (line) => lines.push(line));
    child.once('close', () => lines.end('the download has ended'));
    await lines.first('a beginning', (line) => line === '200');
    return { missingBytes: lines.first('an end', () => true, 1).then(Number) };
  }

  async remove(): Promise<void> {
    // First who stands on the overlay, which cannot be removed under anybody's feet.
    if (this.standing !== null) await this.docker('rm', '--force', this.standing.container);
    this.standing = null;
    await this.docker('stack', 'rm', STACK);
    const end = performance.now() + GONE_WITHIN_MS;
    const label = ['--filter', `label=com.docker.stack.namespace=${STACK}`];
    while ((await this.docker('ps', '--all', '--quiet', ...label)) !== '' && performance.now() < end) await pause(LOOK_MS);
  }

  /** What `docker stack rm` keeps goes too. */
  async close(): Promise<void> {
    await this.remove();
    const of = async (kind: string): Promise<readonly string[]> =>
      (await this.docker(kind, 'ls', '--quiet', '--filter', `name=${STACK}_`)).split('\n').filter((id) => id !== '');
    for (const kind of ['secret', 'volume']) {
      const names = await of(kind);
      if (names.length > 0) await this.docker(kind, 'rm', ...names);
    }
    await until('the overlay is gone', async () =>
      (await this.docker('network', 'ls', '--quiet', '--filter', `name=^${NETWORK}$`)) === '' ? true : null,
    );
    this.listener.kill('SIGKILL');
  }

  private async onlooker(): Promise<Foothold> {
    const { engine, images } = lab();
    this.standing ??= await makeFoothold(engine.socket, NETWORK, images.base, 'onlooker');
    return this.standing;
  }
}

const isOf = ({ Type, Action, Actor }: DockerEvent, type: string, service: string, action: string): boolean =>
  Type === type &&
  Action === action &&
  (type === 'service' ? Actor.Attributes['name'] : Actor.Attributes[SERVICE_LABEL]) === `${STACK}_${service}`;
