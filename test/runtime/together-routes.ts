import type { AgentRunner } from '../../src/runtime/agent-runner.ts';
import type { House } from './harness.ts';

interface Registered {
  readonly agent: string;
  readonly at: number;
  readonly ttlMs: number;
  /** For how long its agent had been frozen until then. */
  readonly frozenBefore: number;
}

/** O: the clock of a registered hostname stands still while its agent is frozen. Counted here once more, by hand. */
export class RouteClocks {
  private readonly routes = new Map<string, Registered>();
  private readonly frozenMs = new Map<string, number>();
  private readonly frozenSince = new Map<string, number>();
  private seen = 0;
  private now: () => number = () => 0;
  private readonly broken: (promise: string) => never;

  constructor(broken: (promise: string) => never) {
    this.broken = broken;
  }

  registered(hostname: string, agent: string, ttlMs: number): void {
    this.routes.set(hostname, { agent, ttlMs, at: this.now(), frozenBefore: this.frozen(agent) });
  }

  moved({ name, state }: AgentRunner, at: number): void {
    const since = this.frozenSince.get(name);
    if (state.name === 'frozen') {
      if (since === undefined) this.frozenSince.set(name, at);
    } else if (since !== undefined) {
      this.frozenSince.delete(name);
      this.frozenMs.set(name, (this.frozenMs.get(name) ?? 0) + at - since);
    }
  }

  look(house: House): void {
    this.now = () => house.clock.now();
    for (const event of house.events.slice(this.seen)) {
      if (event.type !== 'service.removed') continue;
      const { hostname, reason } = event as unknown as { hostname: string; reason: string };
      const route = this.routes.get(hostname);
      if (reason === 'ttl' && route !== undefined && this.spent(route) < route.ttlMs)
        this.broken(`O: ${hostname} ends after ${this.spent(route)} of ${route.ttlMs} ms`);
      this.routes.delete(hostname);
    }
    this.seen = house.events.length;
    for (const [hostname, route] of this.routes)
      if (this.spent(route) > route.ttlMs) this.broken(`O: ${hostname} ends at its ttl, and not after ${this.spent(route)} ms`);
  }

  /** A daemon that starts anew cannot know how long it was away: that is another test's to prove. */
  forget(): void {
    this.routes.clear();
    this.seen = 0;
  }

  private spent({ agent, at, frozenBefore }: Registered): number {
    return this.now() - at - (this.frozen(agent) - frozenBefore);
  }

  private frozen(agent: string): number {
    const since = this.frozenSince.get(agent);
    return (this.frozenMs.get(agent) ?? 0) + (since === undefined ? 0 : this.now() - since);
  }
}
