import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { it as plainIt } from 'vitest';
import { type Call, type OpenSocket, type Reply, call, openSocket } from './call.ts';
import { type MarkedProcess, markedPath, markedProcesses, untilGone } from './marked-processes.ts';
import { Recording } from './recording.ts';

/**
 * The real daemon in a directory of its own, for tests that know it as users do: by its ports, its output and its exit code.
 * Whatever a test does, at its end every daemon is told to stop, has to stop with 0, and has to leave nothing running.
 */
export type Settings = Readonly<Record<string, unknown>>;
type Json = Readonly<Record<string, unknown>>;

export interface DaemonEvent {
  readonly id: number;
  readonly type: string;
  readonly agent?: string;
  readonly at: string;
  readonly [fact: string]: unknown;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Where daemons run that are not simply children of the test on its own machine: on an overlay network of the lab. */
export interface Place {
  /** Stands before the command, as `nsenter --net=... --` does. */
  readonly prefix: readonly string[];
  /** Where the test reaches what listens there on 0.0.0.0. */
  readonly address: string;
}

const HERE: Place = { prefix: [], address: '127.0.0.1' };

const ENTRY = resolve(import.meta.dirname, '../../src/cli/main.ts');
const REPOSITORY = resolve(import.meta.dirname, '../..');
/** For a machine that has much else to do. */
const END_MS = 120_000;
const LEFT_BEHIND_MS = 30_000;

/** A program of test/blackbox/agents, or agents/hello, as the `process` of an agent. */
export const program = (file: string, env: Readonly<Record<string, string>> = {}): Settings => ({
  command: ['node', resolve(REPOSITORY, file)],
  cwd: REPOSITORY,
  env: { ...compileCache(), ...env },
});

/** An agent inherits next to nothing, so this too has to be said (vitest.config.ts). */
function compileCache(): Readonly<Record<string, string>> {
  const directory = process.env['NODE_COMPILE_CACHE'];
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory };
}

/** A directory with an orchestrator.yaml and a state_dir, and the daemons that were started on it. */
export class Home {
  readonly directory = mkdtempSync(join(tmpdir(), 'reveille-blackbox-'));
  readonly file = join(this.directory, 'orchestrator.yaml');
  readonly stateDir = join(this.directory, 'state');
  readonly mark = randomUUID();
  readonly runs: Run[] = [];
  readonly place: Place;
  private readonly environment: Readonly<Record<string, string>>;

  constructor(settings: Settings, environment: Readonly<Record<string, string>> = {}, place = HERE) {
    this.environment = environment;
    this.place = place;
    this.write(settings);
  }

  /**
   * Free ports, a short drain, patience with agents, `<name>.test` as hostname and no limit of wakes, where the settings say nothing else. Whoever
   * calls a sleeping agent gets the 503: by `auto` it would depend on how fast the machine is. JSON is YAML.
   */
  write(settings: Settings): void {
    const agents = Object.entries((settings['agents'] ?? {}) as Readonly<Record<string, Settings>>);
    const named = Object.fromEntries(
      agents.map(([name, agent]) => [name, { hostname: `${name}.test`, on_sleeping: 'refuse', ...agent }]),
    );
    const host = this.place === HERE ? HERE.address : '0.0.0.0';
    const file = {
      listen: `${host}:0`,
      admin_listen: `${host}:0`,
      state_dir: 'state',
      shutdown: { drain_timeout: '2s' },
      wake_limits: { per_client: null, total: null },
      // On a crowded machine a daemon may be that late to see that a connection stands. Here nobody is far away.
      ...(this.place === HERE ? { limits: { connect: '2m' } } : {}),
      ...settings,
      agents: named,
    };
    writeFileSync(this.file, JSON.stringify(file, null, 2));
  }

  /** `wrapper` stands before the command, as `setpriv --something` does. */
  run(wrapper: readonly string[] = []): Run {
    const run = new Run(this, this.environment, [...this.place.prefix, ...wrapper]);
    this.runs.push(run);
    return run;
  }

  /** Resolves once the daemon has said that it is up. */
  async start(): Promise<Daemon> {
    return Daemon.of(this, this.run());
  }

  processes(): readonly MarkedProcess[] {
    return markedProcesses(this.mark);
  }

  /** All of them but the daemon itself and its guardian, which is a shell. */
  agentProcesses(): readonly MarkedProcess[] {
    const daemons = this.runs.map(({ pid }) => pid);
    return this.processes().filter(({ pid, command }) => !daemons.includes(pid) && !command.startsWith('/bin/sh -c'));
  }

  guardian(): MarkedProcess | undefined {
    return this.processes().find(({ command }) => command.startsWith('/bin/sh -c'));
  }

  /** Ends what runs and removes the directory. Resolves to what was wrong with that. */
  async close(): Promise<readonly string[]> {
    const complaints: string[] = [];
    for (const run of this.runs) {
      if (run.ended !== null) continue;
      const end = await run.end();
      if (end.code !== 0) complaints.push(`the daemon ended with ${end.signal ?? String(end.code)}`);
    }
    for (const { pid, command } of await untilGone(() => this.processes(), LEFT_BEHIND_MS)) {
      complaints.push(`left behind: ${pid} ${command}`);
      process.kill(pid, 'SIGKILL');
    }
    rmSync(this.directory, { recursive: true, force: true });
    return complaints;
  }
}

/** One run of the daemon, whether it comes up or not. */
export class Run {
  readonly stdout = new Recording<string>('stdout');
  readonly stderr = new Recording<string>('stderr');
  readonly exit: Promise<Ended>;
  readonly pid: number;
  ended: Ended | null = null;
  private readonly child: ChildProcess;

  constructor(home: Home, environment: Readonly<Record<string, string>>, wrapper: readonly string[]) {
    const command = [...wrapper, process.execPath, '--max-semi-space-size=16', ENTRY, 'serve', '--config', home.file];
    this.child = spawn(command[0] ?? '', command.slice(1), {
      // Whatever it needs of where it stands it has to find by itself.
      cwd: home.directory,
      env: { ...process.env, ...environment, PATH: markedPath(home.mark) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.child.pid ?? 0;
    for (const name of ['stdout', 'stderr'] as const) {
      const stream = this.child[name];
      if (stream !== null) createInterface(stream).on('line', (line) => this[name].push(line));
    }
    this.exit = once(this.child, 'close').then(([code, signal]) => {
      this.ended = { code, signal };
      for (const output of [this.stdout, this.stderr]) output.end(`the daemon ended with ${signal ?? String(code)}`);
      return this.ended;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** SIGTERM, and SIGKILL when that does not help: then `signal` says so. */
  async end(): Promise<Ended> {
    this.signal('SIGTERM');
    const limit = setTimeout(() => this.signal('SIGKILL'), END_MS);
    const end = await this.exit;
    clearTimeout(limit);
    return end;
  }

  /** The log: what of stdout is JSON. */
  get log(): readonly Json[] {
    return this.stdout.items.filter((line) => line.startsWith('{')).map((line): Json => JSON.parse(line));
  }

  /** The first log line with this `msg` that `matches`. */
  async logged(message: string, matches: (facts: Json) => boolean = () => true): Promise<Json> {
    const line = await this.stdout.first(`the log line "${message}"`, (text) => {
      const facts: Json = text.startsWith('{') ? JSON.parse(text) : {};
      return facts['msg'] === message && matches(facts);
    });
    return JSON.parse(line);
  }

  get output(): string {
    return [...this.stderr.items, ...this.stdout.items].join('\n');
  }
}

/** A daemon that is up. */
export class Daemon {
  readonly home: Home;
  readonly run: Run;
  readonly port: number;
  readonly adminPort: number;
  readonly adminToken: string;
  readonly events = new Recording<DaemonEvent>('the event stream');

  private constructor(home: Home, run: Run, port: number, adminPort: number, adminToken: string) {
    this.home = home;
    this.run = run;
    this.port = port;
    this.adminPort = adminPort;
    this.adminToken = adminToken;
  }

  static async of(home: Home, run: Run): Promise<Daemon> {
    await run.stderr.first('the token line of the start-up', (line) => line.startsWith('  token '));
    const portIn = (pattern: RegExp): number => Number(pattern.exec(run.stderr.items.join('\n'))?.[1]);
    const settings = JSON.parse(readFileSync(home.file, 'utf8')) as Json;
    const own = settings['admin_token'];
    const token = typeof own === 'string' ? own : readFileSync(join(home.stateDir, 'admin_token'), 'utf8').trim();
    const daemon = new Daemon(
      home,
      run,
      portIn(/^ {2}try +http:\/\/[^/]+:(\d+)\/$/m),
      portIn(/^ {2}admin +http:\/\/[^/]+:(\d+)\//m),
      token,
    );
    await daemon.follow();
    return daemon;
  }

  /** A request on the public port, to `<agent>.test` or to a whole hostname. */
  call(host: string, path = '/', options: Partial<Call> = {}): Promise<Reply> {
    return call({ ...this.at(this.port), host: host.includes('.') ? host : `${host}.test`, path, ...options });
  }

  socket(host: string, path: string): Promise<OpenSocket> {
    return openSocket(this.port, host.includes('.') ? host : `${host}.test`, path, this.home.place.address);
  }

  /** A request on the internal port, with the admin token unless `headers` bring another. */
  admin(path: string, options: Partial<Call> & { readonly json?: unknown } = {}): Promise<Reply> {
    const { json, headers, ...rest } = options;
    return call({
      ...this.at(this.adminPort),
      path,
      ...rest,
      headers: {
        authorization: `Bearer ${this.adminToken}`,
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
  }

  /** What an agent's own task would send: contract section 4 says how its token is made. */
  bearerOf(agent: string): string {
    const secret = readFileSync(join(this.home.stateDir, 'secret'));
    return `Bearer ${createHmac('sha256', secret).update(`agent:${agent}`).digest('base64url')}`;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async view(agent: string): Promise<any> {
    return (await this.admin(`/admin/agents/${agent}`)).json;
  }

  /** The first event of this type for this agent, later than `after`. */
  event(type: string, agent?: string, after?: DaemonEvent | null): Promise<DaemonEvent> {
    const matches = (event: DaemonEvent): boolean =>
      event.type === type && (agent === undefined || event.agent === agent) && event.id > (after?.id ?? 0);
    return this.events.first(`${type} of ${agent ?? 'the daemon'}`, matches);
  }

  get lastEvent(): DaemonEvent | null {
    return this.events.items.at(-1) ?? null;
  }

  eventsOf(agent: string): readonly string[] {
    return this.events.items.filter((event) => event.agent === agent).map(({ type }) => type);
  }

  /**
   * Calls as a client that comes back whenever the agent has become ready, until it is let in. It may take more than one
   * turn: a client that is slow, on a machine that has much to do, meets it asleep again.
   */
  async wake(agent: string, path = '/', options: Partial<Call> = {}): Promise<Reply> {
    for (;;) {
      const before = this.lastEvent;
      const reply = await this.call(agent, path, options);
      if (reply.status !== 503) return reply;
      await this.event('agent.ready', agent, before);
    }
  }

  /** The same for a WebSocket: it may be asleep again by the time that one is opened. */
  async wakeSocket(agent: string, path: string): Promise<OpenSocket> {
    for (;;) {
      await this.wake(agent);
      const open = await this.socket(agent, path).catch((error: unknown) => {
        if (String(error).includes('answered with 503')) return null;
        throw error;
      });
      if (open !== null) return open;
    }
  }

  /** Resolves once so many requests are open at the agent. They have to be long enough for that. */
  async untilInFlight(agent: string, requests: number): Promise<void> {
    while ((await this.view(agent)).in_flight < requests) await pause(20);
  }

  /** Series of `/metrics`, without the prefix: name and labels as they stand there, and the value. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const { text } = await this.admin('/metrics');
    const lines = text.split('\n').flatMap((line) => {
      const [, series = '', value = ''] = /^reveille_(\S+(?: \S+)*?) (\S+)$/.exec(line) ?? [];
      return series === '' ? [] : [[series, Number(value)] as const];
    });
    return new Map(lines);
  }

  private at(port: number): { readonly address: string; readonly port: number } {
    return { address: this.home.place.address, port };
  }

  /** From now on everything that happens is in `events`. */
  private follow(): Promise<void> {
    return new Promise((ready, reject) => {
      const headers = { authorization: `Bearer ${this.adminToken}` };
      const stream = get(
        { host: this.home.place.address, port: this.adminPort, path: '/admin/events', headers, agent: false },
        (response) => {
          if (response.statusCode !== 200) reject(new Error(`/admin/events answered ${String(response.statusCode)}`));
          const lines = createInterface(response);
          // readline takes the stream's errors for its own; a daemon that is killed resets the connection.
          lines.on('error', () => undefined);
          lines.on('line', (line) => {
            if (line.startsWith('data: ')) this.events.push(JSON.parse(line.slice('data: '.length)));
          });
          response.on('error', () => undefined);
          response.on('close', () => this.events.end('the stream has ended'));
          ready();
        },
      );
      stream.on('error', reject);
    });
  }
}

interface Fixtures {
  /** A directory of its own for one test; nothing runs yet. */
  readonly home: (settings: Settings, environment?: Readonly<Record<string, string>>, place?: Place) => Home;
  /** The same, and the daemon is up. */
  readonly start: (settings: Settings, environment?: Readonly<Record<string, string>>, place?: Place) => Promise<Daemon>;
}

/** `it` with daemons: what one of them wrote is shown when the test fails. */
export const it = plainIt.extend<Fixtures>({
  home: async ({ onTestFailed }, use) => {
    const homes: Home[] = [];
    onTestFailed(() => {
      for (const run of homes.flatMap(({ runs }) => runs)) console.error(`--- daemon ${run.pid}\n${run.output}`);
    });
    await use((settings, environment, place) => {
      const home = new Home(settings, environment, place);
      homes.push(home);
      return home;
    });
    const complaints = (await Promise.all(homes.map((home) => home.close()))).flat();
    if (complaints.length > 0) {
      const output = homes.flatMap(({ runs }) => runs).map((run) => run.output);
      throw new Error([...complaints, ...output].join('\n'));
    }
  },
  start: async ({ home }, use) => {
    await use((settings, environment, place) => home(settings, environment, place).start());
  },
});
