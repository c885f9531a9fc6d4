import { EngineError, type Observation, type Workload } from '../ports/engine.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { assert } from '../std/assert.ts';
import { type Instant, after, elapsed, millisOf } from '../std/time.ts';
import { ApiFailure } from './api-failure.ts';
import type { ApiNode, ApiService, ApiTask } from './api.ts';
import type { DockerApi } from './docker-api.ts';
import type { Found, Listings, Paused } from './listings.ts';
import { Freezer } from './freezer.ts';
import { Memory } from './memory.ts';
import { OrderQueue } from './order-queue.ts';
import { Orders } from './orders.ts';
import type { Reach } from './reach.ts';
import { RemoteService } from './remote-service.ts';
import { Predecessors } from './predecessors.ts';
import { Replacements } from './replacements.ts';
import { type Knowledge, type Listing, type Sighting, beside, nothingBut, sightingOf } from './sighting.ts';

/**
 * One agent as a Swarm service: what was listed of it last, when to look again, and what is told of it. A look at Swarm takes
 * two calls and may be overtaken; one that an order has overtaken is thrown away, so that no observation is ever older than an
 * answered order.
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

export class SwarmService {
  private workload: Knowledge['workload'];
  private readonly ground: ServiceGround;
  private readonly remote: RemoteService;
  private readonly freezer: Freezer;
  private readonly memory = new Memory();
  private readonly replacements = new Replacements();
  private readonly predecessors = new Predecessors();
  private readonly queue: OrderQueue;
  private readonly orders: Orders;
  /** Null: nothing is known yet. `service` null: there is none. */
  private listing: Found | null = null;
  private told = '';
  private looks = 0;
  private applied = 0;
  /** Reasons to ask whether containers are paused, and how many of them a look has followed. */
  private pausesHeard = 0;
  private pausesKnown = 0;
  private refreshing = false;
  private again = false;
  private forced = false;
  private released = false;
  /** Why it could not be looked at last; null when it could. */
  private complaint: string | null = null;
  private changedAt: Instant;
  private alarm: Alarm | null = null;

  constructor(workload: Workload, ground: ServiceGround) {
    this.workload = swarmOf(workload);
    this.ground = ground;
    this.remote = new RemoteService(this.name, ground);
    const { reachable, conflicted, away, clock } = ground;
    const changed = (): void => this.refresh({ force: true });
    this.queue = new OrderQueue({ service: this.name, reachable, conflicted, away, ended: changed });
    const { queue, remote, memory } = this;
    const knowledge = (): Knowledge => this.knowledge();
    this.orders = new Orders({ ...ground, queue, remote, memory, changed, knowledge });
    this.freezer = new Freezer({
      ...ground,
      queue,
      remote,
      memory,
      knowledge,
      tasks: () => this.tasks,
      tried: () => (this.pausesHeard += 1),
    });
    this.changedAt = clock.now();
  }

  get name(): string {
    return this.workload.swarm.service;
  }

  /** False: it is to be another service, and this one knows nothing of that. */
  redeclare(workload: Workload): boolean {
    const next = swarmOf(workload);
    if (next.swarm.service !== this.name) return false;
    this.workload = next;
    this.refresh({ force: true });
    return true;
  }

  close(): void {
    this.released = true;
    this.alarm?.cancel();
  }

  scale(replicas: number): Promise<void> {
    // What is brought from here on is brought for an order, and for no task that ended.
    this.replacements.reset();
    return this.orders.scale(replicas);
  }

  endTask(id: string, replace: boolean): Promise<void> {
    return this.orders.endTask(id, replace);
  }

  freeze(): Promise<void> {
    return this.freezer.freeze();
  }

  thaw(): Promise<void> {
    return this.freezer.thaw();
  }

  async observe(): Promise<Observation> {
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      this.ground.reachable();
      await this.queue.settled;
      if (await this.queue.ask(() => this.look())) return this.sighting().observation;
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

  beginLook(): Look {
    return { number: (this.looks += 1), epoch: this.queue.epoch, ...this.pauses() };
  }

  /**
   * What was found by a look begun with {@link beginLook}. One that was overtaken is thrown away. `seen`: which containers are
   * paused, where each was asked for.
   */
  take(found: Found, look: Look, seen: Paused | null = null): void {
    if (this.isOvertaken(look) || look.number <= this.applied) return;
    this.applied = look.number;
    if (found.service !== null) this.learnPaused(found, look, seen);
    this.predecessors.follow(this.listing, found);
    this.listing = found;
    if (this.released) return;
    if (found.service !== null) this.learn(found);
    this.tell();
  }

  containerStarted(task: string): void {
    this.memory.started.add(task);
    this.overlay(task);
  }

  /** It was paused, or goes on; by whom does not matter. Said out of order with our own calls, so it is only a reason to look. */
  containerPaused(options: { readonly force?: boolean } = {}): void {
    this.pausesHeard += 1;
    this.refresh(options);
  }

  containerDied(task: string, exitCode: string, unhealthy: boolean): void {
    this.memory.frozen.delete(task);
    this.memory.died.set(task, unhealthy ? `${exitCode}, after Docker's health check of it had failed` : exitCode);
    this.overlay(task);
    this.refresh();
  }

  private async refreshAll(): Promise<void> {
    while (this.again && !this.released) {
      this.again = false;
      // An order under way ends with a refresh of its own.
      if (this.queue.isUnderWay) break;
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
    await this.predecessors.look(this.ground.listings);
    const seen = look.unsure && found.service !== null ? await this.freezer.pausedAmong(found.tasks) : null;
    this.complaint = null;
    this.take(found, look, seen);
    return !this.isOvertaken(look);
  }

  private pauses(): Pick<Look, 'pauses' | 'unsure'> {
    return { pauses: this.pausesHeard, unsure: this.pausesHeard > this.pausesKnown };
  }

  private learnPaused({ tasks, paused }: Exclude<Found, { service: null }>, look: Look, seen: Paused | null): void {
    if (seen !== null) {
      this.pausesKnown = look.pauses;
      this.memory.freeze(tasks, seen);
    } else if (!look.unsure && paused !== undefined) this.memory.freeze(tasks, paused);
    else if (look.unsure) this.refresh();
  }

  private isOvertaken(look: Look): boolean {
    return look.epoch !== this.queue.epoch || this.queue.isUnderWay;
  }

  private learn(listing: Listing): void {
    const { service, tasks } = listing;
    const { looked, nodes, unknownNode, restarted } = this.ground;
    const { agent } = this.workload;
    looked(agent, service.Spec);
    this.memory.keepOnly(tasks);
    for (const { NodeID: node = '' } of tasks) if (node !== '' && !nodes().has(node)) unknownNode(node);
    for (let owed = this.replacements.count(tasks, this.knowledge()); owed > 0; owed -= 1) restarted(agent);
    this.orders.follow(listing);
  }

  /** An event tells of one task more than the last listing did. */
  private overlay(task: string): void {
    const { listing } = this;
    const isKnown = listing !== null && 'tasks' in listing && listing.tasks.some(({ ID }) => ID === task);
    if (isKnown && !this.queue.isUnderWay) this.tell();
    else this.refresh();
  }

  private tell(): void {
    if (this.listing === null || this.released) return;
    const sighting = this.sighting();
    const text = JSON.stringify(sighting.observation);
    if (text !== this.told) this.changedAt = this.ground.clock.now();
    if (text !== this.told || this.forced) {
      this.told = text;
      this.forced = false;
      this.ground.observed(this.workload.agent, sighting.observation);
    }
    this.pollWhile(sighting);
  }

  private pollWhile({ unsettled, elsewhere }: Sighting): void {
    const calm = elapsed(this.changedAt, this.ground.clock.now());
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
    const knowledge = this.knowledge();
    const seen = listing.service === null ? nothingBut(this.remote.missing) : sightingOf(listing, knowledge);
    return beside(this.predecessors.left, seen, knowledge);
  }

  /** Of the last listing; null: nothing is known yet. */
  private get tasks(): readonly ApiTask[] | null {
    if (this.listing === null) return null;
    return this.listing.service === null ? [] : this.listing.tasks;
  }

  private knowledge(): Knowledge {
    const { workload, ground, memory } = this;
    const { started, died } = memory;
    const [victims, frozen] = [new Set(memory.victims.keys()), new Set(memory.frozen.keys())];
    const { reach, nodes, ownNode } = ground;
    return { workload, started, died, frozen, victims, reach: reach(), nodes: nodes(), ownNode: ownNode() };
  }
}

/** One look at Swarm, by when it was begun. */
export interface Look {
  readonly number: number;
  readonly epoch: number;
  /** How many reasons there were by then to ask which containers are paused. */
  readonly pauses: number;
  /** Some of them have not been followed. */
  readonly unsure: boolean;
}

function swarmOf(workload: Workload): Knowledge['workload'] {
  const { swarm } = workload;
  assert(swarm !== null, 'an agent of the Swarm engine has a service');
  return { ...workload, swarm };
}
