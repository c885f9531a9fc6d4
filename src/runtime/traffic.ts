import type { Outlook } from '../core/outlook.ts';
import type { AgentIgnoreConfig, OnSleeping } from '../contract/config.ts';
import type { AgentStateName, WakeCause } from '../contract/events.ts';
import type { Hostname } from '../contract/hostname.ts';
import type { ProblemCode } from '../contract/problems.ts';
import type { Address } from '../ports/engine.ts';
import type { Millis } from '../std/time.ts';

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
  /** Calls `changed` after every change of its outlook but the passing of time, and when there is no outlook any more, until the returned function is called. */
  watch(changed: () => void): () => void;
  /** Whose requests neither wake it nor keep it awake. */
  readonly ignore: AgentIgnoreConfig;
  /** What is known when a caller meets it asleep. */
  readonly sleepRules: SleepRules;
  /**
   * Somebody calls without a request of their own to serve: POST /api/wake. Null: nothing stands in its way. `client`, here
   * and below, is the caller's address, whose wakes are counted (wake_limits); null: it has none.
   */
  want(cause: WakeCause, client: string | null): Refused | null;
  /**
   * One request or upgrade wants through. `asleep`: nothing was ordered yet; the caller now uses {@link hold} or
   * {@link call}, with nothing in between. When admitted it counts as work until `work.end()`, which the data plane owes on
   * every path. `cut` is called at most once, when the runtime may no longer wait for this work: the connection has to go,
   * a WebSocket with Close 1001.
   */
  admit(kind: 'request' | 'upgrade', cut: () => void): Admission;
  /** It is not awake and the caller does not wait: wakes it. */
  call(kind: 'request' | 'upgrade', client: string | null): Turned;
  /**
   * It is not awake and the caller waits: wakes it, and settles `waiting` once it is known what becomes of the request; where
   * that is known at once, it is returned.
   */
  hold(kind: 'request' | 'upgrade', client: string | null, waiting: Waiting, cut: () => void): Held | Admission;
  /**
   * A request that neither wakes the agent nor keeps it awake. Null: it is not awake. It may be cut at any time. A frozen
   * agent is not awake.
   */
  pass(cut: () => void): Admission | null;
}

/** How an agent meets callers while it is not awake. */
export interface SleepRules {
  readonly mode: OnSleeping;
  /** Frozen: every caller is held for the few milliseconds that the thaw takes. */
  readonly frozen: boolean;
  /** Nine of ten starts took less; null: not measured. */
  readonly typicalStart: Millis | null;
  readonly preferHoldBelow: Millis;
  /** How much of the body of a held request may be read, in bytes. */
  readonly bodyBufferMax: number;
}

/** A request that waits for its agent. */
export interface Waiting {
  /** Called once and later, unless the request has left: `admitted` counts as work from this moment. */
  settled(admission: Admission): void;
}

export interface Held {
  readonly kind: 'held';
  /** It does not wait any more: its client has gone, or it was refused. */
  leave(): void;
}

/** Not let through. */
export type Turned = Asleep | Refused;

export type Admission = { readonly kind: 'admitted'; readonly work: Work } | Asleep | Refused;

/** The agent is not awake: 503 with its state and Retry-After. */
export interface Asleep {
  readonly kind: 'asleep';
  readonly state: AgentStateName;
  readonly retryAfterSeconds: number;
}

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
  /**
   * The upgrade went through: from now on it counts as an open WebSocket instead of a request in flight. `cut`: takes the
   * place of what was given at its admission.
   */
  upgraded(cut?: () => void): void;
  /** A data frame went by, either way. Cheap: called for every frame. */
  touch(): void;
  /** The response has ended or either side has gone. Further calls do nothing. */
  end(): void;
}
