import { hostname } from 'node:os';
import { adminServer } from './admin/server.ts';
import { type LoadedConfig, loadConfig } from './config/load.ts';
import { complaintLine } from './config/complaint.ts';
import { diffConfig } from './config/diff.ts';
import { agentFromBody } from './config/made-agent.ts';
import type { Config } from './contract/config.ts';
import { EXIT } from './contract/problems.ts';
import { type Address, type Engine, EngineError } from './ports/engine.ts';
import { StoreError } from './ports/store.ts';
import type { ReservedPorts } from './process/ports.ts';
import type { Metrics } from './ports/metrics.ts';
import { PublicServer } from './proxy/server.ts';
import { UpstreamClient } from './proxy/upstream/client.ts';
import type { Loaded } from './runtime/control-parts.ts';
import { CountedEngine } from './runtime/counted-engine.ts';
import { Ending } from './runtime/ending.ts';
import { FleetControl } from './runtime/fleet-control.ts';
import { Fleet } from './runtime/fleet.ts';
import { acquireLock } from './sqlite/lock.ts';
import { openStore } from './sqlite/store.ts';
import { type Outcome, done, failed } from './std/outcome.ts';
import { elapsed, millisOf } from './std/time.ts';
import { Brands } from './system/brands.ts';
import { accessSocket, listenAddress, urlHost } from './system/addresses.ts';
import { systemClock } from './system/clock.ts';
import { dieOfViolations } from './system/fatal.ts';
import { greet, takeLeave, version } from './system/greeting.ts';
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
/** What takes effect without a restart; every other setting outside of the agents is reported as `restart_needed`. */
const LIVE = /^(?:trusted_proxies|max_ready_agents|hold_max_requests|ignore\.|wake_limits\.|limits\.|log\.|shutdown\.)/;

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
    // What state_dir keeps is read while the daemon begins. Later only writes can fail, and are answered where they happen.
    const refused = error instanceof StoreError ? new StartRefused(EXIT.failed, error.message) : error;
    if (!(refused instanceof StartRefused)) throw error;
    process.stderr.write(`${refused.message}\n`);
    return refused.code;
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
  // A file that the config names is the config's mistake; one that we keep in state_dir is not.
  const admin = usable(
    adminToken(config),
    (detail) => detail,
    config.admin_token_file === undefined ? EXIT.failed : EXIT.badConfig,
  );
  const secret = usable(daemonSecret(config), (detail) => detail, config.secret_file === null ? EXIT.failed : EXIT.badConfig);
  for (const warning of [...admin.warnings, ...secret.warnings])
    log.warn('secret file is not as private as it should be', { warning });
  const tokens = new AgentTokens(secret.value);
  usable(tokens.learn(config), (detail) => detail, EXIT.badConfig);

  const metrics = openMetrics();
  const bound: { public: Address | null; admin: Address | null } = { public: null, admin: null };
  const ownPorts = (): readonly number[] =>
    [bound.public, bound.admin].flatMap((address) => (address === null ? [] : [address.port]));
  const engine = new CountedEngine(
    await engineOf(config, {
      log,
      metrics,
      reveilleUrl: () => `http://${bound.admin === null ? '' : urlHost(bound.admin)}`,
      reservedPorts: () => ({ own: new Set(ownPorts()), fixed: new Set(control.fixedPorts()) }),
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
    endConnections: (agent) => publicServer.endConnections(agent),
  });
  const brands = new Brands(log);
  brands.learn(config);
  const publicServer = new PublicServer({
    brandOf: (agent) => brands.of(agent),
    traffic: fleet,
    upstream: new UpstreamClient({ clock, limits: config.limits }),
    limits: config.limits,
    trustedProxies: config.trusted_proxies,
    ignore: config.ignore,
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
      taken: (next) => {
        brands.learn(next);
        takeOver(next, publicServer, log);
      },
      agentFromBody: (body, current) => agentFromBody(body, current, loaded.directory),
    },
    config,
  );
  open.defer(() => fleet.close());
  open.defer(() => publicServer.drain(millisOf(0)));
  const access = accessSocket(config.state_dir);
  open.defer(access.remove);
  const adminListen = listenAddress(config.admin_listen);
  const adminPort = await adminServer({
    control,
    clock,
    log,
    metrics: collecting(metrics, fleet),
    metricsAuth: wantsBearer(config, adminListen) ? 'bearer' : 'none',
    agentAccess: { socketPath: access.path },
    version: version(),
  });

  open.defer(() => adminPort.close(millisOf(0)));
  bound.public = await listening('listen', config.listen, () => publicServer.listen(listenAddress(config.listen)));
  bound.admin = await listening('admin_listen', config.admin_listen, () => adminPort.listen(adminListen));
  await publicServer.listenLocal(access.path);

  const ending = new Ending({
    clock,
    log,
    control,
    fleet,
    publicServer,
    adminPort,
    engine,
    drainTimeout: () => control.drainTimeout,
  });
  listenToSignals(clock, {
    end: () => {
      takeLeave(
        control.agents().reduce((sum, agent) => sum + agent.in_flight, 0),
        control.drainTimeout,
      );
      ending.begin();
    },
    hurry: () => ending.hurry(),
    reload: () => void control.reload(),
  });
  const opened = control.open().catch((error: unknown) => {
    // Told to end while leftovers were still being ended: an end like any other.
    if (error instanceof EngineError && ending.hasBegun) return;
    if (error instanceof EngineError) throw new StartRefused(EXIT.failed, `the engine cannot be opened: ${error.message}`);
    throw error;
  });
  await Promise.race([opened, ending.over]);
  if (!ending.hasBegun) {
    log.info('daemon is up', {
      ms: Math.round(elapsed(startedAt, clock.now())),
      engine: config.engine,
      agents: control.names().length,
    });
    greet(config, bound.public, bound.admin, admin.source);
  }
  await ending.over;
  return EXIT.ok;
}

/** Loaded when it is wanted: what the one engine needs of packages, a daemon with the other does not carry about. */
async function engineOf(
  config: Config,
  parts: {
    readonly log: SystemLog;
    readonly metrics: Metrics;
    readonly reveilleUrl: () => string;
    readonly reservedPorts: () => ReservedPorts;
  },
): Promise<Engine> {
  const { log, metrics } = parts;
  if (config.engine === 'swarm') {
    const { SwarmEngine } = await import('./swarm/engine.ts');
    const { network, socket } = config.swarm;
    return new SwarmEngine({ clock, log, metrics, network, socket, ownName: hostname() });
  }
  const { ProcessEngine } = await import('./process/engine.ts');
  const { reveilleUrl, reservedPorts } = parts;
  return new ProcessEngine({ clock, log, stateDir: config.state_dir, reveilleUrl, host: '127.0.0.1', reservedPorts });
}

function loadOrRefuse(file: string): LoadedConfig {
  const loaded = loadConfig(file, process.env);
  if (!loaded.ok)
    throw new StartRefused(EXIT.badConfig, loaded.failure.map((complaint) => complaintLine(file, complaint)).join('\n'));
  return loaded.value;
}

function reload(running: LoadedConfig, current: Config, tokens: AgentTokens): Outcome<Loaded, readonly string[]> {
  const { file } = running;
  const next = loadConfig(file, process.env);
  if (!next.ok) return failed(next.failure.map((complaint) => complaintLine(file, complaint)));
  const learned = tokens.learn(next.value.config);
  if (!learned.ok) return failed([learned.failure]);
  const { added, removed, changed, settings } = diffConfig(current, next.value.config);
  const { limits, log, shutdown, trusted_proxies, max_ready_agents, hold_max_requests, ignore, wake_limits, agents, defaults } =
    next.value.config;
  // What needs a restart keeps its old value, so that the next reload still says that it is needed.
  const config: Config = {
    ...current,
    limits,
    log,
    shutdown,
    trusted_proxies,
    max_ready_agents,
    hold_max_requests,
    ignore,
    wake_limits,
    agents,
    defaults,
  };
  const restartNeeded = settings.filter((key) => !LIVE.test(key));
  return done({
    config,
    changes: { added: [...added], removed: [...removed], changed: [...changed], restart_needed: restartNeeded },
  });
}

function takeOver(config: Config, publicServer: PublicServer, log: SystemLog): void {
  log.setLevel(config.log.level);
  const { limits, ignore, trusted_proxies: trustedProxies } = config;
  publicServer.reconfigure({ limits, trustedProxies, ignore, logRequests: config.log.requests });
}

function usable<T, F>(outcome: Outcome<T, F>, detail: (failure: F) => string, code: number = EXIT.failed): T {
  if (outcome.ok) return outcome.value;
  throw new StartRefused(code, detail(outcome.failure));
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
