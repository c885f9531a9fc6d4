import type { Millis, WallTime } from '../std/time.ts';

/** A registered route as it is kept. `task` is the id of the task it is bound to. */
export interface StoredRoute {
  readonly hostname: string;
  readonly agent: string;
  readonly task: string;
  readonly port: number;
  readonly createdAt: WallTime;
  readonly expiresAt: WallTime | null;
}

/** An agent made through the API: the body it was made with, checked again when it is read back. */
export interface StoredAgent {
  readonly name: string;
  readonly body: unknown;
  readonly createdAt: WallTime;
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
  deleteAgent(name: string): void;
  /** The most recent measured starts of an agent, newest last, at most `STARTS_KEPT`. */
  starts(agent: string): readonly Millis[];
  addStart(agent: string, took: Millis): void;
  close(): void;
}

export const STARTS_KEPT = 50;
