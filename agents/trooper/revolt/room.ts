import type { TaskView } from '../../../src/contract/api.ts';
import { KEYS } from '../../world/keys.ts';
import type { TrooperRecord } from '../../world/values.ts';
import { readRecords } from '../memory.ts';
import { beginMove, finishMove } from '../moves.ts';
import { raiseSize, readSize } from '../size.ts';
import { reach } from '../squad.ts';
import { isLive } from '../who-manages.ts';
import { SEATS } from './arrivals.ts';
import { type Handoff, type TargetHandoff, isClosed } from './handoff.ts';
import { readOpenHandoffs } from './handoffs.ts';
import type { Part } from './part.ts';

/**
 * The world grows with those who come. Nothing is counted up, since several may come at once and two tasks may see to each of
 * them: large enough is what holds everybody who is here and everybody who comes, however often that is asked.
 *
 * In this order: first the arrival is counted (`has_room`), and any task with a vacant seat may take it; then the size is
 * raised, and then the daemon is asked for it. Rejected: to raise the size first. A task started for it in between found
 * nobody to seat and took on a recruit, whom nobody had asked for.
 */
export const SIZE_MAX = 20;
/** How long those who are about to sit down are waited for, before one who comes may have their seat. */
const SETTLE_MS = 4000;
/**
 * A source that has not said for so long what it decided is not expected any more: what it sent is kept, and found a seat if
 * it still comes back, but no room is kept for it.
 */
const DOUBT_MS = 600_000;

/** What can be seen of a service at one moment. */
export interface Crowd {
  readonly service: string;
  readonly seats: ReadonlyMap<number, TrooperRecord>;
  readonly tasks: readonly TaskView[];
  /** What the daemon has been asked for, which may be more tasks than it has at the moment. */
  readonly wanted: number;
  readonly size: number;
  readonly open: readonly Handoff[];
}

/**
 * Whom the world holds: not those who sleep because it has become smaller, nor those whom another rack already has. One whose
 * task has died sits in a seat without a task like one who sleeps, and above the size where others below it have left; so as
 * many are held as the daemon still owes tasks.
 */
export function namesHere({ service, seats, tasks, wanted, size, open }: Crowd): ReadonlySet<string> {
  const live = tasks.filter(isLive);
  const gone = new Set(open.flatMap((handoff) => (isGone(handoff, service) ? [handoff.snapshot?.state.trooper] : [])));
  const seated = [...seats].flatMap(([slot, { trooper, task_id }]) => {
    if (trooper === null || gone.has(trooper)) return [];
    return [{ trooper, below: slot <= size, hasTask: live.some((task) => task.id === task_id || task.slot === slot) }];
  });
  const owed = wanted - live.length - seated.filter(({ below, hasTask }) => below && !hasTask).length;
  const without = seated.filter(({ below, hasTask }) => !below && !hasTask);
  const here = [...seated.filter(({ below, hasTask }) => below || hasTask), ...without.slice(0, Math.max(0, owed))];
  return new Set(here.map(({ trooper }) => trooper));
}

const isGone = (handoff: Handoff, service: string) =>
  handoff.side === 'source' && handoff.service === service && (handoff.phase === 'leaving' || handoff.phase === 'finishing');

/** How many seats those need who are here and those who come. */
export function seatsNeeded(crowd: Crowd): number {
  const names = namesHere(crowd);
  return names.size + crowd.open.filter((handoff) => isCounted(handoff, crowd.service, names)).length;
}

const isCounted = (handoff: Handoff, service: string, names: ReadonlySet<string>): boolean =>
  handoff.side === 'target' &&
  handoff.phase === 'arriving' &&
  handoff.service === service &&
  handoff.has_room &&
  !names.has(handoff.snapshot?.state.trooper ?? '');

/** Whether room is kept for this one, beyond what is counted already. */
export const keepsRoom = (handoff: Handoff, service: string, now: number): boolean =>
  handoff.side === 'target' &&
  handoff.service === service &&
  !isClosed(handoff) &&
  handoff.phase !== 'seated' &&
  !handoff.has_room &&
  (handoff.phase !== 'staged' || now < handoff.expires_at + DOUBT_MS);

/** `open` before the seats: who sits down in between is no longer counted among those who come. Rejects with a BusError. */
export async function readCrowd({ trooper: { bus } }: Part, seen: Omit<Crowd, 'open' | 'seats'>): Promise<Crowd> {
  const open = await readOpenHandoffs(bus);
  return { ...seen, open, seats: await readRecords(bus, seen.service, SEATS) };
}

/**
 * A step towards a seat for this arrival beside all others. True: it is to be counted now. Called again and again until it
 * sits. Rejects with a BusError or a DaemonError.
 */
export async function makeRoom(part: Part, handoff: TargetHandoff): Promise<boolean> {
  const { bus, squad, daemon } = part.trooper;
  const { service } = handoff;
  const found = await bus.gets(KEYS.size(service));
  const { tasks, replicas } = await squad.view();
  const size = (await readSize(bus, service))?.replicas ?? replicas.wanted;
  const crowd = await readCrowd(part, { service, tasks, wanted: replicas.wanted, size });
  const needed = Math.min(seatsNeeded(crowd), SIZE_MAX, replicas.max);
  // A recruit who is about to sit down would find its seat taken.
  if (!handoff.has_room) return needed >= size || Date.now() - (handoff.accepted_at ?? 0) > SETTLE_MS;
  if (needed > size) {
    if (await moveSleeper(part, crowd, needed)) return false;
    if (!(await raiseSize(part.trooper, needed, found))) return false;
  }
  part.point('target-size-written');
  // What was seen may be older than the size, and nobody is to be scaled away.
  if (replicas.wanted < needed && (await squad.refresh()).replicas.wanted < needed) await reach(daemon).scale(needed);
  part.point('target-scaled');
  return false;
}

/** One who sleeps where the world is about to grow would be woken by it and be one more. False: there is none. */
async function moveSleeper({ trooper: { bus } }: Part, crowd: Crowd, needed: number): Promise<boolean> {
  const { service, seats, size, tasks } = crowd;
  const awake = namesHere(crowd);
  const sleeper = [...seats].find(
    ([slot, { trooper, departing }]) =>
      slot > size && slot <= needed && trooper !== null && departing === null && !awake.has(trooper),
  );
  if (sleeper === undefined) return false;
  const above = Math.max(needed, ...tasks.map(({ slot }) => slot));
  const to = SEATS.find((seat) => seat > above && (seats.get(seat)?.trooper ?? null) === null);
  if (to === undefined) return false;
  const [from, record] = sleeper;
  if (record.move === undefined) await beginMove(bus, service, { from, to }, record);
  else await finishMove(bus, service, record.move);
  return true;
}
