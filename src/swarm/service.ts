import { EngineError, type Observation, type Workload } from '../ports/engine.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { assert } from '../std/assert.ts';
import { type Instant, after, elapsed, millisOf } from '../std/time.ts';
import { ApiFailure } from './api-failure.ts';
import type { ApiNode, ApiService, ApiTask } from './api.ts';
import type { DockerApi } from './docker-api.ts';
import type { Found, Listings } from './listings.ts';
import type { Reach } from './reach.ts';
import { obstacleOf } from './reach.ts';
import { Replacements } from './replacements.ts';
import {
  type Knowledge,
  type Listing,
  type Sighting,
  isBeingCleared,
  isEntered,
  isOver,
  hasEnded,
  isToldToEnd,
  liveIn,
  sightingOf,
  slotsLeftEmpty,
} from './sighting.ts';
import { OrderQueue } from './order-queue.ts';
import { RemoteService, containerOf } from './remote-service.ts';
import { replicasOf } from './spec.ts';

/**
 * One agent as a Swarm service: what was listed of it last, what is known beyond that, and the orders to it, one after the
 * other. A look at Swarm takes two calls and may be overtaken; one that an order has overtaken is thrown away, so that no
 * observation is ever older than an answered order.
 */
export interface ServiceGround {
  readonly api: DockerApi;
  readonly listings: Listings;
  readonly clock: Clock;
  readonly log: Log;
  readonly reach: () => Reach;
  readonly nodes: () => ReadonlyMap<string, ApiNode>;
  /** The node whose engine we speak to; null until it is known. */
  readonly ownNode: () => string | null;
  /** Rejects where the engine cannot be asked now. */
  readonly reachable: () => void;
  /** What its service is now. */
  readonly looked: (agent: string, spec: ApiService['Spec']) => void;
  readonly observed: (agent: string, observation: Observation) => void;
  readonly restarted: (agent: string) => void;
  readonly conflicted: () => void;
  readonly unknownNode: (id: string) => void;
  /** A call found the engine gone. */
  readonly away: (failure: ApiFailure) => void;
}

/** While something is under way, since events of other nodes never reach us. */
const POLL_MS = 100;
/** Right after an order or a change, when Swarm is about to take the next step. */
const QUICK_POLL_MS = 25;
const QUICK_FOR_MS = 300;
/** While nothing has changed for `PATIENCE_MS`, or where tasks run on other nodes. */
const SLOW_POLL_MS = 1000;
const PATIENCE_MS = 10_000;
/** Whoever is overtaken by orders that often is told to come back. */
const LOOKS_MAX = 5;

type SwarmWorkload = Knowledge['workload'];

export class SwarmService {
  released = false;
  private workload: SwarmWorkload;
  private remote: RemoteService;
  private readonly ground: ServiceGround;
  private readonly started = new Set<string>();
  private readonly died = new Map<string, string>();
  /** Tasks that we end one by one, and what is to follow their end; remembered until Swarm has forgotten them. */
  private readonly victims = new Map<string, 'fewer' | 'replace' | 'nothing'>();
  private readonly replacements = new Replacements();
  /** Null: nothing is known yet. `service` null: there is none. */
  private listing: Found | null = null;
  private told = '';
  private readonly orders: OrderQueue;
  private looks = 0;
  private applied = 0;
  private refreshing = false;
  private again = false;
  private forced = false;
  /** We put it to sleep, so nobody is being served and its tasks can be ended without Swarm's delay. */
  private sleepOrdered = false;
  /** Why it could not be looked at last; null when it could. */
  private complaint: string | null = null;
  private changedAt: Instant;
  private alarm: Alarm | null = null;

  constructor(workload: Workload, ground: ServiceGround) {
    this.workload = swarmOf(workload);
    this.remote = new RemoteService(this.name, ground);
    this.ground = ground;
    const { reachable, conflicted, away } = ground;
    const ended = (): void => this.refresh({ force: true });
    this.orders = new OrderQueue({ service: () => this.name, reachable, conflicted, away, ended });
    this.changedAt = ground.clock.now();
  }

  get name(): string {
    return this.workload.swarm.service;
  }

  redeclare(workload: Workload): void {
    const next = swarmOf(workload);
    const renamed = next.swarm.service !== this.name;
    this.workload = next;
    if (renamed) this.forget();
    this.refresh({ force: true });
  }

  close(): void {
    this.released = true;
    this.alarm?.cancel();
  }

  async observe(): Promise<Observation> {
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      this.ground.reachable();
      await this.orders.settled;
      if (await this.orders.ask(() => this.look())) return this.sighting().observation;
    }
    throw new EngineError('unavailable', `orders to ${this.workload.agent} follow each other too fast to look at it`);
  }

  /** Has a fresh look soon. `force`: tells what it sees even when nothing has changed. */
  refresh(options: { readonly force?: boolean } = {}): void {
    this.forced ||= options.force === true;
    this.again = true;
    if (this.refreshing || this.released) return;
    this.refreshing = true;
    void this.refreshAll();
  }

  /** Tells what is known even when nothing has changed. */
  tellAgain(): void {
    if (this.listing === null) this.refresh({ force: true });
    this.forced = true;
    this.tell();
  }

  /** A listing of all services at once, begun with {@link beginLook}. */
  take(listing: Found, look: Look): void {
    if (!this.isOvertaken(look) && look.number > this.applied) this.apply(listing, look);
  }

  beginLook(): Look {
    return { number: (this.looks += 1), epoch: this.orders.epoch };
  }

  containerStarted(task: string): void {
    this.started.add(task);
    this.overlay(task);
  }

  containerDied(task: string, exitCode: string): void {
    this.died.set(task, exitCode);
    this.overlay(task);
    this.refresh();
  }

  scale(replicas: number): Promise<void> {
    return this.orders.add(async () => {
      const service = await this.remote.find();
      if (service === null && replicas === 0) return;
      const { wanted, ...listing } = await this.scalable(service, replicas);
      // A later order stands for all before it; what was told to end still does, and is filled up again where it is wanted.
      for (const id of this.victims.keys()) this.victims.set(id, replicas > 0 ? 'replace' : 'nothing');
      this.replacements.reset();
      if (replicas > 0) this.sleepOrdered = false;
      const live = liveIn(listing.tasks, this.knowledge());
      const surplus = live.slice(replicas);
      if (replicas > 0 && surplus.length > 0 && surplus.every((task) => this.isHere(task))) {
        // Swarm would choose by itself which tasks go. Ended from here, the ones in the highest slots do.
        for (const task of surplus) this.end(task, 'fewer', listing.service);
        return;
      }
      if (wanted === replicas && live.length >= replicas) return;
      await this.resize(listing, live.length, replicas);
      this.sleepOrdered = replicas === 0;
    });
  }

  endTask(id: string, replace: boolean): Promise<void> {
    return this.orders.add(async () => {
      const { agent } = this.workload;
      const service = await this.remote.find();
      const tasks = service === null ? [] : await this.remote.tasks(service);
      const task = tasks.find((each) => each.ID === id);
      const follows = this.victims.get(id);
      if (follows === 'fewer' || follows === 'replace') return;
      if (service === null || task === undefined || isOver(task, this.knowledge()))
        throw new EngineError('unknown-task', `${agent} has no task ${id}`);
      const live = liveIn(tasks, this.knowledge());
      if (!live.includes(task)) return;
      if (live.length === 1 && !replace) throw new EngineError('last-task', `${id} is the last task of ${agent}`);
      if (!this.isHere(task)) throw new EngineError('task-elsewhere', `task ${id} has no container on this node`);
      this.end(task, replace ? 'replace' : 'fewer', service);
    });
  }

  private async resize({ service, tasks }: Listing, live: number, replicas: number): Promise<void> {
    const empty = replicas > live && slotsLeftEmpty({ service, tasks }, this.knowledge()) > 0;
    // Swarm takes them for filled until it was told of fewer.
    if (empty) await this.remote.write(service, live);
    if (empty || (replicas > live && tasks.some(isBeingCleared))) await this.remote.fill(replicas);
    else await this.remote.write(service, replicas);
  }

  private async scalable(service: ApiService | null, replicas: number): Promise<Listing & { readonly wanted: number }> {
    if (service === null) throw new ApiFailure('missing', this.remote.missing);
    const obstacle = replicas > 0 ? obstacleOf(service, this.workload, this.ground.reach()) : null;
    if (obstacle !== null) throw new ApiFailure('refused', obstacle);
    const wanted = replicasOf(service.Spec ?? {});
    if (wanted === null) throw new ApiFailure('refused', `service ${this.name} is not replicated`);
    return { service, tasks: await this.remote.tasks(service), wanted };
  }

  private isHere(task: ApiTask): boolean {
    return task.NodeID === this.ground.ownNode() && containerOf(task) !== '';
  }

  private end(task: ApiTask, then: 'fewer' | 'replace', service: ApiService): void {
    this.victims.set(task.ID, then);
    void this.remote.stop(task, service).then((ended) => {
      if (!ended) this.spare(task);
    });
  }

  /** It could not be stopped: it goes on as before, and can be told to end again. */
  private spare(task: ApiTask): void {
    if (!this.died.has(task.ID) && this.victims.delete(task.ID)) this.refresh({ force: true });
  }

  private async refreshAll(): Promise<void> {
    while (this.again && !this.released) {
      this.again = false;
      // An order under way ends with a refresh of its own.
      if (this.orders.isUnderWay) break;
      try {
        if (!(await this.look())) this.again = true;
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error;
        if (error.kind === 'away') this.ground.away(error);
        else this.retryLater(error);
      }
    }
    this.refreshing = false;
  }

  private retryLater({ message: detail }: ApiFailure): void {
    if (detail !== this.complaint) this.ground.log.warn('service could not be looked at', { agent: this.workload.agent, detail });
    this.complaint = detail;
    this.poll(SLOW_POLL_MS);
  }

  /** False: an order has overtaken it. */
  private async look(): Promise<boolean> {
    const look = this.beginLook();
    const found = await this.ground.listings.of(this.name);
    this.complaint = null;
    this.take(found, look);
    return !this.isOvertaken(look);
  }

  private isOvertaken(look: Look): boolean {
    return look.epoch !== this.orders.epoch || this.orders.isUnderWay;
  }

  private apply(listing: Found, look: Look): void {
    this.applied = look.number;
    this.listing = listing;
    if (this.released) return;
    if (listing.service !== null) this.learn(listing);
    this.tell();
  }

  private learn(listing: Listing): void {
    const { service, tasks } = listing;
    this.ground.looked(this.workload.agent, service.Spec);
    const ids = new Set(tasks.map(({ ID }) => ID));
    for (const memory of [this.started, this.died, this.victims])
      for (const id of memory.keys()) if (!ids.has(id)) memory.delete(id);
    for (const { NodeID: node = '' } of tasks) if (node !== '' && !this.ground.nodes().has(node)) this.ground.unknownNode(node);
    const knowledge = this.knowledge();
    for (let owed = this.replacements.count(tasks, knowledge); owed > 0; owed -= 1) this.ground.restarted(this.workload.agent);
    // Never before Swarm has entered that they are to go: it would see a task that ended by itself, and bring another.
    if (this.sleepOrdered)
      for (const task of tasks)
        if (isToldToEnd(task) && !hasEnded(task, knowledge) && this.isHere(task)) void this.remote.stop(task, service);
    const live = liveIn(tasks, this.knowledge());
    const isFollowed = (task: ApiTask): boolean => live.some((other) => other.Slot === task.Slot);
    const over = tasks.filter((task) => {
      if (!isEntered(task)) return false;
      const follows = this.victims.get(task.ID);
      return follows === 'fewer' || (follows === 'replace' && isToldToEnd(task) && !isFollowed(task));
    });
    if (over.length > 0) void this.bury(over, service);
  }

  /**
   * Victims are over: now one fewer is wanted, before Swarm has brought another. It takes those first that do not run, so
   * exactly they go. Where another is wanted that Swarm does not bring, the old number written again makes it fill up.
   */
  private async bury(over: readonly ApiTask[], service: ApiService): Promise<void> {
    const fewer = over.filter(({ ID }) => this.victims.get(ID) === 'fewer').length;
    for (const { ID } of over) this.victims.set(ID, 'nothing');
    const wanted = replicasOf(service.Spec ?? {}) ?? 0;
    const order = this.orders.add(async () => {
      const now = await this.remote.find();
      // Somebody has scaled it meanwhile: theirs is the later word.
      if (now === null || replicasOf(now.Spec ?? {}) !== wanted) return;
      await this.remote.write(now, wanted - over.length);
      if (fewer < over.length) await this.remote.fill(wanted - fewer);
    });
    await order.catch((error: unknown) => {
      assert(error instanceof EngineError, 'an order fails with an EngineError');
      this.ground.log.warn('task was ended, but the number of replicas stays', {
        agent: this.workload.agent,
        detail: error.message,
      });
    });
  }

  /** An event tells of one task more than the last listing did. */
  private overlay(task: string): void {
    const { listing } = this;
    const isKnown = listing !== null && 'tasks' in listing && listing.tasks.some(({ ID }) => ID === task);
    if (isKnown && !this.orders.isUnderWay) this.tell();
    else this.refresh();
  }

  private tell(): void {
    if (this.listing === null || this.released) return;
    const { observation, unsettled } = this.sighting();
    const text = JSON.stringify(observation);
    if (text !== this.told) this.changedAt = this.ground.clock.now();
    if (text !== this.told || this.forced) {
      this.told = text;
      this.forced = false;
      this.ground.observed(this.workload.agent, observation);
    }
    this.pollWhile(unsettled, observation);
  }

  private pollWhile(unsettled: boolean, { tasks }: Observation): void {
    const { clock, ownNode, nodes } = this.ground;
    const elsewhere = tasks.some(({ node }) => node !== (nodes().get(ownNode() ?? '')?.Description?.Hostname ?? ownNode()));
    const calm = elapsed(this.changedAt, clock.now());
    if (unsettled) this.poll(calm < QUICK_FOR_MS ? QUICK_POLL_MS : calm < PATIENCE_MS ? POLL_MS : SLOW_POLL_MS);
    else if (elsewhere) this.poll(SLOW_POLL_MS);
    else this.alarm?.cancel();
  }

  private poll(ms: number): void {
    const { clock } = this.ground;
    this.alarm?.cancel();
    this.alarm = clock.alarm(after(clock.now(), millisOf(ms)), () => this.refresh());
  }

  private sighting(): Sighting {
    const { listing } = this;
    assert(listing !== null, 'a service is looked at before it is described');
    if (listing.service !== null) return sightingOf(listing, this.knowledge());
    const nothing = { wanted: 0, tasks: [], converging: false, lastExit: null };
    return { observation: { ...nothing, obstacle: this.remote.missing }, unsettled: false };
  }

  private knowledge(): Knowledge {
    const { workload, started, died, ground } = this;
    return { workload, started, died, victims: new Set(this.victims.keys()), reach: ground.reach(), nodes: ground.nodes() };
  }

  private forget(): void {
    for (const memory of [this.started, this.died, this.victims]) memory.clear();
    this.remote = new RemoteService(this.name, this.ground);
    this.replacements.reset();
    this.listing = null;
    this.orders.epoch += 1;
  }
}

/** One look at Swarm, by when it was begun. */
export interface Look {
  readonly number: number;
  readonly epoch: number;
}

function swarmOf(workload: Workload): SwarmWorkload {
  const { swarm } = workload;
  assert(swarm !== null, 'an agent of the Swarm engine has a service');
  return { ...workload, swarm };
}
