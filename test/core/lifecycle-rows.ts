import type { AgentEvent, AgentEventType } from '../../src/core/agent/event.ts';
import type { Policy } from '../../src/core/agent/policy.ts';
import type { AgentState } from '../../src/core/agent/state.ts';
import { millisOf } from '../../src/std/time.ts';
import { NOW, EARLIER, LATER } from './lifecycle-parts.ts';

/** What the table of the life cycle is written with: a case, and the orders that go together. */
export const STATE_KEYS = [
  'sleeping',
  'degraded',
  'starting',
  'ready',
  'frozen',
  'draining',
  'stopping',
  'running',
  'running-degraded',
] as const;
export type StateKey = (typeof STATE_KEYS)[number];

export interface Case {
  /** The circumstance that makes this case differ; empty where there is only one. */
  readonly when: string;
  readonly state: AgentState;
  readonly event: AgentEvent;
  /** State name after the step. */
  readonly to: AgentState['name'];
  /** Effects in order; an announcement as the type of its event. */
  readonly orders: readonly string[];
  /** What of the policy makes it differ. */
  readonly policy?: Partial<Policy>;
}
export type Table = Readonly<Record<StateKey, Readonly<Record<AgentEventType, readonly [Case, ...Case[]]>>>>;

export const row = (when: string, state: AgentState, event: AgentEvent, to: Case['to'], ...orders: readonly string[]): Case => ({
  when,
  state,
  event,
  to,
  orders,
});
export const by = (policy: Partial<Policy>, entry: Case): Case => ({ ...entry, policy });
export const CAPPED = { capped: true } as const;
export const KEPT_ASLEEP = { keep: 'asleep' } as const;
export const KEPT_AWAKE = { keep: 'awake' } as const;
export const FREEZES = { freezeAfter: millisOf(5000), idleTimeout: millisOf(60_000) } as const;
export const SEEKING = { wake: 'request', seeking: { since: EARLIER, until: LATER } } as const;
export const SOUGHT_LONG = { wake: 'request', seeking: { since: EARLIER, until: NOW } } as const;

/** What concerns other states only, and is met by nothing here. */
export const leftovers = <T extends 'evict' | 'placed' | 'unwanted' | 'froze' | 'thawed'>(
  state: AgentState,
  ...types: readonly T[]
) =>
  Object.fromEntries(types.map((type) => [type, [row('', state, { type }, state.name)]])) as unknown as Record<
    T,
    readonly [Case]
  >;
export const STARTS = ['purge-routes', 'agent.starting', 'scale 2'] as const;
export const ADOPTS = ['purge-routes', 'agent.starting'] as const;
export const STOPS = ['purge-routes', 'cut', 'scale 0'] as const;
export const LEFT_TO_OTHERS = ['purge-routes', 'scale 0'] as const;
export const IS_GONE = ['purge-routes', 'cut', 'agent.sleep'] as const;
