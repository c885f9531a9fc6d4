import { type Instant, type Millis, after, earliest, elapsed, millisOf } from '../std/time.ts';
import { isEvictable } from './agent/frozen.ts';
import type { Policy } from './agent/policy.ts';
import type { AgentState, Degraded, Frozen, Ready, Seeking, Sleeping } from './agent/state.ts';

/**
 * Who may be awake where `max_ready_agents` sets a limit. On-demand agents take places, from the order to start until nothing
 * of them is left; whoever wants one waits in order of arrival. Nobody is evicted who is at work, pinned, kept awake, or up for
 * less than idle.min_awake: with that two agents cannot push each other out in turns, and a place that cannot be had is
 * waited for. Frozen agents go first, then those whose last work is longest ago.
 */
export interface Occupant {
  readonly name: string;
  readonly state: AgentState;
  readonly policy: Policy;
  /** People's time of its last work, for the order of eviction; also of an earlier daemon's. */
  readonly lastUsed: number;
}

export interface Seating {
  /** Those who may start now, in order. */
  readonly placed: readonly string[];
  readonly evicted: readonly string[];
  /** When somebody may become evictable just by time. */
  readonly lookAgain: Instant | null;
}

/** Seats those who seek a place; of two who began in the same instant the first of `agents`. `max` 0: everybody. */
export function seat(agents: readonly Occupant[], max: number, now: Instant): Seating {
  const seeking = agents
    .flatMap(({ name, state }) => (isSeeking(state) ? [{ name, since: state.seeking.since }] : []))
    .sort((a, b) => a.since - b.since);
  if (max === 0) return { placed: seeking.map(({ name }) => name), evicted: [], lookAgain: null };
  const taken = agents.filter(({ state }) => takesPlace(state));
  const free = Math.max(0, max - taken.length);
  const placed = seeking.slice(0, free).map(({ name }) => name);
  const waiting = seeking.length - placed.length;
  // More may be awake than there are places, where somebody scaled by hand: they have to go too before a place is free.
  const missing = waiting === 0 ? 0 : waiting + Math.max(0, taken.length - max) - taken.filter(givesPlace).length;
  const evicted = taken
    .filter(isCandidate)
    .filter(({ state, policy }) => isEvictable(state, now, policy))
    .sort((a, b) => Number(b.state.name === 'frozen') - Number(a.state.name === 'frozen') || a.lastUsed - b.lastUsed)
    .slice(0, Math.max(0, missing))
    .map(({ name }) => name);
  const lookAgain = evicted.length < missing ? nextEvictable(taken, now) : null;
  return { placed, evicted, lookAgain };
}

/** Whether one more agent could be given a place soon: one is free, or somebody can be evicted for it. */
export function hasRoom(agents: readonly Occupant[], max: number, now: Instant): boolean {
  if (max === 0) return true;
  const seeking = agents.filter(({ state }) => isSeeking(state)).length;
  const taken = agents.filter(({ state }) => takesPlace(state));
  const evictable = taken.filter(isCandidate).filter(({ state, policy }) => isEvictable(state, now, policy)).length;
  return taken.length + seeking - evictable - taken.filter(givesPlace).length < max;
}

/** What nobody can know: when work ends that is going on. */
const UNKNOWN = millisOf(10_000);

/** After how long asking for a place again is worth while: when the first agent can be evicted, as things are. */
export function roomIn(agents: readonly Occupant[], now: Instant): Millis {
  const next = nextEvictable(
    agents.filter(({ state }) => takesPlace(state)),
    now,
  );
  return next === null ? UNKNOWN : elapsed(now, next);
}

/** It waits for a place. */
export const isSeeking = (state: AgentState): state is (Sleeping | Degraded) & { readonly seeking: Seeking } =>
  'seeking' in state && state.seeking !== null;

export const takesPlace = (state: AgentState): boolean =>
  state.policy === 'on-demand' && state.name !== 'sleeping' && state.name !== 'degraded';

/** On its way out, so that a place becomes free without anybody doing more. */
function givesPlace({ state }: Occupant): boolean {
  if (state.policy !== 'on-demand') return false;
  if (state.name === 'stopping') return state.next === 'sleep';
  if (state.name === 'frozen') return state.then === 'evicted' || state.then === 'idle' || state.then === 'admin';
  return state.name === 'draining' && state.reason !== 'restart' && !state.busy;
}

interface Candidate extends Occupant {
  readonly state: Ready | Frozen;
}
const isCandidate = (agent: Occupant): agent is Candidate =>
  agent.state.name === 'ready' || (agent.state.name === 'frozen' && agent.state.then === null);

function nextEvictable(taken: readonly Occupant[], now: Instant): Instant | null {
  let next: Instant | null = null;
  for (const agent of taken) {
    if (!isCandidate(agent)) continue;
    const { state, policy } = agent;
    const at = after(state.awakeSince, policy.minAwake);
    if (at > now && isEvictable(state, at, policy)) next = next === null ? at : earliest(next, at);
  }
  return next;
}
