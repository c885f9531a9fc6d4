import type { KeptState } from '../contract/events.ts';
import type { Millis, WallTime } from '../std/time.ts';

/** A registered route as it is kept. `task` is the id of the task it is bound to. */
export interface StoredRoute {
  readonly hostname: string;
  readonly agent: string;
  readonly task: string;
  readonly port: number;
  readonly createdAt: WallTime;
  readonly expiresAt: WallTime | null;
  /** What is left of its ttl while its agent is frozen and that clock stands still; `expiresAt` says nothing then. Else null. */
  readonly leftMs: Millis | null;
}

/** An agent made through the API: the body it was made with, checked again when it is read back. */
export interface StoredAgent {
  readonly name: string;
  readonly body: unknown;
  readonly createdAt: WallTime;
}

/** An operator's word that an agent is kept asleep or awake, until a time or until further notice. */
export interface StoredOverride {
  readonly agent: string;
  readonly state: KeptState;
  readonly since: WallTime;
  readonly until: WallTime | null;
}

/** Something that happened: an EventBody (src/contract/events.ts), as JSON. */
export interface StoredEvent {
  readonly id: number;
  readonly body: unknown;
}

/** A write that did not happen; nothing was changed. `detail` names the file and the cause. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/**
 * The daemon's memory across restarts. Synchronous, since what it holds is small and a caller that was told `200` must find
 * it again after kill -9. Writes throw {@link StoreError}.
 */
export interface Store {
  routes(): readonly StoredRoute[];
  putRoute(route: StoredRoute): void;
  /** All of them or none, in one go: an agent that sleeps may have a thousand. One that is not there is no mistake. */
  deleteRoutes(hostnames: readonly string[]): void;
  agents(): readonly StoredAgent[];
  putAgent(agent: StoredAgent): void;
  /** The agent, and all that is remembered of it. */
  deleteAgent(name: string): void;
  /** All that is remembered of other agents goes: starts, last activity, override. Agents that the API made stay. */
  forgetAllBut(names: readonly string[]): void;
  /** The most recent measured starts of an agent, newest last, at most `STARTS_KEPT`. */
  starts(agent: string): readonly Millis[];
  addStart(agent: string, took: Millis): void;
  /** When the agent last had work; null where that is not known. */
  lastActivity(agent: string): WallTime | null;
  putLastActivity(agent: string, at: WallTime): void;
  /** By agent. */
  overrides(): readonly StoredOverride[];
  putOverride(override: StoredOverride): void;
  deleteOverride(agent: string): void;
  /** The id of the newest event that is kept; 0 before the first. */
  lastEventId(): number;
  /** Of the events that are kept those after `id`, oldest first, at most `limit`. Ids are missing where a write had failed. */
  eventsAfter(id: number, limit: number): readonly StoredEvent[];
  /** Ids rise. The newest `EVENTS_KEPT` stay; older ones go in batches, so that most writes are one row. */
  addEvent(event: StoredEvent): void;
  close(): void;
}

export const STARTS_KEPT = 50;
/** Some days of a busy fleet, and a few megabytes. */
export const EVENTS_KEPT = 10_000;
/** How many more there may be before the oldest go. */
export const EVENTS_BATCH = 100;
