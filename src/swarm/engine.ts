import type { Alarm, Clock } from '../ports/clock.ts';
import { type Engine, EngineError, type EngineWatcher, type Observation, type Workload } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import { assert } from '../std/assert.ts';
import { after, millisOf } from '../std/time.ts';
import { ApiFailure } from './api-failure.ts';
import type { ApiEvent, ApiNode } from './api.ts';
import { DockerApi } from './docker-api.ts';
import { Link } from './link.ts';
import { Listings } from './listings.ts';
import { type Reach, findReach } from './reach.ts';
import { type ServiceGround, SwarmService } from './service.ts';
import { Warnings } from './warnings.ts';

/**
 * Runs agents as services of a Docker Swarm. The services are the operator's: they are deployed, changed and removed by others,
 * and the daemon only counts their replicas up and down. Nothing ends with the daemon, and the next one finds everything as it
 * is (promise E).
 */
export interface SwarmEngineOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Null: DOCKER_HOST and its kin, else the usual socket. */
  readonly socket: string | null;
  /** The overlay that tasks are reached on; null: the one that the daemon's own container is on. */
  readonly network: string | null;
  /** The name of this machine, which inside of a container is its id. */
  readonly ownName: string;
}

/** Everything is listed this often, should an event ever have been lost. */
const RESYNC_MS = 30_000;
const TASK_LABEL = 'com.docker.swarm.task.id';
const SERVICE_LABEL = 'com.docker.swarm.service.name';

export class SwarmEngine implements Engine {
  readonly name = 'swarm';
  private readonly options: SwarmEngineOptions;
  private readonly services = new Map<string, SwarmService>();
  private readonly warnings: Warnings;
  private docker: { readonly api: DockerApi; readonly listings: Listings } | null = null;
  private link: Link | null = null;
  private watcher: EngineWatcher | null = null;
  private reach: Reach = { problem: 'the network of the tasks is not known yet' };
  private nodes: ReadonlyMap<string, ApiNode> = new Map();
  private ownNode: string | null = null;
  private askingNodes = false;
  /** Not listed when they were looked for: old tasks name nodes that have left the Swarm. */
  private readonly unknownNodes = new Set<string>();
  /** Tasks that Docker's own health check has failed, until they end or are well again. */
  private readonly unhealthy = new Set<string>();
  private resync: Alarm | null = null;
  private wasDown = false;
  private phase: 'new' | 'open' | 'closed' = 'new';

  constructor(options: SwarmEngineOptions) {
    this.options = options;
    this.warnings = new Warnings(options.log);
  }

  async open(watcher: EngineWatcher): Promise<void> {
    assert(this.phase === 'new', 'an engine is opened once');
    const { clock, socket } = this.options;
    const api = this.connectTo(socket);
    this.docker = { api, listings: new Listings(api) };
    this.phase = 'open';
    this.watcher = watcher;
    this.link = new Link({
      api,
      clock,
      connected: (node) => this.listAll(node),
      up: () => this.up(watcher),
      down: (detail) => this.down(watcher, detail),
      still: (detail) => this.options.log.error('engine is still lost, but for another reason', { detail }),
      event: (event) => this.heard(event),
    });
    await this.link.connect();
  }

  declare(workload: Workload): void {
    this.opened();
    if (this.phase === 'closed') return;
    const known = this.services.get(workload.agent);
    if (known?.redeclare(workload) === true) return;
    known?.close();
    const service = new SwarmService(workload, this.ground());
    this.services.set(workload.agent, service);
    if (this.link?.isUp !== true) return;
    // A listing of one service does not say what is paused.
    service.containerPaused({ force: true });
  }

  async release(name: string): Promise<void> {
    this.declared(name).close();
    this.services.delete(name);
  }

  async observe(name: string): Promise<Observation> {
    return this.declared(name).observe();
  }

  async scale(name: string, replicas: number): Promise<void> {
    assert(Number.isInteger(replicas) && replicas >= 0, 'replicas are a whole number');
    return this.declared(name).scale(replicas);
  }

  async endTask(name: string, taskId: string, options: { readonly replace: boolean }): Promise<void> {
    return this.declared(name).endTask(taskId, options.replace);
  }

  async freeze(name: string): Promise<void> {
    return this.declared(name).freeze();
  }

  async thaw(name: string): Promise<void> {
    return this.declared(name).thaw();
  }

  async close(): Promise<void> {
    this.phase = 'closed';
    this.disarmResync();
    this.link?.close();
    for (const service of this.services.values()) service.close();
  }

  private connectTo(socket: string | null): DockerApi {
    try {
      return new DockerApi({ socket, clock: this.options.clock });
    } catch (error) {
      throw new EngineError('refused', `DOCKER_HOST and its kin make no sense: ${(error as Error).message}`);
    }
  }

  private ground(): ServiceGround {
    const { clock, log, metrics } = this.options;
    const { watcher } = this;
    const { api, listings } = this.opened();
    assert(watcher !== null, 'an open engine has somebody to tell');
    return {
      api,
      listings,
      clock,
      log,
      reach: () => this.reach,
      nodes: () => this.nodes,
      ownNode: () => this.ownNode,
      reachable: () => this.mustBeReachable(),
      looked: (agent, spec) => this.warnings.look(agent, spec ?? {}),
      observed: (agent, observation) => {
        if (this.link?.isUp === true) watcher.observed(agent, observation);
      },
      restarted: (agent) => watcher.restarted(agent),
      conflicted: () => metrics.counter('engine_update_conflicts_total', {}).add(1),
      unknownNode: (id) => this.missNode(id),
      away: (failure) => this.link?.drop(failure.message),
    };
  }

  /** What is true of everything, in a few calls. */
  private async listAll(node: string): Promise<void> {
    const { api, listings } = this.opened();
    const { network, ownName } = this.options;
    this.ownNode = node;
    const looks = [...this.services.values()].map((service) => ({ service, look: service.beginLook() }));
    const [reach, nodes, found] = await Promise.all([
      findReach(api, network, ownName),
      api.call<readonly ApiNode[]>('nodes'),
      listings.all(),
    ]);
    if ('problem' in reach && !('problem' in this.reach && this.reach.problem === reach.problem))
      this.options.log.warn('tasks cannot be reached', { detail: reach.problem });
    this.reach = reach;
    this.unknownNodes.clear();
    this.nodes = new Map(nodes.map((each) => [each.ID, each]));
    for (const { service, look } of looks) service.take(found(service.name), look);
  }

  private up(watcher: EngineWatcher): void {
    if (this.wasDown) watcher.restored();
    this.wasDown = false;
    // Told again even where nothing has changed: who listens may have made up something of its own meanwhile.
    for (const service of this.services.values()) service.tellAgain();
    this.armResync();
  }

  private down(watcher: EngineWatcher, detail: string): void {
    this.wasDown = true;
    this.disarmResync();
    // Ends and recoveries are missed from here on, and what is never taken out would stay.
    this.unhealthy.clear();
    // Later, also when the very first attempt fails: nobody is told from within a call.
    queueMicrotask(() => {
      if (this.phase === 'open') watcher.lost(detail);
    });
  }

  private armResync(): void {
    const { clock } = this.options;
    this.disarmResync();
    this.resync = clock.alarm(after(clock.now(), millisOf(RESYNC_MS)), () => void this.resynchronize());
  }

  private disarmResync(): void {
    this.resync?.cancel();
    this.resync = null;
  }

  private async resynchronize(): Promise<void> {
    const { resync } = this;
    let failure: string | null = null;
    try {
      await this.listAll(this.ownNode ?? '');
    } catch (error) {
      assert(error instanceof ApiFailure, 'a listing fails with an ApiFailure');
      failure = error.message;
    }
    // Lost or closed meanwhile: whatever came of it is of the past.
    if (this.resync !== resync) return;
    if (failure !== null) return this.link?.drop(failure);
    this.armResync();
  }

  private heard({ Type: type, Action: action, Actor: actor }: ApiEvent): void {
    const attributes = actor?.Attributes ?? {};
    if (type === 'node') void this.askNodes();
    if (type === 'service') for (const service of this.named(attributes['name'], actor?.ID)) service.refresh();
    const task = attributes[TASK_LABEL];
    if (type !== 'container' || task === undefined) return;
    for (const service of this.named(attributes[SERVICE_LABEL])) {
      if (action === 'start') service.containerStarted(task);
      if (action === 'pause' || action === 'unpause') service.containerPaused();
      if (action === 'die') service.containerDied(task, attributes['exitCode'] ?? '0', this.unhealthy.has(task));
    }
    // Swarm ends it now, and enters nothing but the code of a program that was told to end.
    if (action === 'health_status: unhealthy') this.unhealthy.add(task);
    if (action === 'die' || action === 'health_status: healthy') this.unhealthy.delete(task);
  }

  private named(name: string | undefined, id?: string): readonly SwarmService[] {
    return [...this.services.values()].filter((service) => service.name === name || service.name === id);
  }

  private missNode(id: string): void {
    if (this.unknownNodes.has(id)) return;
    this.unknownNodes.add(id);
    void this.askNodes();
  }

  private async askNodes(): Promise<void> {
    if (this.askingNodes || this.link?.isUp !== true) return;
    this.askingNodes = true;
    try {
      const nodes = await this.opened().api.call<readonly ApiNode[]>('nodes');
      this.nodes = new Map(nodes.map((each) => [each.ID, each]));
      for (const service of this.services.values()) service.refresh();
    } catch (error) {
      assert(error instanceof ApiFailure, 'a call fails with an ApiFailure');
      this.options.log.warn('nodes could not be listed', { detail: error.message });
    } finally {
      this.askingNodes = false;
    }
  }

  private mustBeReachable(): void {
    if (this.phase === 'closed') throw new EngineError('unavailable', 'the engine is closed');
    if (this.link?.isUp !== true) throw new EngineError('unavailable', this.link?.detail ?? 'not connected yet');
  }

  private opened(): { readonly api: DockerApi; readonly listings: Listings } {
    assert(this.docker !== null, 'an engine is opened before it is used');
    return this.docker;
  }

  private declared(name: string): SwarmService {
    this.opened();
    if (this.phase === 'closed') throw new EngineError('unavailable', 'the engine is closed');
    const service = this.services.get(name);
    assert(service !== undefined, `agent ${name} is declared before it is used`);
    return service;
  }
}
