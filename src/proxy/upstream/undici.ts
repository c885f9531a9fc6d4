import type { Clock } from '../../ports/clock.ts';
import { Attempt } from './attempt.ts';
import { Lanes } from './lanes.ts';
import type { Caller, Forwarding, ForwardOrder, Limits, Upstream } from './upstream.ts';

/**
 * {@link Upstream} over undici, until a slim client of our own takes its place. What undici cannot do, and this therefore
 * does not: a request's head goes out only with the first byte of its body, so an agent cannot refuse an upload on its
 * head; trailers of a request are dropped; a 100 from an agent that was not asked for one counts as broken off.
 */
export class UndiciUpstream implements Upstream {
  private readonly lanes: Lanes;

  constructor(options: { readonly clock: Clock; readonly limits: Limits }) {
    this.lanes = new Lanes(options.clock, options.limits);
  }

  /** Connections held, idle ones included. */
  get connections(): number {
    return this.lanes.size;
  }

  forward(order: ForwardOrder, caller: Caller): Forwarding {
    return new Attempt(this.lanes, order, caller);
  }

  updateLimits(limits: Limits): void {
    this.lanes.limits = limits;
  }

  endIdle(agent: string): void {
    this.lanes.endIdle(agent);
  }

  close(): void {
    this.lanes.close();
  }
}
