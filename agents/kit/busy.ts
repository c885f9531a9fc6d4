import { type Millis, millisOf } from '../../src/std/time.ts';
import type { Daemon } from './daemon.ts';
import { type Renewal, type RenewalWatcher, keepRenewed } from './renewal.ts';

/**
 * "Do not put me to sleep, I am working", for work that no open request shows. The daemon knows one lease a task, so all
 * work of this process shares it: the first hold takes it, the last release ends it, in between it is renewed. A process that
 * dies holds nothing for longer than the ttl.
 */
export interface Busy {
  /** Open holds. */
  readonly held: number;
  /**
   * Resolves once the daemon has promised. `release` is owed on every path; the second call does nothing. The daemon shows
   * the `reason` (at most 200 characters are sent) of the hold that came first. Rejects with a DaemonError.
   */
  hold(reason: string): Promise<Hold>;
}

export interface Hold {
  release(): Promise<void>;
}

interface Lease {
  readonly renewal: Promise<Renewal>;
  holds: number;
}

const TTL = millisOf(60_000);
const REASON_CHARACTERS_MAX = 200;

export function busyWith(daemon: Daemon, watcher: RenewalWatcher, ttl: Millis = TTL): Busy {
  let lease: Lease | null = null;
  // Taking and dropping one after the other: a drop that arrives after the next take would end the new lease.
  let turn: Promise<unknown> = Promise.resolve();

  const begin = (reason: string): Lease => {
    const text = reason.slice(0, REASON_CHARACTERS_MAX) || 'busy';
    const claim = { take: () => daemon.takeLease(ttl, text), drop: () => daemon.dropLease() };
    const lost: RenewalWatcher['lost'] = (error) => {
      if (lease === begun) lease = null;
      watcher.lost(error);
    };
    const renewal = turn.then(() => keepRenewed(claim, { late: watcher.late, lost }));
    turn = renewal.catch(() => undefined);
    const begun: Lease = { renewal, holds: 0 };
    return begun;
  };

  return {
    get held() {
      return lease?.holds ?? 0;
    },
    hold: async (reason) => {
      const shared = (lease ??= begin(reason));
      shared.holds += 1;
      let renewal: Renewal;
      try {
        renewal = await shared.renewal;
      } catch (error) {
        if (lease === shared) lease = null;
        throw error;
      }
      let released = false;
      return {
        release: async () => {
          if (released) return;
          released = true;
          shared.holds -= 1;
          if (shared.holds > 0) return;
          if (lease === shared) lease = null;
          const dropped = renewal.drop();
          turn = dropped.catch(() => undefined);
          await dropped;
        },
      };
    },
  };
}
