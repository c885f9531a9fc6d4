import type { Hostname } from '../contract/hostname.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import type { Task } from '../ports/engine.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Log } from '../ports/log.ts';
import { type Store, StoreError } from '../ports/store.ts';
import { type Instant, type Millis, type WallTime, after, elapsed, millisOf } from '../std/time.ts';
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
const ROUTES_PER_AGENT = 1000;
const ROUTES_MAX = 20_000;

export class RouteBook {
  private readonly routes = new Map<Hostname, Route>();
  private readonly ends = new Map<Hostname, Instant>();
  private readonly ofAgent = new Map<string, Set<Hostname>>();
  /** What is left of their ttl, of routes whose agent is frozen: that clock stands still. */
  private readonly paused = new Map<string, Map<Hostname, Millis>>();
  private alarm: Alarm | null = null;
  private alarmAt: Instant | null = null;
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
    const routes = agent === undefined ? [...this.routes.values()] : this.heldBy(agent);
    return routes.map((route) => this.asOfNow(route)).sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
  }

  hasRoomFor(agent: string, hostname: Hostname): boolean {
    if (this.routes.has(hostname)) return true;
    return this.routes.size < ROUTES_MAX && (this.ofAgent.get(agent)?.size ?? 0) < ROUTES_PER_AGENT;
  }

  /** Takes up routes that an earlier daemon kept, of agents that have `hasTasks`. Which of those are left is for {@link keepOnly}. */
  restore(hasTasks: (agent: string) => boolean): void {
    const now = this.clock.wall();
    const over: string[] = [];
    for (const { leftMs, ...stored } of this.store.routes()) {
      const left = leftMs ?? (stored.expiresAt === null ? null : stored.expiresAt - now);
      if ((left !== null && left <= 0) || !hasTasks(stored.agent)) over.push(stored.hostname);
      else {
        const route = { ...stored, hostname: stored.hostname as Hostname };
        this.enter(route, left as Millis | null);
        // Whether its agent is frozen still, the engine has yet to tell.
        if (leftMs !== null) this.stopClock(route, leftMs);
      }
    }
    this.forget(over);
    this.count();
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
    this.store.putRoute({ ...whole, leftMs: null });
    this.enter(whole, ttl);
    if (ttl !== null && this.paused.has(whole.agent)) this.stopClock(whole, ttl);
    this.count();
    const { hostname, agent, port } = whole;
    if (before === undefined) this.events.publish('service.registered', { agent, hostname, port });
    return whole;
  }

  /** As `remove`, for whoever must be told when it could not be. Throws StoreError, changing nothing. */
  take(hostname: Hostname, reason: string): void {
    this.store.deleteRoutes([hostname]);
    this.remove(hostname, reason);
  }

  remove(hostname: Hostname, reason: string): void {
    const route = this.routes.get(hostname);
    if (route !== undefined) this.drop([route], reason);
  }

  purge(agent: string, reason: string): void {
    this.drop(this.list(agent), reason);
  }

  /** A task that is ending takes no new work, so its names go before it does. */
  keepOnly(agent: string, tasks: readonly Task[]): void {
    const stays = (route: Route): boolean => tasks.some((task) => task.id === route.task && task.state !== 'ending');
    if (this.ofAgent.has(agent))
      this.drop(
        this.list(agent).filter((route) => !stays(route)),
        'task ended',
      );
  }

  /** Its agent is being frozen: no time passes for its routes until {@link resume}. */
  pause(agent: string): void {
    if (!this.paused.has(agent)) this.paused.set(agent, new Map());
    const now = this.clock.now();
    for (const route of this.heldBy(agent)) {
      const end = this.ends.get(route.hostname);
      if (end === undefined) continue;
      const left = millisOf(Math.max(1, elapsed(now, end)));
      this.stopClock(route, left);
      this.keep(route, left);
    }
  }

  resume(agent: string): void {
    const paused = this.paused.get(agent);
    this.paused.delete(agent);
    for (const [hostname, left] of paused ?? []) {
      const before = this.routes.get(hostname);
      if (before === undefined) continue;
      const route = { ...before, expiresAt: (this.clock.wall() + left) as WallTime };
      this.enter(route, left);
      this.keep(route, null);
    }
  }

  private stopClock({ agent, hostname }: Route, left: Millis): void {
    this.ends.delete(hostname);
    this.paused.set(agent, (this.paused.get(agent) ?? new Map<Hostname, Millis>()).set(hostname, left));
  }

  /** What cannot be written is only wrong for a daemon that is started anew: its clock has gone on. */
  private keep(route: Route, leftMs: Millis | null): void {
    try {
      this.store.putRoute({ ...route, leftMs });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.log.warn('ttl of a route could not be kept', { hostname: route.hostname, detail: error.message });
    }
  }

  /** While the clock stands still its end moves on. */
  private asOfNow(route: Route): Route {
    const left = this.paused.get(route.agent)?.get(route.hostname);
    return left === undefined ? route : { ...route, expiresAt: (this.clock.wall() + left) as WallTime };
  }

  close(): void {
    this.closed = true;
    this.alarm?.cancel();
  }

  private heldBy(agent: string): Route[] {
    return [...(this.ofAgent.get(agent) ?? [])].flatMap((hostname) => this.routes.get(hostname) ?? []);
  }

  private enter(route: Route, ttl: Millis | null): void {
    const held = this.ofAgent.get(route.agent) ?? new Set();
    this.ofAgent.set(route.agent, held.add(route.hostname));
    this.routes.set(route.hostname, route);
    if (ttl === null) this.ends.delete(route.hostname);
    else {
      const end = after(this.clock.now(), ttl);
      this.ends.set(route.hostname, end);
      this.arm(end);
    }
  }

  private drop(routes: readonly Route[], reason: string): void {
    if (routes.length === 0) return;
    for (const { hostname, agent } of routes) {
      this.routes.delete(hostname);
      this.ends.delete(hostname);
      this.paused.get(agent)?.delete(hostname);
      const held = this.ofAgent.get(agent);
      held?.delete(hostname);
      if (held?.size === 0) this.ofAgent.delete(agent);
    }
    this.forget(routes.map(({ hostname }) => hostname));
    this.count();
    for (const { hostname, agent } of routes) this.events.publish('service.removed', { agent, hostname, reason });
  }

  /** A row that cannot be deleted does no harm: it is taken up again only if its task still lives. */
  private forget(hostnames: readonly string[]): void {
    if (hostnames.length === 0) return;
    try {
      this.store.deleteRoutes(hostnames);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.log.warn('removed routes are still on disk', { hostnames: hostnames.slice(0, 10), detail: error.message });
    }
  }

  /**
   * Wakes at `end` unless it wakes before that anyway. Waking for a route that has been renewed or removed since is no harm
   * and far cheaper than looking through all of them at every renewal.
   */
  private arm(end: Instant): void {
    if (this.closed || (this.alarmAt !== null && this.alarmAt <= end)) return;
    this.alarm?.cancel();
    this.alarmAt = end;
    this.alarm = this.clock.alarm(end, () => this.expire());
  }

  private expire(): void {
    this.alarmAt = null;
    const now = this.clock.now();
    const over = [...this.ends].flatMap(([hostname, end]) => (end <= now ? (this.routes.get(hostname) ?? []) : []));
    this.drop(over, 'ttl');
    let next: Instant | null = null;
    for (const end of this.ends.values()) if (next === null || end < next) next = end;
    if (next !== null) this.arm(next);
  }

  private count(): void {
    this.metrics.gauge('registered_services', {}).set(this.routes.size);
  }
}
