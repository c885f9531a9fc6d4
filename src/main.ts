import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AdminServer, adminServer } from './admin/server.ts';
import { type LoadedConfig, loadConfig } from './config/load.ts';
import { complaintLine } from './config/complaint.ts';
import { diffConfig } from './config/diff.ts';
import { agentFromBody } from './config/made-agent.ts';
import { unsupported } from './config/unsupported.ts';
import { parseListen } from './contract/address.ts';
import type { Config } from './contract/config.ts';
import { EXIT } from './contract/problems.ts';
import { type Address, EngineError } from './ports/engine.ts';
import type { Metrics } from './ports/metrics.ts';
import { ProcessEngine } from './process/engine.ts';
import { PublicServer } from './proxy/server.ts';
import { UndiciUpstream } from './proxy/upstream/undici.ts';
import type { Loaded } from './runtime/control-parts.ts';
import { CountedEngine } from './runtime/counted-engine.ts';
import { FleetControl } from './runtime/fleet-control.ts';
import { Fleet } from './runtime/fleet.ts';
import { acquireLock } from './sqlite/lock.ts';
import { openStore } from './sqlite/store.ts';
import { assert } from './std/assert.ts';
import { type Outcome, done, failed } from './std/outcome.ts';
import { type Instant, type Millis, after, elapsed, millisOf } from './std/time.ts';
import { systemClock } from './system/clock.ts';
import { type SystemLog, openLog } from './system/log.ts';
import { openMetrics } from './system/metrics.ts';
import { openProbe } from './system/probe.ts';
import { adminToken, daemonSecret, sameToken } from './system/secret-files.ts';
import { listenToSignals } from './system/signals.ts';
import { AgentTokens } from './system/agent-tokens.ts';

/**
 * The composition root: config, then adapters, then runtime, then listeners, and the way back down. Nothing is decided here.
 * The order is a promise: the lock on state_dir and both ports are ours before anything that an earlier daemon left is
 * touched, so that a second start by mistake harms nothing.
 */
const clock = systemClock;
/** Children get at least this long to end, however little is left of drain_timeout. */
const CHILDREN_GRACE_MIN = millisOf(2000);
const CHILDREN_GRACE_MAX = millisOf(10_000);
const ADMIN_CLOSE_GRACE = millisOf(1000);
/** What takes effect without a restart; every other setting outside of the agents is reported as `restart_needed`. */
const LIVE = /^(?:trusted_proxies|limits\.|log\.|shutdown\.)/;

/** Refused before anything was started: `message` goes to stderr, the code to the shell. */
class StartRefused extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** `reveille serve`. Resolves with the exit code once everything has ended; only a broken promise of ours ends it earlier. */
export async function serve(options: { readonly configFile: string }): Promise<number> {
  try {
    return await run(options.configFile);
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error.code;
  }
}

async function run(configFile: string): Promise<number> {
  const startedAt = clock.now();
  const loaded = loadOrRefuse(configFile);
  const { config } = loaded;
  const log = openLog(config.log.level);
  dieOfViolations(log);

  const lock = acquireLock(config.state_dir);
  if (!lock.ok) throw new StartRefused(lock.failure.kind === 'in-use' ? EXIT.stateDirInUse : EXIT.failed, lock.failure.detail);
  // Last in, first out, after a whole life and after a start that is refused half-way alike: what is left open, a listener
  // above all, would keep a process that has given up alive, and its port and state_dir taken.
  await using open = new AsyncDisposableStack();
  open.defer(() => lock.value.release());
  const store = usable(openStore(config.state_dir), ({ detail }) => detail);
  open.defer(() => store.close());
  const admin = usable(adminToken(config), (detail) => detail);
  const secret = usable(daemonSecret(config), (detail) => detail);
  for (const warning of [...admin.warnings, ...secret.warnings])
    log.warn('secret file is not as private as it should be', { warning });
  const tokens = new AgentTokens(secret.value);
  usable(tokens.learn(config), (detail) => detail);

  const metrics = openMetrics();
  const bound: { public: Address | null; admin: Address | null } = { public: null, admin: null };
  const ownPorts = (): readonly number[] =>
    [bound.public, bound.admin].flatMap((address) => (address === null ? [] : [address.port]));
  const engine = new CountedEngine(
    new ProcessEngine({
      clock,
      log,
      stateDir: config.state_dir,
      reveilleUrl: () => `http://${bound.admin === null ? '' : urlHost(bound.admin)}`,
      host: '127.0.0.1',
      reservedPorts: () => new Set([...ownPorts(), ...control.fixedPorts()]),
    }),
    metrics,
  );
  const fleet = new Fleet({
    clock,
    engine,
    probe: openProbe(clock),
    store,
    log,
    metrics,
    tokenOf: (agent) => tokens.of(agent),
    ownPorts,
    forgotten: (agent) => publicServer.forgetAgent(agent),
  });
  const publicServer = new PublicServer({
    traffic: fleet,
    upstream: new UndiciUpstream({ clock, limits: config.limits }),
    limits: config.limits,
    trustedProxies: config.trusted_proxies,
    logRequests: config.log.requests,
    clock,
    log,
    metrics,
  });
  const control: FleetControl = new FleetControl(
    {
      fleet,
      clock,
      engine,
      store,
      log,
      metrics,
      tokens: { isAdmin: (token) => sameToken(token, admin.value), agentOf: (token) => tokens.whose(token) },
      load: (current) => reload(loaded, current, tokens),
      taken: (next) => takeOver(next, publicServer, log),
      agentFromBody: (body, current) => agentFromBody(body, current, loaded.directory),
    },
    config,
  );
  open.defer(() => fleet.close());
  open.defer(() => publicServer.drain(millisOf(0)));
  const access = mkdtempSync(join(tmpdir(), 'reveille-'));
  open.defer(() => rmSync(access, { recursive: true, force: true }));
  const adminListen = listenAddress(config.admin_listen);
  const adminPort = await adminServer({
    control,
    clock,
    log,
    metrics: collecting(metrics, fleet),
    metricsAuth: wantsBearer(config, adminListen) ? 'bearer' : 'none',
    agentAccess: { socketPath: join(access, 'data-plane.sock') },
    version: version(),
  });

  open.defer(() => adminPort.close(millisOf(0)));
  bound.public = await listening('listen', config.listen, () => publicServer.listen(listenAddress(config.listen)));
  bound.admin = await listening('admin_listen', config.admin_listen, () => adminPort.listen(adminListen));
  await publicServer.listenLocal(join(access, 'data-plane.sock'));

  const ending = new Ending({ log, control, fleet, publicServer, adminPort, engine, drainTimeout: () => control.drainTimeout });
  listenToSignals(clock, {
    end: () => ending.begin(),
    hurry: () => ending.hurry(),
    reload: () => void control.reload(),
  });
  await control.open().catch((error: unknown) => {
    if (error instanceof EngineError) throw new StartRefused(EXIT.failed, `the engine cannot be opened: ${error.message}`);
    throw error;
  });
  log.info('daemon is up', {
    ms: Math.round(elapsed(startedAt, clock.now())),
    engine: config.engine,
    agents: control.names().length,
  });
  greet(config, bound.public, bound.admin, admin.source);

  await ending.over;
  return EXIT.ok;
}

/** The way down (promise K): public port first, then the agents, then the internal port, which agents speak to as they end. */
class Ending {
  readonly over: Promise<void>;
  private finish: () => void = () => undefined;
  private deadline: Instant | null = null;
  private readonly parts: {
    readonly log: SystemLog;
    readonly control: FleetControl;
    readonly fleet: Fleet;
    readonly publicServer: PublicServer;
    readonly adminPort: AdminServer;
    readonly engine: CountedEngine;
    readonly drainTimeout: () => Millis;
  };

  constructor(parts: Ending['parts']) {
    this.parts = parts;
    this.over = new Promise((resolve) => (this.finish = resolve));
  }

  begin(): void {
    if (this.deadline !== null) return;
    const { log, drainTimeout } = this.parts;
    this.deadline = after(clock.now(), drainTimeout());
    log.info('daemon is shutting down', { drainTimeoutMs: drainTimeout() });
    void this.descend();
  }

  hurry(): void {
    this.parts.log.warn('told again to shut down, what is open is cut');
    this.deadline = clock.now();
    void this.parts.publicServer.drain(millisOf(0));
    void this.parts.engine.close(0);
  }

  private async descend(): Promise<void> {
    const { control, fleet, publicServer, adminPort, engine, log } = this.parts;
    control.drain();
    await publicServer.drain(this.left());
    fleet.close();
    await engine.close(Math.min(CHILDREN_GRACE_MAX, Math.max(CHILDREN_GRACE_MIN, this.left())));
    await adminPort.close(ADMIN_CLOSE_GRACE);
    log.info('daemon has ended');
    this.finish();
  }

  private left(): Millis {
    assert(this.deadline !== null, 'an ending has begun');
    return millisOf(Math.max(0, elapsed(clock.now(), this.deadline)));
  }
}

function loadOrRefuse(file: string): LoadedConfig {
  const loaded = loadConfig(file, process.env);
  if (!loaded.ok)
    throw new StartRefused(EXIT.badConfig, loaded.failure.map((complaint) => complaintLine(file, complaint)).join('\n'));
  const beyond = unsupported(loaded.value);
  if (beyond.length > 0)
    throw new StartRefused(EXIT.badConfig, beyond.map((complaint) => complaintLine(file, complaint)).join('\n'));
  return loaded.value;
}

function reload(running: LoadedConfig, current: Config, tokens: AgentTokens): Outcome<Loaded, readonly string[]> {
  const { file } = running;
  const next = loadConfig(file, process.env);
  if (!next.ok) return failed(next.failure.map((complaint) => complaintLine(file, complaint)));
  const learned = tokens.learn(next.value.config);
  if (!learned.ok) return failed([learned.failure]);
  const { added, removed, changed, settings } = diffConfig(current, next.value.config);
  const { limits, log, shutdown, trusted_proxies, agents, defaults } = next.value.config;
  // What needs a restart keeps its old value, so that the next reload still says that it is needed.
  const config: Config = { ...current, limits, log, shutdown, trusted_proxies, agents, defaults };
  const restartNeeded = settings.filter((key) => !LIVE.test(key));
  return done({
    config,
    changes: { added: [...added], removed: [...removed], changed: [...changed], restart_needed: restartNeeded },
  });
}

function takeOver(config: Config, publicServer: PublicServer, log: SystemLog): void {
  log.setLevel(config.log.level);
  publicServer.reconfigure({ limits: config.limits, trustedProxies: config.trusted_proxies, logRequests: config.log.requests });
}

function usable<T, F>(outcome: Outcome<T, F>, detail: (failure: F) => string): T {
  if (outcome.ok) return outcome.value;
  throw new StartRefused(EXIT.failed, detail(outcome.failure));
}

async function listening(key: string, text: string, listen: () => Promise<Address>): Promise<Address> {
  try {
    return await listen();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason =
      code === 'EADDRINUSE' ? 'another process listens there' : code === 'EACCES' ? 'this user may not listen there' : message;
    throw new StartRefused(EXIT.failed, `${key}: cannot listen on ${text}: ${reason}`);
  }
}

function listenAddress(text: string): Address {
  const address = parseListen(text);
  assert(address !== null, 'the config was checked: its addresses are whole');
  return { host: address.host ?? everyInterface(), port: address.port };
}

/** `::` takes IPv4 too, but cannot be bound where the machine has no IPv6. */
function everyInterface(): string {
  const families = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ family }) => family) ?? []);
  return families.includes('IPv6') ? '::' : '0.0.0.0';
}

/** Gauges that are read off when somebody looks. */
function collecting(metrics: Metrics, fleet: Fleet): Metrics {
  return {
    counter: metrics.counter.bind(metrics),
    gauge: metrics.gauge.bind(metrics),
    histogram: metrics.histogram.bind(metrics),
    forget: (agent) => metrics.forget(agent),
    expose: () => {
      fleet.collect();
      return metrics.expose();
    },
  };
}

function wantsBearer(config: Config, { host }: Address): boolean {
  if (config.metrics.auth !== 'auto') return config.metrics.auth === 'bearer';
  return !(host === '::1' || host === 'localhost' || host.startsWith('127.'));
}

/** An address that this machine reaches itself at: a wildcard is none. */
function urlHost({ host, port }: Address): string {
  const near = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `${near.includes(':') ? `[${near}]` : near}:${port}`;
}

function greet(config: Config, publicPort: Address, adminPort: Address, tokenSource: string): void {
  const names = Object.values(config.agents).flatMap(({ hostname, hostnames }) => [hostname, ...hostnames]);
  const urls = names.filter((name) => !name.startsWith('*')).map((name) => `http://${name}:${publicPort.port}/`);
  const shown = urls.slice(0, 5);
  const lines = [
    '',
    `  Reveille ${version()} is up, engine ${config.engine}.`,
    '',
    ...shown.map((url, index) => `  ${index === 0 ? 'try   ' : '      '} ${url}`),
    ...(urls.length > shown.length ? [`         and ${urls.length - shown.length} more: reveille agents`] : []),
    `  admin  http://${urlHost(adminPort)}/admin/agents`,
    `  token  ${tokenSource}`,
    '',
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
}

/** A broken promise of ours: the state can no longer be trusted, so nobody may go on deciding by it. */
function dieOfViolations(log: SystemLog): void {
  const die = (error: unknown): void => {
    const { name, message, stack } =
      error instanceof Error ? error : { name: 'unknown', message: String(error), stack: undefined };
    log.fatal('daemon broke a promise of its own and ends', { error: name, detail: message, stack });
    process.exit(EXIT.violation);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}

/** From package.json, which lies above src/ and above dist/ alike. */
function version(): string {
  return (createRequire(import.meta.url)('../package.json') as { version: string }).version;
}
