import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { EventStream, EventStreams } from '../kit/event-streams.ts';
import type { LiveView } from '../world/views.ts';

/**
 * The live stream of the page. All streams of a process share one reader, which looks at the world about twice a second and
 * only while somebody watches; what it sends is what has changed since. Rejected: one reader for each stream, since twenty
 * open pages would then ask the bus and the daemon twenty times for the same.
 */
export type LivePart = Exclude<keyof LiveView, 'at'>;

/** How each part is read. One that rejects, or does not answer in time, is sent as `absent`. */
export type LiveParts = {
  readonly [Part in LivePart]: { readonly read: () => Promise<LiveView[Part]>; readonly absent: LiveView[Part] };
};

export interface LivePace {
  readonly everyMs: number;
  /** Longest wait for one part, so that it holds up the others no longer. */
  readonly partMs: number;
}

const PACE: LivePace = { everyMs: 500, partMs: 1500 };

/**
 * `GET /api/live`: server-sent events named `world`. The first of a stream is a whole LiveView; each later one has `at` and
 * the parts that are no longer what they were.
 */
export function serveLive(http: FastifyInstance, streams: EventStreams, parts: LiveParts, pace: LivePace = PACE): void {
  const watch = createWatch(parts, pace);
  // A stream is an open request, and asking for its head would be one that never ends.
  http.get('/api/live', { exposeHeadRoute: false }, (_request, reply) => {
    const stream = streams.start(reply);
    if (stream !== null) watch(stream);
  });
}

type Reading = Readonly<Record<LivePart, unknown>>;

function createWatch(parts: LiveParts, { everyMs, partMs }: LivePace): (stream: EventStream) => void {
  const watching = new Set<EventStream>();
  const names = Object.keys(parts) as LivePart[];
  const readers = names.map((name) => ({ name, read: oneAtATime(parts[name], partMs) }));
  /** As text, to be compared; null until somebody watches and the first reading has come. */
  let last: { readonly reading: Reading; readonly texts: ReadonlyMap<LivePart, string> } | null = null;
  let running = false;

  const look = async (): Promise<void> => {
    const read = await Promise.all(readers.map(async (part) => [part.name, await part.read()] as const));
    const reading = Object.fromEntries(read) as Reading;
    const texts = new Map(read.map(([name, value]) => [name, JSON.stringify(value)]));
    const before = last;
    last = { reading, texts };
    const changed = read.filter(([name]) => texts.get(name) !== before?.texts.get(name));
    if (changed.length === 0) return;
    const event = { at: new Date().toISOString(), ...Object.fromEntries(changed) };
    for (const stream of watching) stream.send('world', event);
  };
  const run = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (watching.size > 0) {
      await look();
      await sleep(everyMs);
    }
    // What was seen last is old when the next one comes.
    last = null;
    running = false;
  };

  return (stream) => {
    stream.onClose(() => watching.delete(stream));
    if (last !== null) stream.send('world', { at: new Date().toISOString(), ...last.reading });
    watching.add(stream);
    void run();
  };
}

/** Never rejects. Whoever asks again while an answer is awaited waits for the same one. */
function oneAtATime(part: LiveParts[LivePart], limitMs: number): () => Promise<unknown> {
  let asked: Promise<unknown> | null = null;
  return async () => {
    asked ??= (part.read() as Promise<unknown>).catch(() => part.absent).finally(() => (asked = null));
    const giveUp = new AbortController();
    const late = sleep(limitMs, part.absent, { signal: giveUp.signal }).catch(() => part.absent);
    const answer = await Promise.race([asked, late]);
    giveUp.abort();
    return answer;
  };
}
