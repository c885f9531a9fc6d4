import type { Hostname } from '../contract/hostname.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import type { Task } from '../ports/engine.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Log } from '../ports/log.ts';
import { type Store, StoreError } from '../ports/store.ts';
import { type Instant, type Millis, type WallTime, after } from '../std/time.ts';
import type { EventLog } from './event-log.ts';

/**
 * The hostnames that agents registered. Bound to a task and a port, never to an address: where the task is now is asked at
 * every dial, so a route cannot be turned against somebody else who has come to that address since.
 */
export interface Route {
  readonly hostname: Hostname;
  readonly agent: string;
  readonly task: string;
  readonly port: number;
  readonly createdAt: WallTime;
  readonly expiresAt: WallTime | null;
}

/** An agent that registers more than this is broken. All together fit in memory many times over. */
export const ROUTES_PER_AGENT = 1000;
export const ROUTES_MAX = 20_000;

export class RouteBook {
  private readonly routes = new Map<Hostname, Route>();
  private readonly ends = new Map<Hostname, Instant>();
  private readonly counts = new Map<string, number>();
  private alarm: Alarm | null = null;
  private closed = false;
  private readonly clock: Clock;
  private readonly store: Store;
  private readonly events: EventLog;
  private readonly metrics: Metrics;
  private readonly log: Log;

  constructor(parts: {
    readonly clock: Clock;
    readonly store: Store;
    readonly events: EventLog;
    readonly metrics: Metrics;
    readonly log: Log;
  }) {
    this.clock = parts.clock;
    this.store = parts.store;
    this.events = parts.events;
    this.metrics = parts.metrics;
    this.log = parts.log;
    this.count();
  }

  get size(): number {
    return this.routes.size;
  }

  get(hostname: Hostname): Route | undefined {
    return this.routes.get(hostname);
  }

  /** By hostname, in alphabetical order. */
  list(agent?: string): readonly Route[] {
    const all = [...this.routes.values()];
    return (agent === undefined ? all : all.filter((route) => route.agent === agent)).sort((a, b) =>
      a.hostname < b.hostname ? -1 : 1,
    );
  }

  hasRoomFor(agent: string, hostname: Hostname): boolean {
    if (this.routes.has(hostname)) return true;
    return this.routes.size < ROUTES_MAX && (this.counts.get(agent) ?? 0) < ROUTES_PER_AGENT;
  }

  /** Takes up routes that an earlier daemon kept, whose tasks are still there. */
  restore(isAlive: (agent: string, task: string) => boolean): void {
    const now = this.clock.wall();
    for (const stored of this.store.routes()) {
      const left = stored.expiresAt === null ? null : stored.expiresAt - now;
      if ((left !== null && left <= 0) || !isAlive(stored.agent, stored.task)) this.forget(stored.hostname);
      else this.enter({ ...stored, hostname: stored.hostname as Hostname }, left as Millis | null);
    }
    this.count();
    this.arm();
  }

  /** Kept first and entered then: whoever was told `200` finds it again after a crash. Throws StoreError, changing nothing. */
  put(route: Omit<Route, 'createdAt' | 'expiresAt'>, ttl: Millis | null): Route {
    const now = this.clock.wall();
    const before = this.routes.get(route.hostname);
    const whole: Route = {
      ...route,
      createdAt: before?.createdAt ?? now,
      expiresAt: ttl === null ? null : ((now + ttl) as WallTime),
    };
    this.store.putRoute(whole);
    this.enter(whole, ttl);
    this.count();
    this.arm();
    const { hostname, agent, port } = whole;
    if (before === undefined) this.events.publish('service.registered', { agent, hostname, port });
    return whole;
  }

  /** As `remove`, for whoever must be told when it could not be. Throws StoreError, changing nothing. */
  take(hostname: Hostname, reason: string): void {
    this.store.deleteRoute(hostname);
    this.remove(hostname, reason);
  }

  remove(hostname: Hostname, reason: string): void {
    const route = this.routes.get(hostname);
    if (route === undefined) return;
    this.routes.delete(hostname);
    this.ends.delete(hostname);
    this.counts.set(route.agent, (this.counts.get(route.agent) ?? 1) - 1);
    this.forget(hostname);
    this.count();
    this.events.publish('service.removed', { agent: route.agent, hostname, reason });
  }

  purge(agent: string, reason: string): void {
    if ((this.counts.get(agent) ?? 0) === 0) return;
    for (const route of this.list(agent)) this.remove(route.hostname, reason);
  }

  keepOnly(agent: string, tasks: readonly Task[]): void {
    if ((this.counts.get(agent) ?? 0) === 0) return;
    for (const route of this.list(agent))
      if (!tasks.some((task) => task.id === route.task)) this.remove(route.hostname, 'task ended');
  }

  close(): void {
    this.closed = true;
    this.alarm?.cancel();
  }

  private enter(route: Route, ttl: Millis | null): void {
    if (!this.routes.has(route.hostname)) this.counts.set(route.agent, (this.counts.get(route.agent) ?? 0) + 1);
    this.routes.set(route.hostname, route);
    if (ttl === null) this.ends.delete(route.hostname);
    else this.ends.set(route.hostname, after(this.clock.now(), ttl));
  }

  /** A row that cannot be deleted does no harm: it is taken up again only if its task still lives. */
  private forget(hostname: string): void {
    try {
      this.store.deleteRoute(hostname);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.log.warn('removed route is still on disk', { hostname, detail: error.message });
    }
  }

  private arm(): void {
    this.alarm?.cancel();
    let next: Instant | null = null;
    for (const end of this.ends.values()) if (next === null || end < next) next = end;
    this.alarm = next === null || this.closed ? null : this.clock.alarm(next, () => this.expire());
  }

  private expire(): void {
    const now = this.clock.now();
    for (const [hostname, end] of [...this.ends]) if (end <= now) this.remove(hostname, 'ttl');
    this.arm();
  }

  private count(): void {
    this.metrics.gauge('registered_services', {}).set(this.routes.size);
  }
}
