import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { assert } from '../std/assert.ts';
import { after, millisOf } from '../std/time.ts';
import { ApiFailure } from './api-failure.ts';
import type { ApiService, ApiTask } from './api.ts';
import type { DockerApi } from './docker-api.ts';
import type { Listings } from './listings.ts';
import { isBeingCleared } from './sighting.ts';
import { stopGraceSeconds, withReplicas } from './spec.ts';

/** The calls that concern one service, each of them whole. Nothing is remembered here but which containers were told to stop. */
export interface RemoteGround {
  readonly api: DockerApi;
  readonly listings: Listings;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is not cleared away by then will not be; the order goes out all the same. */
const CLEARED_WITHIN = millisOf(3000);
const CLEARING_POLL_MS = 20;
/** Beyond the time that a task has to end. */
const STOP_PATIENCE_MS = 10_000;

export class RemoteService {
  readonly name: string;
  private readonly ground: RemoteGround;
  private readonly stopped = new Set<string>();

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

  tasks(service: ApiService): Promise<readonly ApiTask[]> {
    return this.ground.listings.tasks(service);
  }

  /** Fails with a `conflict` when somebody has written since `service` was read. */
  async write(service: ApiService, replicas: number): Promise<void> {
    const body = withReplicas(service.Spec ?? {}, replicas);
    await this.ground.api.call('update', { id: service.ID, query: { version: service.Version?.Index }, body });
  }

  /** More than there are, once Swarm has cleared away what ended: under the restart policy `none` the order would be lost. */
  async fill(replicas: number): Promise<void> {
    const { clock } = this.ground;
    const limit = after(clock.now(), CLEARED_WITHIN);
    const service = await this.existing();
    while ((await this.tasks(service)).some(isBeingCleared) && clock.now() < limit) await this.pause(CLEARING_POLL_MS);
    await this.write(await this.existing(), replicas);
  }

  /** Swarm ends what it was told to end as well; a stop that fails only takes longer. */
  stop(task: ApiTask, service: ApiService): void {
    const id = containerOf(task);
    if (this.stopped.has(id)) return;
    this.stopped.add(id);
    const grace = stopGraceSeconds(service.Spec ?? {});
    const timeout = millisOf(grace * 1000 + STOP_PATIENCE_MS);
    const { api, log } = this.ground;
    const stopped = api.call('stop', { id, query: { t: grace }, timeout }).catch((error: unknown) => {
      assert(error instanceof ApiFailure, 'a call fails with an ApiFailure');
      if (error.kind !== 'missing') log.warn('container was not stopped', { task: task.ID, detail: error.message });
    });
    void stopped.then(() => this.stopped.delete(id));
  }

  private pause(ms: number): Promise<void> {
    const { clock } = this.ground;
    return new Promise((resolve) => void clock.alarm(after(clock.now(), millisOf(ms)), resolve));
  }
}

/** Empty while it has none. */
export const containerOf = (task: ApiTask): string => task.Status?.ContainerStatus?.ContainerID ?? '';
