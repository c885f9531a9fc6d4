import { type Millis, millisOf } from '../../src/std/time.ts';
import { DaemonError } from './daemon-error.ts';
import type { Daemon } from './daemon.ts';
import { type Renewal, type RenewalWatcher, keepRenewed } from './renewal.ts';

/** A hostname that leads to another port of this task for as long as it is renewed. */
export interface Route {
  readonly hostname: string;
  /** `:port`, or an http URL whose host is this agent. */
  readonly target: string;
  /** How long it outlives a task that can no longer renew it; 2 min if left out. */
  readonly ttl?: Millis;
}

const TTL = millisOf(120_000);

/** Registers the route and keeps it. Rejects with a DaemonError when the daemon refuses it (see keepRenewed). */
export function keepRoute(daemon: Daemon, route: Route, watcher: RenewalWatcher): Promise<Renewal> {
  const claim = {
    take: () => daemon.register(route.hostname, route.target, route.ttl ?? TTL),
    drop: async () => {
      try {
        await daemon.unregister(route.hostname);
      } catch (error) {
        // Already gone is what was wanted: it lapsed, or the daemon purged it because the agent is going to sleep.
        if (!(error instanceof DaemonError) || error.code !== 'unknown-service') throw error;
      }
    },
  };
  return keepRenewed(claim, watcher);
}
