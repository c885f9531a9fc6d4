import type { Millis } from '../std/time.ts';
import type { Address } from './engine.ts';

/** How to find out whether one task is well. */
export interface ProbeOrder {
  readonly address: Address;
  /** Null: a TCP connect is enough. */
  readonly path: string | null;
  /** Value of the Host header. */
  readonly host: string;
  readonly timeout: Millis;
  /** Inclusive ranges of status codes that mean healthy. */
  readonly expect: readonly (readonly [number, number])[];
}

/** `detail` is in words for an operator: `status 503`, `connection refused`. */
export type ProbeResult = { readonly healthy: true } | { readonly healthy: false; readonly detail: string };

/** One health check. Always resolves, at the latest at `timeout`; aborting resolves it at once as unhealthy. */
export type Probe = (order: ProbeOrder, signal: AbortSignal) => Promise<ProbeResult>;
