import type {
  AdminServiceView,
  AgentView,
  CreateAgentBody,
  HealthView,
  RegisterBody,
  ReloadView,
  SelfView,
  ServiceView,
} from '../contract/api.ts';
import type { EventBody, KeptState } from '../contract/events.ts';
import type { ProblemCode } from '../contract/problems.ts';
import type { Outcome } from '../std/outcome.ts';
import type { Millis, WallTime } from '../std/time.ts';

/** Why a call was refused. `extra` are members for the problem body. */
export interface Refusal {
  readonly problem: ProblemCode;
  readonly detail?: string;
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds?: number;
}
export type Answer<T> = Outcome<T, Refusal>;

/** Who is speaking for an agent: one of its tasks as far as it can be told, or the operator in its name. */
export interface Caller {
  readonly agent: string;
  /** Value of X-Reveille-Task. */
  readonly task: string | null;
  /** Address the call came from, without port. */
  readonly from: string;
  readonly admin: boolean;
}

/** What the control plane may ask of the runtime. Nothing here throws for an expected reason and nothing waits without a limit. */
export interface Control {
  health(): HealthView;
  /** Config loaded, engine reachable, not shutting down. */
  ready(): { readonly ready: boolean; readonly because?: string };

  agents(): readonly AgentView[];
  agent(name: string): Answer<AgentView>;
  /** Makes an agent that outlives restarts; the config file is left alone. */
  createAgent(body: CreateAgentBody): Answer<AgentView>;
  deleteAgent(name: string): Answer<null>;
  /** `capacity` where there is no place for it and none can be made. */
  wake(name: string): Answer<null>;
  /** Also waits for a place. Resolves once ready; `wake-timeout` when it is not after `wait`, or when `signal` aborts. */
  wakeAndWait(name: string, wait: Millis, signal: AbortSignal): Promise<Answer<null>>;
  sleep(name: string, options: { readonly force: boolean }): Answer<null>;

  /** Whoever calls, it stays so until `until`, or until it is released. */
  keep(name: string, state: KeptState, until: WallTime | null): Answer<AgentView>;
  release(name: string): Answer<AgentView>;

  services(): readonly AdminServiceView[];
  servicesOf(agent: string): readonly ServiceView[];
  register(caller: Caller, body: RegisterBody): Answer<ServiceView>;
  unregister(caller: Caller | null, hostname: string): Answer<null>;

  self(caller: Caller): Answer<SelfView>;
  scaleSelf(caller: Caller, replicas: number): Promise<Answer<null>>;
  endTask(caller: Caller, taskId: string, options: { readonly replace: boolean }): Promise<Answer<null>>;
  /** `expiresAt` as RFC 3339. */
  takeLease(caller: Caller, ttl: Millis, reason: string): Answer<{ readonly expiresAt: string }>;
  dropLease(caller: Caller): Answer<null>;

  reload(): Promise<Answer<ReloadView>>;
  /** The agent whose token this is, compared in constant time; null when it is nobody's. */
  agentByToken(token: string): string | null;
  isAdminToken(token: string): boolean;
  /**
   * Calls `reader` for every event from now on, always later and in order. Returns how to stop. Null when there are too
   * many readers. The reader bounds its own buffer.
   */
  subscribe(reader: (event: EventBody) => void): (() => void) | null;
  /** Id of the newest event; 0 before the first. Ids rise by one, also from one daemon to the next. */
  lastEventId(): number;
  /** Events after `id` that are still known, oldest first, at most `limit`. Where one is missing its id is skipped. */
  eventsAfter(id: number, limit: number): readonly EventBody[];
}
