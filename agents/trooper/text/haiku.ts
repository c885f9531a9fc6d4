import type { FastifyInstance } from 'fastify';
import { KEYS, TTL } from '../../world/keys.ts';
import { GeneratedText } from '../../world/values.ts';
import { HaikuView } from '../../world/views.ts';
import type { Squad } from '../squad.ts';
import type { Trooper } from '../trooper.ts';
import { HAIKU, type Writer, fromStock } from './writer.ts';
import { valueIn } from '../../world/value-in.ts';

/**
 * The world's haiku: one for all services of a bus, written by the task that manages, every two minutes. Whoever asks before
 * there is one writes a poem of the stock in its place, so that all who ask see the same.
 */
const EVERY_MS = 120_000;
/** How soon a task notices that it manages, or that the poem is gone. */
const LOOK_AGAIN_MS = 2000;

export type Poet = Pick<Trooper, 'bus' | 'daemon' | 'taskId'> & { readonly squad: Pick<Squad, 'manager'> };

export function startHaiku(trooper: Trooper, writer: Writer): void {
  trooper.keepDoing('haiku', LOOK_AGAIN_MS, async (stopping) => {
    await writeHaiku(trooper, writer, stopping);
    return LOOK_AGAIN_MS;
  });
}

/** Whether it wrote one. Rejects with a BusError or a DaemonError. */
export async function writeHaiku(poet: Poet, writer: Writer, stopping: AbortSignal): Promise<boolean> {
  if (!(await isTurnOf(poet))) return false;
  const haiku = await writer.write(HAIKU, stopping);
  // A model may take long enough for another to manage meanwhile, and to have written.
  if (haiku === null || !(await isTurnOf(poet))) return false;
  await poet.bus.set(KEYS.haiku, JSON.stringify(haiku), TTL.haiku);
  return true;
}

async function isTurnOf({ bus, squad, daemon, taskId }: Poet): Promise<boolean> {
  // Asked first, since it costs the daemon nothing and says no most of the time.
  if (!isDue(haikuOf(await bus.get(KEYS.haiku)), Date.now())) return false;
  return daemon === null || (await squad.manager()) === taskId;
}

/** What a reader wrote for want of a poem does not keep the real one waiting; nor does one whose time cannot be read. */
export function isDue(haiku: GeneratedText | null, nowMs: number): boolean {
  if (haiku === null || haiku.source === 'fallback-api') return true;
  // The clock of who wrote it may be ahead, but not so far that nobody ever writes again.
  return !(Math.abs(nowMs - Date.parse(haiku.at)) < EVERY_MS);
}

/** Never without a poem. Rejects with a BusError. */
export async function readHaiku(trooper: Pick<Trooper, 'bus' | 'taskId'>): Promise<HaikuView> {
  const found = haikuOf(await trooper.bus.get(KEYS.haiku));
  return { haiku: found ?? (await lendHaiku(trooper)), interval_seconds: EVERY_MS / 1000 };
}

async function lendHaiku({ bus, taskId }: Pick<Trooper, 'bus' | 'taskId'>): Promise<GeneratedText> {
  const haiku = fromStock(HAIKU, taskId, 'fallback-api', Date.now());
  // Not `set`: the one that manages may have written meanwhile.
  if (await bus.add(KEYS.haiku, JSON.stringify(haiku), TTL.haiku)) return haiku;
  return haikuOf(await bus.get(KEYS.haiku)) ?? haiku;
}

export function serveHaiku(http: FastifyInstance, trooper: Pick<Trooper, 'bus' | 'taskId'>): void {
  http.get('/api/haiku', { schema: { response: { 200: HaikuView } } }, () => readHaiku(trooper));
}

/** Null where there is none, or something that is none. */
const haikuOf = (text: string | null): GeneratedText | null => valueIn(GeneratedText, text);
