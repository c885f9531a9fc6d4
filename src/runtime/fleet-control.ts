import type { AgentConfig, Config } from '../contract/config.ts';
import type {
  AdminServiceView,
  AgentView,
  CreateAgentBody,
  HealthView,
  RegisterBody,
  ReloadView,
  SelfView,
  ServiceView,
} from '../contract/api.ts';
import type { EventBody, KeptState } from '../contract/events.ts';
import { done, failed } from '../std/outcome.ts';
import { type Instant, type Millis, type WallTime, elapsed, rfc3339 } from '../std/time.ts';
import type { AgentRunner } from './agent-runner.ts';
import { type AgentSettings, agentSettings } from './agent-settings.ts';
import { agentView, serviceView } from './agent-view.ts';
import type { Answer, Caller, Control, Refusal } from './control.ts';
import type { Limits } from './admission.ts';
import { keeping, unknownAgent } from './answers.ts';
import type { ControlParts } from './control-parts.ts';
import { WANTED, noPlace, readyWithin } from './operator-wake.ts';
import { Overrides } from './overrides.ts';
import { SelfService } from './self-service.ts';

/**
 * The control plane's hand on the runtime. It holds the config in force and the agents made by API, which together make the
 * fleet; everything else it asks of the fleet.
 */
export class FleetControl implements Control {
  private config: Config;
  /** Bodies of the agents made by API, as the store has them. */
  private readonly bodies = new Map<string, unknown>();
  /** Those of them that fit beside the config in force. */
  private made = new Map<string, AgentConfig>();
  private loadedAt: WallTime;
  private rejected: string | null = null;
  private draining = false;
  private readonly startedAt: Instant;
  private readonly parts: ControlParts;
  private readonly selfService: SelfService;
  private readonly overrides: Overrides;

  constructor(parts: ControlParts, config: Config) {
    this.parts = parts;
    this.config = config;
    this.startedAt = parts.clock.now();
    this.loadedAt = parts.clock.wall();
    this.selfService = new SelfService(parts);
    this.overrides = new Overrides({ ...parts, events: parts.fleet.events }, (name) => this.adjust(name));
  }

  /** Reads back the agents made by API and what is kept asleep or awake, and opens the fleet. */
  async open(): Promise<void> {
    for (const { name, body } of this.parts.store.agents()) this.bodies.set(name, body);
    this.fit();
    this.overrides.restore();
    this.overrides.keepOnly(this.onDemand());
    this.forgetOthers();
    await this.parts.fleet.open(this.settings(), this.limits());
  }

  /** From now on not ready: the daemon is ending. */
  drain(): void {
    this.draining = true;
    this.overrides.close();
  }

  health(): HealthView {
    const { fleet, clock, engine } = this.parts;
    const runners = fleet.all();
    const count = (...names: readonly string[]) => runners.filter((runner) => names.includes(runner.state.name)).length;
    return {
      status: this.draining ? 'draining' : fleet.engineConnected ? 'ok' : 'degraded',
      uptime_seconds: Math.floor(elapsed(this.startedAt, clock.now()) / 1000),
      agent_count: runners.length,
      ready_count: count('ready', 'running'),
      frozen_count: count('frozen'),
      sleeping_count: count('sleeping'),
      ...(fleet.capacity.max === 0 ? {} : { places: { taken: fleet.capacity.taken, max: fleet.capacity.max } }),
      ws_connections: runners.reduce((sum, { activity }) => sum + activity.sockets, 0),
      service_count: fleet.routes.size,
      engine: { name: engine.name, connected: fleet.engineConnected, since: rfc3339(fleet.engineSince) },
      config: { loaded_at: rfc3339(this.loadedAt), ...(this.rejected === null ? {} : { error: this.rejected }) },
    };
  }

  ready(): { readonly ready: boolean; readonly because?: string } {
    if (this.draining) return { ready: false, because: 'shutting down' };
    return this.parts.fleet.engineConnected ? { ready: true } : { ready: false, because: 'engine unavailable' };
  }

  agents(): readonly AgentView[] {
    const wall = this.parts.clock.wall();
    return this.parts.fleet.all().map((runner) => agentView(runner, wall, this.overrides.of(runner.name)));
  }

  agent(name: string): Answer<AgentView> {
    const runner = this.parts.fleet.runner(name);
    if (runner === undefined) return unknownAgent(name);
    return done(agentView(runner, this.parts.clock.wall(), this.overrides.of(name)));
  }

  createAgent(body: CreateAgentBody): Answer<AgentView> {
    const { name } = body;
    if (this.parts.fleet.runner(name) !== undefined) return failed({ problem: 'agent-exists' });
    const { store, clock } = this.parts;
    if (this.isTaken(body.hostname)) return failed({ problem: 'hostname-taken', detail: `${body.hostname} is held by another` });
    const checked = this.parts.agentFromBody(body, this.config);
    if (!checked.ok)
      return failed({ problem: 'invalid-body', detail: checked.failure.join('; '), extra: { complaints: checked.failure } });
    const kept = this.keeping(() => store.putAgent({ name, body, createdAt: clock.wall() }));
    if (kept !== null) return failed(kept);
    this.bodies.set(name, body);
    this.made.set(name, checked.value.agent);
    this.applyNow();
    return this.agent(name);
  }

  deleteAgent(name: string): Answer<null> {
    if (Object.hasOwn(this.config.agents, name)) return failed({ problem: 'agent-from-file' });
    if (!this.bodies.has(name)) return unknownAgent(name);
    const kept = this.keeping(() => this.parts.store.deleteAgent(name));
    if (kept !== null) return failed(kept);
    this.bodies.delete(name);
    this.made.delete(name);
    this.applyNow();
    return done(null);
  }

  wake(name: string): Answer<null> {
    const asked = this.wakeable(name);
    if (!asked.ok) return asked;
    const { capacity } = this.parts.fleet;
    if (!capacity.hasRoomFor(asked.value.state)) return failed(noPlace(capacity.roomIn()));
    asked.value.dispatch(WANTED);
    return done(null);
  }

  wakeAndWait(name: string, wait: Millis, signal: AbortSignal): Promise<Answer<null>> {
    const asked = this.wakeable(name);
    if (!asked.ok) return Promise.resolve(asked);
    return readyWithin(asked.value, this.parts.clock, wait, signal);
  }

  private wakeable(name: string): Answer<AgentRunner> {
    const runner = this.parts.fleet.runner(name);
    if (runner === undefined) return unknownAgent(name);
    if (runner.policy.kind !== 'on-demand') return failed({ problem: 'not-on-demand' });
    const kept = this.keptAs(name, 'asleep');
    if (kept !== null) return failed(kept);
    if (!this.parts.fleet.reach(runner) && runner.state.name !== 'ready') return failed({ problem: 'engine-unavailable' });
    return done(runner);
  }

  sleep(name: string, { force }: { readonly force: boolean }): Answer<null> {
    const runner = this.parts.fleet.runner(name);
    if (runner === undefined) return unknownAgent(name);
    if (runner.policy.kind !== 'on-demand') return failed({ problem: 'not-on-demand' });
    const kept = this.keptAs(name, 'awake');
    if (kept !== null) return failed(kept);
    runner.dispatch({ type: 'sleep-ordered', force });
    return done(null);
  }

  keep(name: string, state: KeptState, until: WallTime | null): Answer<AgentView> {
    const past = until !== null && until <= this.parts.clock.wall();
    if (past) return failed({ problem: 'invalid-body', detail: 'until: must be in the future' });
    return this.overriding(name, () => this.overrides.put(name, state, until));
  }

  release(name: string): Answer<AgentView> {
    return this.overriding(name, () => this.overrides.lift(name));
  }

  services(): readonly AdminServiceView[] {
    return this.parts.fleet.routes.list().map((route) => ({ ...serviceView(route), created_at: rfc3339(route.createdAt) }));
  }

  servicesOf(agent: string): readonly ServiceView[] {
    return this.parts.fleet.routes.list(agent).map(serviceView);
  }

  register(caller: Caller, body: RegisterBody): Answer<ServiceView> {
    return this.selfService.register(caller, body);
  }

  unregister(caller: Caller | null, hostname: string): Answer<null> {
    return this.selfService.unregister(caller, hostname);
  }

  self(caller: Caller): Answer<SelfView> {
    return this.selfService.self(caller);
  }

  scaleSelf(caller: Caller, replicas: number): Promise<Answer<null>> {
    return this.selfService.scale(caller, replicas);
  }

  endTask(caller: Caller, taskId: string, options: { readonly replace: boolean }): Promise<Answer<null>> {
    return this.selfService.endTask(caller, taskId, options);
  }

  takeLease(caller: Caller, ttl: Millis, reason: string): Answer<{ readonly expiresAt: string }> {
    return this.selfService.takeLease(caller, ttl, reason);
  }

  dropLease(caller: Caller): Answer<null> {
    return this.selfService.dropLease(caller);
  }

  reload(): Promise<Answer<ReloadView>> {
    const { load, log, fleet, metrics, clock } = this.parts;
    const loaded = load(this.config);
    metrics.counter('config_reloads_total', { result: loaded.ok ? 'ok' : 'rejected' }).add(1);
    if (!loaded.ok) {
      this.rejected = loaded.failure[0] ?? 'unreadable';
      log.error('config rejected, nothing was changed', { complaints: loaded.failure });
      fleet.events.publish('config.rejected', { complaints: loaded.failure.length });
      return Promise.resolve(failed({ problem: 'config-invalid', extra: { complaints: loaded.failure } }));
    }
    const { config, changes } = loaded.value;
    // What needs a restart stays as it is until then; the agents are taken over whole.
    this.config = config;
    this.parts.taken(config);
    this.rejected = null;
    this.loadedAt = clock.wall();
    this.fit();
    this.applyNow();
    log.info('config reloaded', { ...changes });
    fleet.events.publish('config.reloaded', {
      added: changes.added.length,
      removed: changes.removed.length,
      changed: changes.changed.length,
    });
    return Promise.resolve(done(changes));
  }

  agentByToken(token: string): string | null {
    return this.parts.tokens.agentOf(token);
  }

  isAdminToken(token: string): boolean {
    return this.parts.tokens.isAdmin(token);
  }

  subscribe(reader: (event: EventBody) => void): (() => void) | null {
    return this.parts.fleet.events.subscribe(reader);
  }

  lastEventId(): number {
    return this.parts.fleet.events.lastId;
  }

  eventsAfter(id: number, limit: number): readonly EventBody[] {
    return this.parts.fleet.events.after(id, limit);
  }

  /** Longest wait for open work when the daemon ends. */
  get drainTimeout(): Millis {
    return this.config.shutdown.drain_timeout;
  }

  /** Ports that the config gives to an agent, awake or not. */
  fixedPorts(): readonly number[] {
    return this.settings().flatMap(({ backend }) => (backend === null ? [] : [backend.port]));
  }

  /** Names of all agents in force. */
  names(): readonly string[] {
    return this.settings().map(({ name }) => name);
  }

  private settings(): readonly AgentSettings[] {
    const keptAs = (name: string): KeptState | null => this.overrides.of(name)?.state ?? null;
    const house = { maxReadyAgents: this.config.max_ready_agents, keptAs };
    return [
      ...Object.entries(this.config.agents).map(([name, config]) => agentSettings(name, config, false, house)),
      ...[...this.made].map(([name, config]) => agentSettings(name, config, true, house)),
    ];
  }

  private applyNow(): void {
    this.overrides.keepOnly(this.onDemand());
    this.parts.fleet.apply(this.settings(), this.limits());
    this.forgetOthers();
  }

  private limits(): Limits {
    const { limits, max_ready_agents, hold_max_requests, wake_limits } = this.config;
    return { inFlight: limits.in_flight, held: hold_max_requests, awake: max_ready_agents, wakes: wake_limits };
  }

  /**
   * Checks the agents made by API against the config in force, whose defaults go into them: what does not fit gives way to
   * the file, and comes back with a file that it fits.
   */
  private fit(): void {
    this.made = new Map();
    for (const [name, body] of this.bodies) {
      const checked = Object.hasOwn(this.config.agents, name)
        ? failed(['the config file has one of this name'])
        : this.parts.agentFromBody(body, this.config);
      if (checked.ok) this.made.set(name, checked.value.agent);
      else
        this.parts.log.warn('agent made by API does not fit the config and is left out', {
          agent: name,
          complaints: checked.failure,
        });
    }
  }

  /** Whether an agent has this hostname or wildcard already. */
  private isTaken(pattern: string): boolean {
    const normal = (text: string): string => text.toLowerCase().replace(/\.$/, '');
    return this.settings().some(({ patterns }) => patterns.some((other) => normal(other) === normal(pattern)));
  }

  private overriding(name: string, change: () => void): Answer<AgentView> {
    const runner = this.parts.fleet.runner(name);
    if (runner === undefined) return unknownAgent(name);
    if (runner.policy.kind !== 'on-demand') return failed({ problem: 'not-on-demand' });
    const refusal = this.keeping(change);
    if (refusal !== null) return failed(refusal);
    this.adjust(name);
    return this.agent(name);
  }

  /** An order that its override forbids. */
  private keptAs(name: string, state: KeptState): Refusal | null {
    const override = this.overrides.of(name);
    if (override?.state !== state) return null;
    const until = override.until === null ? '' : ` until ${rfc3339(override.until)}`;
    return { problem: 'override-in-place', detail: `${name} is kept ${state}${until}` };
  }

  /** Its override has changed, and nothing else. */
  private adjust(name: string): void {
    const settings = this.settings().find((entry) => entry.name === name);
    if (settings !== undefined) this.parts.fleet.runner(name)?.adjust(settings);
  }

  private onDemand(): ReadonlySet<string> {
    const agents = [...Object.entries(this.config.agents), ...this.made];
    return new Set(agents.flatMap(([name, { policy }]) => (policy === 'on-demand' ? [name] : [])));
  }

  /** What is remembered of agents that are gone goes too. Those that only give way to the file keep it. */
  private forgetOthers(): void {
    const names = [...Object.keys(this.config.agents), ...this.bodies.keys()];
    this.keeping(() => this.parts.store.forgetAllBut(names));
  }

  private keeping(write: () => void): Refusal | null {
    return keeping(write, this.parts.log);
  }
}
