import type { FastifyBaseLogger } from 'fastify';
import { type Busy, busyWith } from './busy.ts';
import { type Daemon, daemonAt } from './daemon.ts';
import type { Access } from './exchange.ts';
import type { Renewal, RenewalWatcher } from './renewal.ts';
import { type Route, keepRoute } from './routes.ts';

/** The daemon as a running agent sees it: its calls, and what is kept up for as long as the agent lives. */
export interface DaemonLink {
  readonly calls: Daemon;
  readonly busy: Busy;
  /** Registers a hostname that leads to another port of this task, and keeps it until `drop` or the stop. */
  keepRoute(route: Route): Promise<Renewal>;
  /**
   * Takes back every route, so that nobody is sent to a port that is about to close. A busy lease is left: it ends with the
   * task, and until then there may be work behind it.
   */
  close(): Promise<void>;
}

export function linkDaemon(access: Access, log: FastifyBaseLogger): DaemonLink {
  const calls = daemonAt(access);
  const routes = new Set<Promise<Renewal>>();
  return {
    calls,
    busy: busyWith(calls, watcherOf(log, { lease: 'busy' })),
    keepRoute: (route) => {
      const kept = keepRoute(calls, route, watcherOf(log, { hostname: route.hostname }));
      routes.add(kept);
      kept.catch(() => routes.delete(kept));
      return kept;
    },
    close: async () => {
      await Promise.all([...routes].map(async (kept) => (await kept).drop()));
    },
  };
}

function watcherOf(log: FastifyBaseLogger, facts: Readonly<Record<string, string>>): RenewalWatcher {
  return {
    late: (error, waitMs) => log.warn({ ...facts, err: error, wait_ms: Math.round(waitMs) }, 'renewal failed, trying again'),
    lost: (error) => log.error({ ...facts, err: error }, 'renewal refused, given up'),
  };
}
