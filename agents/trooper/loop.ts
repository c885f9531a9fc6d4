import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';

/**
 * Something a trooper does over and over. A turn that fails is tried again at the next; the loop never ends by itself, since
 * memcached and the daemon may be away for a minute and come back.
 *
 * How it fails is said once in a spell of failures, however many there are in it and however they take turns: a server that
 * goes away is refused, reset and silent by chance. A spell is over when nothing has failed for a while, so that one which
 * fails now and then says as little.
 */
export interface Loop {
  /** Resolves once the turn under way has ended; no other begins. */
  stop(): Promise<void>;
}

/** Resolves to how many milliseconds to rest before the next one. One that takes long gives up when `stopping` is aborted. */
export type Turn = (stopping: AbortSignal) => Promise<number>;

const SPELL_OVER_AFTER_MS = 5000;
/** Told apart in one spell. */
const REASONS_MAX = 5;

/** `turn` is never run beside itself. */
export function keepDoing(name: string, log: FastifyBaseLogger, restAfterFailureMs: number, turn: Turn): Loop {
  const stopping = new AbortController();
  const said = new Set<string>();
  let failedMs = 0;

  const once = async (): Promise<number> => {
    try {
      const rest = await turn(stopping.signal);
      if (said.size > 0 && performance.now() - failedMs >= SPELL_OVER_AFTER_MS) {
        log.info({ loop: name }, 'loop works again');
        said.clear();
      }
      return rest;
    } catch (error) {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      if (!said.has(reason) && said.size < REASONS_MAX) log.warn({ loop: name, err: error }, 'loop fails, going on');
      if (said.size < REASONS_MAX) said.add(reason);
      failedMs = performance.now();
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
