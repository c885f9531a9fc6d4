import type { ApiContainerSummary, ApiService, ApiTask } from './api.ts';
import { ApiFailure } from './api-failure.ts';
import type { DockerApi } from './docker-api.ts';
import type { Listing } from './sighting.ts';

/**
 * What Swarm lists of services and their tasks. Whoever asks in the same turn shares two calls for everything: a daemon that
 * starts with a hundred agents would ask two hundred times otherwise. The service is always read first, so its tasks are never
 * older than what was ordered of it.
 */
/** `paused`: where all were listed at once. */
export type Found = (Listing & { readonly paused?: Paused }) | { readonly service: null };

/** Containers of our own node that are paused, by the task they are of. */
export type Paused = ReadonlyMap<string, string>;

/** From so many on, two calls for all cost less than two for each. */
const MANY = 4;

const TASK_LABEL = 'com.docker.swarm.task.id';
const PAUSED = { status: ['paused'], label: [TASK_LABEL] };

interface Asker {
  readonly service: string;
  readonly resolve: (found: Found) => void;
  readonly reject: (error: unknown) => void;
}

export class Listings {
  private readonly api: DockerApi;
  private askers: Asker[] = [];

  constructor(api: DockerApi) {
    this.api = api;
  }

  /** `service` is a name or an id. */
  of(service: string): Promise<Found> {
    return new Promise((resolve, reject) => {
      this.askers.push({ service, resolve, reject });
      if (this.askers.length === 1) queueMicrotask(() => void this.answer());
    });
  }

  /** Of every service that there is, by name and by id. */
  async all(): Promise<(service: string) => Found> {
    const services = await this.api.call<readonly ApiService[]>('services');
    const [all, paused] = await Promise.all([this.everyTask(), this.pausedIfAllowed()]);
    const tasks = Map.groupBy(all, ({ ServiceID }) => ServiceID);
    const found = new Map<string, Found>();
    for (const service of services) {
      const listing = { service, tasks: tasks.get(service.ID) ?? [], paused };
      found.set(service.ID, listing);
      found.set(service.Spec?.Name ?? service.ID, listing);
    }
    return (service) => found.get(service) ?? { service: null };
  }

  async service(name: string): Promise<ApiService | null> {
    try {
      return await this.api.call<ApiService>('service', { id: name });
    } catch (error) {
      if (error instanceof ApiFailure && error.kind === 'missing') return null;
      throw error;
    }
  }

  /** Those of removed services too. */
  everyTask(): Promise<readonly ApiTask[]> {
    return this.api.call('tasks');
  }

  tasks(service: ApiService): Promise<readonly ApiTask[]> {
    return this.api.call('tasks', { query: { filters: { service: [service.ID] } } });
  }

  /**
   * The engine lists what it has written down, and tells of a pause a moment before it writes it down: right after that event
   * a container has to be asked for by itself.
   */
  async paused(): Promise<Paused> {
    const found = await this.api.call<readonly ApiContainerSummary[]>('containers', { query: { filters: PAUSED } });
    return new Map(found.map(({ Id: id, Labels: labels }) => [labels?.[TASK_LABEL] ?? '', id]));
  }

  private async answer(): Promise<void> {
    const { askers } = this;
    this.askers = [];
    if (askers.length < MANY) {
      for (const { service, resolve, reject } of askers) this.one(service).then(resolve, reject);
      return;
    }
    try {
      const found = await this.all();
      for (const { service, resolve } of askers) resolve(found(service));
    } catch (error) {
      for (const { reject } of askers) reject(error);
    }
  }

  private async one(name: string): Promise<Found> {
    const service = await this.service(name);
    return service === null ? { service } : { service, tasks: await this.tasks(service) };
  }

  /** A socket proxy that knows nothing of freezing does not keep anybody from anything else. A freeze asks for itself. */
  private async pausedIfAllowed(): Promise<Paused> {
    try {
      return await this.paused();
    } catch (error) {
      if (error instanceof ApiFailure && error.kind === 'refused') return new Map();
      throw error;
    }
  }
}
