import type { EventType, WakeCause } from '../../contract/events.ts';
import type { Instant, Millis } from '../../std/time.ts';
import type { AgentStateName } from '../../contract/events.ts';
import type { SeenTask } from './tasks.ts';

/** What can happen to an agent. An effect reports back as one of these too, never as a return value. */
export type AgentEvent =
  /** Somebody wants it. `admin` overrides backoff and an admin's own sleep; a caller does not. */
  | { readonly type: 'wanted'; readonly cause: WakeCause; readonly admin: boolean }
  /** The first piece of work began. */
  | { readonly type: 'busy' }
  /** The last piece of work ended. */
  | { readonly type: 'quiet'; readonly lastActivity: Instant }
  /** Whether anything is open that does not hold it awake: sockets that were let go of, requests that do not count. */
  | { readonly type: 'lingers'; readonly open: boolean }
  /** An operator wants it asleep; `force` does not wait for work. */
  | { readonly type: 'sleep-ordered'; readonly force: boolean }
  /** Somebody else wants its place. */
  | { readonly type: 'evict' }
  /** It may start: one of max_ready_agents places is its own. */
  | { readonly type: 'placed' }
  /** The last caller who waited for it has gone. */
  | { readonly type: 'unwanted' }
  /** The order to freeze, or to thaw, was carried out. */
  | { readonly type: 'froze' }
  | { readonly type: 'thawed' }
  /** The engine told all it knows. Never sent while an order of ours is under way, so it is never older than the order. */
  | ({ readonly type: 'observed' } & Sighting)
  | { readonly type: 'probed'; readonly task: string; readonly healthy: boolean; readonly detail: string }
  /** The engine did not take the order. `refused`: asking again would not help; else it cannot be reached. */
  | {
      readonly type: 'order-failed';
      readonly order: 'scale' | 'freeze' | 'thaw';
      readonly refused: boolean;
      readonly detail: string;
    }
  /** The deadline that `nextDeadline` named has come. */
  | { readonly type: 'due' };

export interface Sighting {
  readonly wanted: number;
  readonly tasks: readonly SeenTask[];
  readonly converging: boolean;
  readonly lastExit: string | null;
  /** Why nothing could run whatever was ordered. */
  readonly obstacle: string | null;
}

/** Why nothing runs, as far as the engine knows; `before` where it says nothing now. */
export const whyNot = (seen: Sighting, before: string | null): string | null => seen.obstacle ?? seen.lastExit ?? before;

export type AgentEventType = AgentEvent['type'];

/** What the runtime is to do. Performed in order, after the new state was assigned. */
export type AgentEffect =
  | { readonly type: 'scale'; readonly replicas: number }
  /** Closes the connections that are kept to it, then stops its processes where they are. */
  | { readonly type: 'freeze' }
  | { readonly type: 'thaw' }
  | { readonly type: 'announce'; readonly event: Announcement }
  /** Registered routes end with the tasks they lead to. */
  | { readonly type: 'purge-routes'; readonly because: string }
  /** Whatever work is left has to go now. */
  | { readonly type: 'cut' }
  /** One start ended, well or not. */
  | { readonly type: 'start-measured'; readonly result: 'ready' | 'timeout' | 'exited' | 'refused'; readonly took: Millis };

export interface Announcement {
  readonly type: EventType;
  readonly from?: AgentStateName;
  readonly to?: AgentStateName;
  readonly facts?: Readonly<Record<string, string | number>>;
}

export interface Step<S> {
  readonly state: S;
  readonly effects: readonly AgentEffect[];
}
