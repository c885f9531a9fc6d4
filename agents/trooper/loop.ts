import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';

/**
 * Something a trooper does over and over. A turn that fails is said once and tried again at the next; the loop never ends
 * by itself, since memcached and the daemon may be away for a minute and come back.
 */
export interface Loop {
  /** Resolves once the turn under way has ended; no other begins. */
  stop(): Promise<void>;
}

/** Resolves to how many milliseconds to rest before the next one. One that takes long gives up when `stopping` is aborted. */
export type Turn = (stopping: AbortSignal) => Promise<number>;

/** `turn` is never run beside itself. */
export function keepDoing(name: string, log: FastifyBaseLogger, restAfterFailureMs: number, turn: Turn): Loop {
  const stopping = new AbortController();
  let failing: string | null = null;

  const once = async (): Promise<number> => {
    try {
      const rest = await turn(stopping.signal);
      if (failing !== null) log.info({ loop: name }, 'loop works again');
      failing = null;
      return rest;
    } catch (error) {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      if (reason !== failing) log.warn({ loop: name, err: error }, 'loop fails, going on');
      failing = reason;
      return restAfterFailureMs;
    }
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const rest = await once();
      await sleep(rest, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}
