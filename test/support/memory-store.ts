import {
  EVENTS_BATCH,
  EVENTS_KEPT,
  STARTS_KEPT,
  type Store,
  type StoredAgent,
  StoreError,
  type StoredEvent,
  type StoredOverride,
  type StoredRoute,
} from '../../src/ports/store.ts';
import type { Millis, WallTime } from '../../src/std/time.ts';

/** A store without a disk. It passes the same suite as the one on SQLite (test/runtime/store.test.ts), and fails on script. */
export class MemoryStore implements Store {
  /** Every write fails while this is set, as on a full disk. */
  full = false;
  /** Writes that were taken. */
  writes = 0;
  private readonly kept = {
    routes: new Map<string, StoredRoute>(),
    agents: new Map<string, StoredAgent>(),
    starts: new Map<string, readonly Millis[]>(),
    lastActivity: new Map<string, WallTime>(),
    overrides: new Map<string, StoredOverride>(),
    events: [] as StoredEvent[],
  };

  routes(): readonly StoredRoute[] {
    return sorted(this.kept.routes);
  }

  putRoute(route: StoredRoute): void {
    this.write();
    this.kept.routes.set(route.hostname, route);
  }

  deleteRoutes(hostnames: readonly string[]): void {
    this.write();
    for (const hostname of hostnames) this.kept.routes.delete(hostname);
  }

  agents(): readonly StoredAgent[] {
    return sorted(this.kept.agents);
  }

  putAgent(agent: StoredAgent): void {
    this.write();
    this.kept.agents.set(agent.name, structuredClone(agent));
  }

  deleteAgent(name: string): void {
    this.write();
    this.kept.agents.delete(name);
    for (const of of this.remembered()) of.delete(name);
  }

  forgetAllBut(names: readonly string[]): void {
    this.write();
    for (const of of this.remembered()) for (const name of of.keys()) if (!names.includes(name)) of.delete(name);
  }

  starts(agent: string): readonly Millis[] {
    return this.kept.starts.get(agent) ?? [];
  }

  addStart(agent: string, took: Millis): void {
    this.write();
    this.kept.starts.set(agent, [...this.starts(agent), took].slice(-STARTS_KEPT));
  }

  lastActivity(agent: string): WallTime | null {
    return this.kept.lastActivity.get(agent) ?? null;
  }

  putLastActivity(agent: string, at: WallTime): void {
    this.write();
    this.kept.lastActivity.set(agent, at);
  }

  overrides(): readonly StoredOverride[] {
    return sorted(this.kept.overrides);
  }

  putOverride(override: StoredOverride): void {
    this.write();
    this.kept.overrides.set(override.agent, override);
  }

  deleteOverride(agent: string): void {
    this.write();
    this.kept.overrides.delete(agent);
  }

  lastEventId(): number {
    return this.kept.events.at(-1)?.id ?? 0;
  }

  eventsAfter(id: number, limit: number): readonly StoredEvent[] {
    return this.kept.events.filter((event) => event.id > id).slice(0, limit);
  }

  addEvent(event: StoredEvent): void {
    this.write();
    this.kept.events.push(structuredClone(event));
    if (event.id % EVENTS_BATCH === 0) this.kept.events = this.kept.events.filter(({ id }) => id > event.id - EVENTS_KEPT);
  }

  close(): void {
    // Nothing is held.
  }

  private remembered(): readonly Map<string, unknown>[] {
    return [this.kept.starts, this.kept.lastActivity, this.kept.overrides];
  }

  private write(): void {
    if (this.full) throw new StoreError('memory: the disk is full, as scripted');
    this.writes += 1;
  }
}

const sorted = <T>(map: ReadonlyMap<string, T>): readonly T[] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
