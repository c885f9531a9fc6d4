import type { Clock } from '../../ports/clock.ts';
import { Attempt } from './attempt.ts';
import { Pool } from './pool.ts';
import type { Caller, Forwarding, ForwardOrder, Limits, Upstream } from './upstream.ts';

/**
 * {@link Upstream} over sockets: a slim HTTP/1.1 client (RFC 9112), because the agent's side is half of what a request costs
 * and no client on npm comes near what node can do (adr 0001). It forgives nothing: see response-head.ts and chunked.ts.
 */
export class UpstreamClient implements Upstream {
  private readonly pool: Pool;

  constructor(options: { readonly clock: Clock; readonly limits: Limits }) {
    this.pool = new Pool(options.clock, options.limits);
  }

  /** Connections held, idle ones included. */
  get connections(): number {
    return this.pool.size;
  }

  forward(order: ForwardOrder, caller: Caller): Forwarding {
    return new Attempt(this.pool, order, caller);
  }

  updateLimits(limits: Limits): void {
    this.pool.limits = limits;
  }

  endIdle(agent: string): void {
    this.pool.endIdle(agent);
  }

  close(): void {
    this.pool.close();
  }
}
