import type { Outlook } from '../core/outlook.ts';
import type { AgentStateName, WakeCause } from '../contract/events.ts';
import type { Hostname } from '../contract/hostname.ts';
import type { ProblemCode } from '../contract/problems.ts';
import type { Address } from '../ports/engine.ts';

/**
 * What the data plane may ask of the runtime. All of it is synchronous: between looking a host up, admitting a request and
 * counting it nothing else can run, which is what makes "never put to sleep under work" true (promise B).
 */
export interface Traffic {
  /** Null: no agent answers to this host. */
  lookup(host: Hostname): Destination | null;
}

/** One agent as reached by one hostname. */
export interface Destination {
  readonly agent: string;
  /** False for a hostname that an agent registered: it has no /api/health and /api/wake of the daemon's. */
  readonly configured: boolean;
  /** The daemon answers GET /api/health on this hostname (`health.intercept`). */
  readonly interceptsHealth: boolean;
  state(): AgentStateName;
  /** What somebody who waits may be told. Never wakes. Null: the agent was removed, or is another now under the old name. */
  outlook(): Outlook | null;
  /** Calls `changed` after every transition, and when there is no outlook any more, until the returned function is called. */
  watch(changed: () => void): () => void;
  /** Somebody calls without a request of their own to serve: POST /api/wake. Null: nothing stands in its way. */
  want(cause: WakeCause): Refused | null;
  /**
   * One request or upgrade wants through. Wakes the agent where that is called for. When admitted it counts as work until
   * `work.end()`, which the data plane owes on every path. `cut` is called at most once, when the runtime may no longer
   * wait for this work: the connection has to go, a WebSocket with Close 1001.
   */
  admit(kind: 'request' | 'upgrade', cut: () => void): Admission;
}

export type Admission =
  | { readonly kind: 'admitted'; readonly work: Work }
  /** The agent is not awake: 503 with its state and Retry-After. */
  | { readonly kind: 'asleep'; readonly state: AgentStateName; readonly retryAfterSeconds: number }
  | Refused;

export interface Refused {
  readonly kind: 'refused';
  readonly problem: ProblemCode;
  readonly retryAfterSeconds: number | null;
}

/** The task that serves one piece of work. */
export interface Target {
  /** Identifies connections that may be shared: same agent, task, port and generation. Anything else never shares one. */
  readonly key: string;
  readonly address: Address;
}

export interface Work {
  readonly target: Target;
  /** The upgrade went through: from now on it counts as an open WebSocket instead of a request in flight. */
  upgraded(): void;
  /** A data frame went by, either way. Cheap: called for every frame. */
  touch(): void;
  /** The response has ended or either side has gone. Further calls do nothing. */
  end(): void;
}
