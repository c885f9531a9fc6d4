import type { LiveView } from '../../../world/views.ts';
import { backoffMs, retryAfterMs } from './backoff.ts';
import { createEventReader } from './event-stream.ts';

/**
 * The connection to the live stream, kept up for as long as the page is open. A page that is looked at wakes a world that
 * sleeps; one in a hidden tab does not, and asks the daemon's health check instead, which neither wakes nor counts.
 */
export type Contact =
  /** Nothing has come yet. */
  | 'calling'
  | 'live'
  /** The world sleeps, and nobody looks. */
  | 'asleep'
  /** It was called, and is not ready yet. */
  | 'waking'
  | 'lost';

export interface Watcher {
  contact(contact: Contact): void;
  world(event: Partial<LiveView>): void;
}

/** The stream says something every 15 s, if only a comment. */
const SILENCE_MAX_MS = 40_000;
const ASLEEP_LOOK_MS = 3000;
/** A daemon that knows the agent answers with a word for its state; then nothing is wrong, it is only not awake. */
const WAKES = /^(?:sleeping|starting|draining|stopping)$/;

/** Until `signal` aborts. */
export async function keepWatching(watcher: Watcher, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    if (document.hidden && failures > 0 && !(await isAwake())) {
      watcher.contact('asleep');
      await rest(ASLEEP_LOOK_MS, signal);
      continue;
    }
    const end = await watchOnce(watcher, signal);
    // A stream that has been live was no failure, and what ended it may be over already.
    failures = end.wasLive ? 1 : failures + 1;
    watcher.contact(end.wakesInMs === null ? 'lost' : 'waking');
    await rest(end.wakesInMs ?? backoffMs(failures, Math.random()), signal);
  }
}

interface End {
  readonly wasLive: boolean;
  /** Null: it is not known to be on its way. */
  readonly wakesInMs: number | null;
}

async function watchOnce(watcher: Watcher, outer: AbortSignal): Promise<End> {
  let wasLive = false;
  const silence = new AbortController();
  const signal = AbortSignal.any([outer, silence.signal]);
  let timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
  try {
    const response = await fetch('/api/live', { headers: { accept: 'text/event-stream' }, cache: 'no-store', signal });
    if (!response.ok || response.body === null) return { wasLive, wakesInMs: await wakesIn(response) };
    const read = createEventReader();
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
      for (const { event, data } of read(piece)) {
        if (event !== 'world') continue;
        watcher.world(JSON.parse(data) as Partial<LiveView>);
        if (!wasLive) watcher.contact('live');
        wasLive = true;
      }
    }
  } catch {
    // Whatever it was, the answer is to try again.
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
  return { wasLive, wakesInMs: null };
}

/** How long a world that is on its way asks for; null where this is no such answer. */
export async function wakesIn(response: Response): Promise<number | null> {
  if (response.status !== 503) return null;
  try {
    const body = (await response.clone().json()) as { readonly status?: unknown };
    return typeof body.status === 'string' && WAKES.test(body.status) ? retryAfterMs(response.headers.get('retry-after')) : null;
  } catch {
    return null;
  }
}

async function isAwake(): Promise<boolean> {
  try {
    return (await fetch('/api/health', { cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}

/** Ends early where somebody comes back to the page, or the machine back to its network. */
function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', end);
      window.removeEventListener('online', end);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    document.addEventListener('visibilitychange', end);
    window.addEventListener('online', end);
    signal.addEventListener('abort', end);
  });
}
