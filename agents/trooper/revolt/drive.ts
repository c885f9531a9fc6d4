import { setTimeout as pause } from 'node:timers/promises';
import { readRecords } from '../memory.ts';
import type { Trooper } from '../trooper.ts';
import { SEATS } from './arrivals.ts';
import * as departure from './departure.ts';
import { type Handoff, isClosed } from './handoff.ts';
import { listOpen, readOpenIds } from './handoffs.ts';
import { type Part, partOf } from './part.ts';
import * as reception from './reception.ts';
import { stepSource } from './source-steps.ts';
import { stepTarget } from './target-steps.ts';

/** The shell around both state machines: does what is due, tells them what came of it, again and again. */
const WAIT_MAX_MS = 5000;
/** Driving goes on in turns, so that a new manager takes over from one that has lost the post. */
const TURN_MS = 1500;
const REST_MS = 500;
const TAKE_UP_EVERY_MS = 30_000;

/**
 * Drives one handoff until it is closed or `isEnough`, or the time is over. Resolves to what it is then; null: there is none.
 * Rejects with a BusError, a DaemonError or a SnapshotFileError; another attempt may follow.
 */
export async function drive(
  part: Part,
  id: string,
  until: number,
  isEnough: (handoff: Handoff) => boolean = () => false,
): Promise<Handoff | null> {
  for (;;) {
    const handoff = await tick(part, id);
    if (handoff === null || isClosed(handoff) || isEnough(handoff) || Date.now() >= until) return handoff;
    const waitMs = handoff.side === 'source' ? await driveSource(part, handoff) : await driveTarget(part, handoff);
    if (waitMs === null) return handoff;
    await pause(Math.max(0, Math.min(waitMs, WAIT_MAX_MS, until - Date.now())));
  }
}

const tick = async ({ keeper }: Part, id: string): Promise<Handoff | null> =>
  (await keeper.tellSource(id, { type: 'tick' })) ?? (await keeper.tellTarget(id, { type: 'tick' }));

async function driveSource(part: Part, handoff: Handoff & { readonly side: 'source' }): Promise<number> {
  let wait = 0;
  for (const effect of stepSource(handoff, { type: 'tick' }, Date.now()).effects) {
    const { event, waitMs } = await departure.perform(part, handoff, effect);
    part.point(`source-${effect}-done`);
    if (event !== null) await part.keeper.tellSource(handoff.id, event);
    wait = Math.max(wait, waitMs);
  }
  return wait;
}

async function driveTarget(part: Part, handoff: Handoff & { readonly side: 'target' }): Promise<number | null> {
  const { effects } = stepTarget(handoff, { type: 'tick' }, Date.now());
  // It is the other rack's turn.
  if (effects.length === 0) return null;
  let wait = 0;
  for (const effect of effects) {
    const { event, waitMs } = await reception.perform(part, handoff, effect);
    if (event !== null) await part.keeper.tellTarget(handoff.id, event);
    wait = Math.max(wait, waitMs);
  }
  return wait;
}

/** Whoever manages finishes what others have begun: those who died over it, and those of before a restart. */
export function startRevolts(trooper: Trooper): void {
  const part = partOf(trooper);
  if (part === null) return;
  let tookUpAt = -Infinity;
  trooper.keepDoing('revolt', REST_MS, async () => {
    if ((await trooper.squad.manager()) !== trooper.taskId) return REST_MS;
    if (Date.now() - tookUpAt > TAKE_UP_EVERY_MS) {
      await part.keeper.takeUp();
      await freeAbandoned(part);
      tookUpAt = Date.now();
    }
    const until = Date.now() + TURN_MS;
    const ends = await Promise.allSettled((await readOpenIds(trooper.bus)).map((id) => driveListed(part, id, until)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return REST_MS;
  });
}

async function driveListed(part: Part, id: string, until: number): Promise<void> {
  if ((await drive(part, id, until)) === null) await listOpen(part.trooper.bus, id, false);
}

/** A record that stands still for a handoff which nobody knows any more, or which has been called off, is let go. */
async function freeAbandoned(part: Part): Promise<void> {
  const { bus, settings } = part.trooper;
  const records = await readRecords(bus, settings.service, SEATS);
  for (const [slot, { departing }] of records) {
    if (departing === null) continue;
    const handoff = await part.keeper.read(departing);
    if (handoff !== null && handoff.phase !== 'aborted') continue;
    await departure.letGo(part, settings.service, slot, departing);
  }
}
