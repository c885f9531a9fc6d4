import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { assert } from '../std/assert.ts';
import { after, millisOf } from '../std/time.ts';
import { ApiFailure } from './api-failure.ts';
import type { ApiService, ApiTask } from './api.ts';
import type { DockerApi } from './docker-api.ts';
import type { Listings, Paused } from './listings.ts';
import { keepsSlot } from './sighting.ts';
import { stopGraceSeconds, withReplicas } from './spec.ts';

/** The calls that concern one service, each of them whole. Nothing is remembered here but which containers were told to stop. */
export interface RemoteGround {
  readonly api: DockerApi;
  readonly listings: Listings;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is not cleared away by then will not be; the order goes out all the same. */
const CLEARED_WITHIN = millisOf(5000);
const CLEARING_POLL_MS = 20;
/** Beyond the time that a task has to end. */
const STOP_PATIENCE_MS = 10_000;
const STOP_ATTEMPTS = 2;
/** By then the engine may be there again. */
const STOP_PAUSE_MS = 1000;

export class RemoteService {
  readonly name: string;
  private readonly ground: RemoteGround;
  private readonly stops = new Map<string, Promise<boolean>>();

  constructor(name: string, ground: RemoteGround) {
    this.name = name;
    this.ground = ground;
  }

  get missing(): string {
    return `there is no service ${this.name}: deploy it, or mend container.name`;
  }

  find(): Promise<ApiService | null> {
    return this.ground.listings.service(this.name);
  }

  async existing(): Promise<ApiService> {
    const service = await this.find();
    if (service === null) throw new ApiFailure('missing', this.missing);
    return service;
  }

  paused(): Promise<Paused> {
    return this.ground.listings.paused();
  }

  tasks(service: ApiService): Promise<readonly ApiTask[]> {
    return this.ground.listings.tasks(service);
  }

  /** Fails with a `conflict` when somebody has written since `service` was read. */
  async write(service: ApiService, replicas: number): Promise<void> {
    const body = withReplicas(service.Spec ?? {}, replicas);
    await this.ground.api.call('update', { id: service.ID, query: { version: service.Version?.Index }, body });
  }

  /** More than there are, once Swarm has cleared away what keeps a slot: the order would be lost. */
  async fill(replicas: number): Promise<void> {
    const { clock } = this.ground;
    const limit = after(clock.now(), CLEARED_WITHIN);
    const service = await this.existing();
    const blocks = (task: ApiTask): boolean => keepsSlot(task, service);
    while ((await this.tasks(service)).some(blocks) && clock.now() < limit) await this.pause(CLEARING_POLL_MS);
    await this.write(await this.existing(), replicas);
  }

  /**
   * Resolves with whether it has ended. Swarm ends by itself what it was told to end; a stop that fails only takes longer
   * then. Asked again while a stop is under way, the answer is that of the first.
   */
  stop(task: ApiTask, service: ApiService): Promise<boolean> {
    const id = containerOf(task);
    const known = this.stops.get(id);
    if (known !== undefined) return known;
    const stopped = this.carryOutStop(task, service);
    this.stops.set(id, stopped);
    void stopped.then(() => this.stops.delete(id));
    return stopped;
  }

  private async carryOutStop(task: ApiTask, service: ApiService): Promise<boolean> {
    const grace = stopGraceSeconds(service.Spec ?? {});
    const timeout = millisOf(grace * 1000 + STOP_PATIENCE_MS);
    for (let attempts = 1; ; attempts += 1) {
      try {
        await this.ground.api.call('stop', { id: containerOf(task), query: { t: grace }, timeout });
        return true;
      } catch (error) {
        assert(error instanceof ApiFailure, 'a call fails with an ApiFailure');
        if (error.kind === 'missing') return true;
        // Without an answer it may be ending or not. To ask again is safe, and says which.
        if (error.kind !== 'away' || attempts === STOP_ATTEMPTS) {
          this.ground.log.warn('container was not stopped', { task: task.ID, detail: error.message });
          return false;
        }
      }
      await this.pause(STOP_PAUSE_MS);
    }
  }

  private pause(ms: number): Promise<void> {
    const { clock } = this.ground;
    return new Promise((resolve) => void clock.alarm(after(clock.now(), millisOf(ms)), resolve));
  }
}

/** Empty while it has none. */
export const containerOf = (task: ApiTask): string => task.Status?.ContainerStatus?.ContainerID ?? '';
