import { WakeLimits } from '../core/wake-limits.ts';
import { type RouteTable, matchWildcard, routeTable } from '../core/route-table.ts';
import { type Hostname, covers } from '../contract/hostname.ts';
import type { Clock } from '../ports/clock.ts';
import type { Engine, EngineWatcher, Observation } from '../ports/engine.ts';
import { EngineError } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Probe } from '../ports/probe.ts';
import type { Store } from '../ports/store.ts';
import { type Millis, type WallTime, after } from '../std/time.ts';
import { type Limits, ConfiguredDestination, RegisteredDestination } from './admission.ts';
import { AgentRunner, type Inheritance } from './agent-runner.ts';
import { type AgentSettings, workloadOf } from './agent-settings.ts';
import { Capacity } from './capacity.ts';
import { EventLog } from './event-log.ts';
import type { HeldInAll } from './hold-queue.ts';
import { PortBook } from './port-book.ts';
import { type Route, RouteBook } from './route-book.ts';
import type { Destination, Traffic } from './traffic.ts';
import type { World } from './world.ts';

/**
 * All agents together: who answers to which hostname, and news of the engine to whom it concerns. A change of the config is
 * one synchronous call (promise J): no request can meet half of it.
 */
export interface FleetParts {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly probe: Probe;
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The token that a task of this agent is given. */
  readonly tokenOf: (agent: string) => string;
  /** Ports that the daemon itself listens on. */
  readonly ownPorts: () => readonly number[];
  /** The agent is gone and so are its figures: whoever holds some lets go of them. */
  readonly forgotten: (agent: string) => void;
  /** No connection that was made to the agent is used again. */
  readonly endConnections: (agent: string) => void;
}

export class Fleet implements Traffic {
  readonly events: EventLog;
  readonly routes: RouteBook;
  readonly ports: PortBook;
  /** Whether the engine can be asked, and since when that is so. */
  engineConnected = false;
  engineSince: WallTime;
  private opened = false;
  /** The first config was applied. */
  private begun = false;
  /** What the engine said last: it may be lost before its own open() has resolved. */
  private lost = false;
  private closed = false;
  /** Ends each wait for work that is going on. */
  private readonly waits = new Set<() => void>();
  private readonly runners = new Map<string, AgentRunner>();
  private readonly destinations = new Map<string, Destination>();
  /** What the engine was told of each agent that it has not been asked to release. */
  private readonly declared = new Map<string, string>();
  /** By name, how many that were removed still have work. */
  private readonly leaving = new Map<string, number>();
  private table: RouteTable = routeTable([]);
  limits: Limits = { inFlight: 1000, held: 1000, awake: 0, wakes: { per_client: null, total: null } };
  readonly wakeLimits = new WakeLimits(this.limits.wakes);
  readonly heldInAll: HeldInAll = { count: 0 };
  readonly capacity: Capacity;
  private readonly parts: FleetParts;
  private readonly world: World;

  constructor(parts: FleetParts) {
    this.parts = parts;
    this.events = new EventLog(parts);
    this.routes = new RouteBook({ ...parts, events: this.events });
    this.ports = new PortBook(parts.engine.name === 'process', parts.ownPorts);
    this.engineSince = parts.clock.wall();
    this.capacity = new Capacity(parts.clock);
    this.world = {
      ...parts,
      events: this.events,
      heldInAll: this.heldInAll,
      endConnections: (agent) => this.parts.endConnections(agent),
      placesChanged: (agent) => this.capacity.changed(agent),
      pauseRoutes: (agent) => this.routes.pause(agent),
      resumeRoutes: (agent) => this.routes.resume(agent),
      purgeRoutes: (agent, because) => this.routes.purge(agent, because),
      tasksChanged: (agent, tasks) => {
        this.ports.setTasks(agent, tasks);
        this.routes.keepOnly(agent, tasks);
      },
    };
  }

  /**
   * Opens the engine and meets every agent as it is. The hostnames are known before: whoever calls while the engine is still
   * being opened is told to come back, not that there is nobody. So are registered hostnames, until the engine has told of
   * their agents: which of their tasks are left is known then, for each agent by itself. An engine that is away is waited for
   * elsewhere: what it tells when it is back sets right what is not known now. Rejects with an EngineError when it cannot be
   * opened at all.
   */
  async open(settings: readonly AgentSettings[], limits: Limits): Promise<void> {
    this.apply(settings, limits);
    this.routes.restore((agent) => this.runners.get(agent)?.met === false);
    this.settleRoutes();
    await this.parts.engine.open(this.watcher());
    // The daemon was told to end while it began: nothing may be started any more.
    if (this.isClosed()) return;
    this.opened = true;
    if (!this.isLost()) this.setConnected(true);
    for (const { settings } of this.runners.values()) this.introduce(settings);
    if (this.isLost()) return;
    await Promise.all([...this.runners.values()].filter(({ met }) => !met).map((runner) => runner.look()));
  }

  /**
   * Whether something can be ordered for this agent now. One that is not known yet is asked about, for the next who comes: its
   * first look may have failed, and the engine's next news of it may be far.
   */
  reach(runner: AgentRunner): boolean {
    if (this.engineConnected) runner.meet();
    return this.engineConnected && runner.met;
  }

  lookup(host: Hostname): Destination | null {
    const exact = this.table.exact.get(host);
    if (exact !== undefined) return this.destinations.get(exact) ?? null;
    const route = this.routes.get(host);
    if (route !== undefined) return this.registered(route);
    const wildcard = matchWildcard(this.table, host);
    return wildcard === undefined ? null : (this.destinations.get(wildcard) ?? null);
  }

  /** Checked again at every dial: the port may have become somebody else's since it was registered. */
  private registered(route: Route): Destination | null {
    const runner = this.runners.get(route.agent);
    if (runner === undefined) return null;
    if (!this.ports.isForeign(route.agent, route.port)) return new RegisteredDestination(runner, this, route);
    this.parts.log.warn("route removed, its port is not the agent's any more", {
      agent: route.agent,
      hostname: route.hostname,
      port: route.port,
    });
    this.routes.remove(route.hostname, 'foreign target');
    return null;
  }

  /** The agent to which the config gives this hostname exactly. */
  configured(host: Hostname): string | undefined {
    return this.table.exact.get(host);
  }

  runner(name: string): AgentRunner | undefined {
    return this.runners.get(name);
  }

  /** By name, in alphabetical order. */
  all(): readonly AgentRunner[] {
    return [...this.runners.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Makes the fleet what `settings` say. An agent that stays the same feels nothing; one whose policy changed is another
   * agent under the old name, which takes over the tasks and their work.
   */
  apply(settings: readonly AgentSettings[], limits: Limits): void {
    if (this.closed) return;
    this.limits = limits;
    this.capacity.max = limits.awake;
    this.wakeLimits.change(limits.wakes);
    this.capacity.afterwards(() => this.become(settings));
    this.begun = true;
  }

  private become(settings: readonly AgentSettings[]): void {
    const next = new Map(settings.map((entry) => [entry.name, entry]));
    const inheritances = new Map<string, Inheritance>();
    for (const runner of this.runners.values()) {
      const kind = next.get(runner.name)?.policy.kind;
      if (kind === runner.policy.kind) continue;
      // The tasks go on, and so does the work on them; only an engine's tasks do.
      const goesOn = kind !== undefined && kind !== 'unmanaged' && runner.policy.kind !== 'unmanaged';
      this.takeOut(runner);
      // Nobody else would, and nothing else can move it.
      if (runner.state.name === 'frozen') void this.thaw(runner.name);
      if (goesOn) inheritances.set(runner.name, runner.bequeath());
      else this.retire(runner);
    }
    for (const entry of settings) {
      if (this.opened) this.introduce(entry);
      const runner = this.runners.get(entry.name);
      if (runner === undefined) this.add(entry, inheritances.get(entry.name));
      else runner.adjust(entry);
    }
    this.ports.setBackends(settings);
    this.table = routeTable(settings);
    this.settleRoutes();
  }

  /** A registered hostname that the config has since given away, or no longer allows, is the agent's no more. */
  private settleRoutes(): void {
    for (const { hostname, agent } of this.routes.list()) {
      const domains = this.runners.get(agent)?.settings.config.domains ?? [];
      if (this.table.exact.has(hostname)) this.routes.remove(hostname, 'config');
      else if (!domains.some((domain) => covers(domain, hostname))) this.routes.remove(hostname, 'domains');
    }
  }

  /** Figures that are read off when somebody asks, since moving them with every request would cost the hot path. */
  collect(): void {
    for (const { name, activity, holds } of this.runners.values()) {
      this.parts.metrics.gauge('requests_held', { agent: name }).set(holds.size);
      this.parts.metrics.gauge('requests_in_flight', { agent: name }).set(activity.inFlight);
      this.parts.metrics.gauge('websocket_connections', { agent: name }).set(activity.sockets);
    }
  }

  /** For good: no alarm, no check and no wait is left. What the engine still runs is for its own close to end. */
  close(): void {
    this.closed = true;
    for (const end of [...this.waits]) end();
    for (const runner of this.runners.values()) runner.close();
    this.routes.close();
    this.capacity.close();
  }

  private isClosed(): boolean {
    return this.closed;
  }

  private isLost(): boolean {
    return this.lost;
  }

  private add(settings: AgentSettings, inherited?: Inheritance): void {
    const runner = new AgentRunner(settings, this.world, inherited);
    this.runners.set(settings.name, runner);
    this.destinations.set(settings.name, new ConfiguredDestination(runner, this));
    // Those that are there from the start are no news: told at each start, they would push what is out of the ring.
    if (this.begun) this.events.publish('agent.added', { agent: settings.name });
    if (this.opened && settings.policy.kind !== 'unmanaged') void runner.look();
  }

  /** Asks for its token even where no engine runs it: an agent that is in no file is only known by it from then on. */
  private introduce(settings: AgentSettings): void {
    const workload = workloadOf(settings, this.parts.tokenOf(settings.name));
    if (workload === null) return;
    // Told again, an engine tries at once what waits for its backoff: whoever stays the same must not feel a reload.
    const text = JSON.stringify(workload);
    if (this.declared.get(settings.name) === text) return;
    this.parts.engine.declare(workload);
    this.declared.set(settings.name, text);
  }

  /** From now on nobody reaches it. */
  private takeOut({ name }: AgentRunner): void {
    this.runners.delete(name);
    this.destinations.delete(name);
    this.routes.purge(name, 'agent removed');
    this.events.publish('agent.removed', { agent: name });
  }

  /** Work in flight may finish, at most for drain_timeout; then the engine lets go of the tasks. */
  private retire(runner: AgentRunner): void {
    const { name, policy } = runner;
    runner.close();
    this.leaving.set(name, (this.leaving.get(name) ?? 0) + 1);
    const { activity } = runner;
    const quiet = activity.busy ? this.within(policy.drainTimeout, (end) => activity.whenQuiet(end)) : Promise.resolve();
    void quiet.then(async () => {
      if (this.closed) return;
      activity.cut();
      const left = (this.leaving.get(name) ?? 1) - 1;
      this.leaving.set(name, left);
      // Removed, brought back and removed again: work of the first time may still be on the tasks. The last one to go decides.
      if (left > 0) return;
      this.leaving.delete(name);
      await this.letGo(name);
    });
  }

  private async thaw(name: string): Promise<void> {
    try {
      await this.parts.engine.thaw(name);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.parts.log.warn('an agent that is let go of may still be frozen', { agent: name, detail: error.message });
    }
  }

  /** Nobody is left of those who were removed under this name. A later config may have brought it back. */
  private async letGo(name: string): Promise<void> {
    const heir = this.runners.get(name);
    if (heir === undefined) {
      this.parts.forgotten(name);
      this.parts.metrics.forget(name);
    }
    // The tasks are the heir's, unless it is one that no engine runs.
    if (heir !== undefined && heir.policy.kind !== 'unmanaged') return;
    if (!this.declared.delete(name)) return;
    this.ports.setTasks(name, []);
    try {
      await this.parts.engine.release(name);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.parts.log.warn('engine did not let go of an agent', { agent: name, detail: error.message });
    }
  }

  /** Resolves when `then` is called, at the latest after `limit` or when the fleet closes. */
  private within(limit: Millis, wait: (then: () => void) => void): Promise<void> {
    const { clock } = this.parts;
    return new Promise((resolve) => {
      const end = (): void => {
        alarm.cancel();
        this.waits.delete(end);
        resolve();
      };
      const alarm = clock.alarm(after(clock.now(), limit), end);
      this.waits.add(end);
      wait(end);
    });
  }

  private watcher(): EngineWatcher {
    return {
      observed: (agent: string, seen: Observation) => this.runners.get(agent)?.observe(seen),
      lost: (detail) => {
        this.lost = true;
        this.setConnected(false);
        this.parts.log.error('engine lost; agents that are awake are still served', { detail });
        this.events.publish('engine.lost', { detail });
      },
      restored: () => {
        this.lost = false;
        this.setConnected(true);
        this.parts.log.info('engine restored');
        this.events.publish('engine.restored');
      },
      restarted: (agent) => this.parts.metrics.counter('restarts_total', { agent }).add(1),
      drain: (agent, taskId) => this.drainTask(agent, taskId),
    };
  }

  private async drainTask(agent: string, taskId: string): Promise<void> {
    const runner = this.runners.get(agent);
    if (runner === undefined) return;
    await this.within(runner.policy.drainTimeout, (end) => void runner.activity.taskIsQuiet(taskId).then(end));
  }

  private setConnected(connected: boolean): void {
    this.engineConnected = connected;
    this.engineSince = this.parts.clock.wall();
  }
}
