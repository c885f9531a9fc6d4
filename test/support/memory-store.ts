import { type Store, type StoredAgent, StoreError, type StoredRoute, STARTS_KEPT } from '../../src/ports/store.ts';
import type { Millis } from '../../src/std/time.ts';

/** A store without a disk. It passes the same suite as the one on SQLite (test/runtime/store.test.ts), and fails on script. */
export class MemoryStore implements Store {
  /** Every write fails while this is set, as on a full disk. */
  full = false;
  private readonly kept = {
    routes: new Map<string, StoredRoute>(),
    agents: new Map<string, StoredAgent>(),
    starts: new Map<string, readonly Millis[]>(),
  };

  routes(): readonly StoredRoute[] {
    return [...this.kept.routes.values()].sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
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
    return [...this.kept.agents.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  putAgent(agent: StoredAgent): void {
    this.write();
    this.kept.agents.set(agent.name, structuredClone(agent));
  }

  deleteAgent(name: string): void {
    this.write();
    this.kept.agents.delete(name);
  }

  starts(agent: string): readonly Millis[] {
    return this.kept.starts.get(agent) ?? [];
  }

  addStart(agent: string, took: Millis): void {
    this.write();
    this.kept.starts.set(agent, [...this.starts(agent), took].slice(-STARTS_KEPT));
  }

  close(): void {
    // Nothing is held.
  }

  private write(): void {
    if (this.full) throw new StoreError('memory: the disk is full, as scripted');
  }
}
