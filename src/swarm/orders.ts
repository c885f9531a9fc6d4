import { EngineError } from '../ports/engine.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { assert } from '../std/assert.ts';
import { elapsed } from '../std/time.ts';
import { ApiFailure } from './api-failure.ts';
import type { ApiService, ApiTask } from './api.ts';
import type { Memory } from './memory.ts';
import type { OrderQueue } from './order-queue.ts';
import { obstacleOf } from './reach.ts';
import { type RemoteService, containerOf } from './remote-service.ts';
import {
  type Knowledge,
  type Listing,
  hasEnded,
  isEntered,
  isOver,
  isToldToEnd,
  keepsSlot,
  liveIn,
  slotsLeftEmpty,
} from './sighting.ts';
import { replicasOf } from './spec.ts';

/**
 * What is ordered of a service, and what an order still needs once Swarm has taken its next step: a container that can be
 * stopped now, a number that can be lowered now. Orders are carried out one after the other.
 */
export interface OrdersGround {
  readonly clock: Clock;
  readonly log: Log;
  /** The node whose engine we speak to; null until it is known. */
  readonly ownNode: () => string | null;
  readonly queue: OrderQueue;
  readonly remote: RemoteService;
  readonly memory: Memory;
  readonly knowledge: () => Knowledge;
  /** What is known has changed, and nobody else will say so. */
  readonly changed: () => void;
}

/** Swarm lists a new task 10 ms after it was ordered. */
const LOST_AFTER_MS = 1000;

export class Orders {
  private readonly ground: OrdersGround;

  constructor(ground: OrdersGround) {
    this.ground = ground;
  }

  scale(replicas: number): Promise<void> {
    const { queue, remote, memory, knowledge, clock } = this.ground;
    return queue.add(async () => {
      const service = await remote.find();
      if (service === null && replicas === 0) return;
      const { wanted, ...listing } = await this.scalable(service, replicas);
      // A later order stands for all before it; what was told to end still does, and is filled up again where it is wanted.
      for (const id of memory.victims.keys()) memory.victims.set(id, replicas > 0 ? 'replace' : 'nothing');
      memory.unanswered = null;
      if (replicas > 0) memory.sleepOrdered = false;
      const live = liveIn(listing.tasks, knowledge());
      const surplus = live.slice(replicas);
      if (replicas > 0 && surplus.length > 0 && surplus.every((task) => this.isHere(task))) {
        // Swarm would choose by itself which tasks go. Ended from here, the ones in the highest slots do.
        for (const task of surplus) this.end(task, 'fewer', listing.service);
        return;
      }
      if (wanted === replicas && live.length >= replicas) return;
      await this.resize(listing, live.length, replicas);
      memory.sleepOrdered = replicas === 0;
      if (replicas > live.length) memory.unanswered = { replicas, since: clock.now() };
    });
  }

  endTask(id: string, replace: boolean): Promise<void> {
    const { queue, remote, memory, knowledge } = this.ground;
    return queue.add(async () => {
      const { agent } = knowledge().workload;
      const service = await remote.find();
      const tasks = service === null ? [] : await remote.tasks(service);
      const task = tasks.find((each) => each.ID === id);
      const follows = memory.victims.get(id);
      if (follows === 'fewer' || follows === 'replace') return;
      // One that has ended may be listed for a while yet, until Swarm has cleared it away.
      if (service === null || task === undefined || isEntered(task) || isOver(task, knowledge()))
        throw new EngineError('unknown-task', `${agent} has no task ${id}`);
      const live = liveIn(tasks, knowledge());
      if (!live.includes(task)) return;
      if (live.length === 1 && !replace) throw new EngineError('last-task', `${id} is the last task of ${agent}`);
      if (!this.isHere(task)) throw new EngineError('task-elsewhere', `task ${id} has no container on this node`);
      this.end(task, replace ? 'replace' : 'fewer', service);
    });
  }

  /** Swarm has listed something newer: does what can be done only now. */
  follow(listing: Listing): void {
    const { memory, remote, knowledge } = this.ground;
    const { service, tasks } = listing;
    const known = knowledge();
    // Never before Swarm has entered that they are to go: it would see a task that ended by itself, and bring another.
    if (memory.sleepOrdered)
      for (const task of tasks)
        if (isToldToEnd(task) && !hasEnded(task, known) && this.isHere(task)) void remote.stop(task, service);
    const live = liveIn(tasks, known);
    const isFollowed = (task: ApiTask): boolean => live.some((other) => other.Slot === task.Slot);
    const over = tasks.filter((task) => {
      if (!isEntered(task)) return false;
      const follows = memory.victims.get(task.ID);
      return follows === 'fewer' || (follows === 'replace' && isToldToEnd(task) && !isFollowed(task));
    });
    if (over.length > 0) this.bury(over, service);
    this.answered(listing, live.length);
  }

  /**
   * Victims are over: now one fewer is wanted, before Swarm has brought another. It takes those first that do not run, so
   * exactly they go. Where another is wanted that Swarm does not bring, the old number written again makes it fill up.
   */
  private bury(over: readonly ApiTask[], service: ApiService): void {
    const { memory } = this.ground;
    const fewer = over.filter(({ ID }) => memory.victims.get(ID) === 'fewer').length;
    for (const { ID } of over) memory.victims.set(ID, 'nothing');
    this.adjust(service, over.length, fewer, 'task was ended, but the number of replicas stays');
  }

  /**
   * Under the restart policy `none` Swarm takes a task that ended long ago for one that fills its slot, where the service is
   * what it was then (seen after a change was taken back). The order leads to nothing, and is given again by way of fewer.
   */
  private answered({ service, tasks }: Listing, live: number): void {
    const { memory, clock, log, knowledge } = this.ground;
    const { unanswered } = memory;
    if (unanswered === null) return;
    const { replicas, since } = unanswered;
    const isAnswered = live >= replicas || slotsLeftEmpty({ service, tasks }, knowledge()) > 0;
    if (!isAnswered && elapsed(since, clock.now()) < LOST_AFTER_MS) return;
    memory.unanswered = null;
    if (isAnswered) return;
    log.warn('Swarm brought no task for an order; it is given again', { agent: knowledge().workload.agent, replicas });
    this.adjust(service, replicas - live, 0, 'order could not be given again');
  }

  /** Wants `down` fewer for a moment, and `fewer` fewer from then on. */
  private adjust(service: ApiService, down: number, fewer: number, failure: string): void {
    const { queue, remote, log, knowledge } = this.ground;
    const wanted = replicasOf(service.Spec ?? {}) ?? 0;
    const order = queue.add(async () => {
      const now = await remote.find();
      // Somebody has scaled it meanwhile: theirs is the later word.
      if (now === null || replicasOf(now.Spec ?? {}) !== wanted) return;
      await remote.write(now, wanted - down);
      if (fewer < down) await remote.fill(wanted - fewer);
    });
    order.catch((error: unknown) => {
      assert(error instanceof EngineError, 'an order fails with an EngineError');
      log.warn(failure, { agent: knowledge().workload.agent, detail: error.message });
    });
  }

  private async resize({ service, tasks }: Listing, live: number, replicas: number): Promise<void> {
    const { remote, knowledge } = this.ground;
    const empty = replicas > live && slotsLeftEmpty({ service, tasks }, knowledge()) > 0;
    // Swarm takes them for filled until it was told of fewer.
    if (empty) await remote.write(service, live);
    if (empty || (replicas > live && tasks.some((task) => keepsSlot(task, service)))) await remote.fill(replicas);
    else await remote.write(service, replicas);
  }

  private async scalable(service: ApiService | null, replicas: number): Promise<Listing & { readonly wanted: number }> {
    const { remote, knowledge } = this.ground;
    const { workload, reach } = knowledge();
    if (service === null) throw new ApiFailure('missing', remote.missing);
    const obstacle = replicas > 0 ? obstacleOf(service, workload, reach) : null;
    if (obstacle !== null) throw new ApiFailure('refused', obstacle);
    const wanted = replicasOf(service.Spec ?? {});
    if (wanted === null) throw new ApiFailure('refused', `service ${remote.name} is not replicated`);
    return { service, tasks: await remote.tasks(service), wanted };
  }

  private isHere(task: ApiTask): boolean {
    return task.NodeID === this.ground.ownNode() && containerOf(task) !== '';
  }

  private end(task: ApiTask, then: 'fewer' | 'replace', service: ApiService): void {
    const { memory, remote } = this.ground;
    memory.victims.set(task.ID, then);
    void remote.stop(task, service).then((ended) => {
      if (!ended) this.spare(task);
    });
  }

  /** It could not be stopped: it goes on as before, and can be told to end again. */
  private spare(task: ApiTask): void {
    const { memory, changed } = this.ground;
    if (!memory.died.has(task.ID) && memory.victims.delete(task.ID)) changed();
  }
}
