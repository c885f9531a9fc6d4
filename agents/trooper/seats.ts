import type { TaskView } from '../../src/contract/api.ts';
import type { TrooperRecord } from '../world/values.ts';
import { vacant } from './memory.ts';
import { bySlot, isLive } from './who-manages.ts';

/**
 * Who sits where, decided from what can be seen. A trooper outlives its tasks: it has a seat, (service, slot), and whichever
 * task is started in that slot goes on with it. Seats and tasks part when the world shrinks in the middle: after slot 2 of 3 was
 * destroyed and all have slept, tasks 1 and 2 come back, and the trooper of seat 3 has to change its seat.
 *
 * Each decision is one step. Whoever carries it out looks again afterwards, so a step that came too late is no mistake.
 */
export type Seats = ReadonlyMap<number, TrooperRecord>;
export type Move = NonNullable<TrooperRecord['move']>;

/** Seats that are looked at. A world has 20 troopers at most, so half of them stay free for those who lost their seat. */
export const SEATS_MAX = 40;

export interface Situation {
  readonly slot: number;
  readonly taskId: string;
  readonly seats: Seats;
  readonly tasks: readonly TaskView[];
  /** How many troopers the world is to have. */
  readonly size: number;
  /** Who waits for a seat, coming from another rack. */
  readonly arrival: TrooperRecord | null;
  /** It has waited long enough for the world to shrink to its size, and lives. */
  readonly patient: boolean;
}

export type Step =
  /** This task has its trooper. */
  | { readonly do: 'sit'; readonly record: TrooperRecord }
  /** It is one too many and about to be ended. */
  | { readonly do: 'wait' }
  /** Somebody began to change seats, this task or one that has died. */
  | { readonly do: 'finish'; readonly move: Move }
  | { readonly do: 'move'; readonly move: Move; readonly record: TrooperRecord }
  /** Goes on with the trooper of its seat, `record` as it is there. */
  | { readonly do: 'resume'; readonly record: TrooperRecord }
  /** Puts somebody else into its vacant seat. */
  | { readonly do: 'seat'; readonly record: TrooperRecord };

/** `recruitId` is who is taken on where nobody else is to be had. */
export function nextStep(situation: Situation, recruitId: string): Step {
  const { slot, taskId, seats, arrival } = situation;
  const unfinished = seats.values().find(({ move }) => move !== undefined)?.move;
  if (unfinished !== undefined) return { do: 'finish', move: unfinished };

  const own = seats.get(slot);
  if (own !== undefined && own.trooper !== null && own.task_id === taskId) return { do: 'sit', record: own };
  if (isSurplus(situation)) return { do: 'wait' };

  const seated = new Set([...seats.values()].map(({ trooper }) => trooper));
  const guest = arrival !== null && !seated.has(arrival.trooper) ? arrival : null;
  // Also before somebody who comes from another rack: room for both is made by whoever takes that one in.
  if (own !== undefined && own.trooper !== null) return { do: 'resume', record: own };
  if (guest !== null) return { do: 'seat', record: { ...guest, task_id: taskId } };
  const from = lowestLeftBehind(situation);
  const record = from === null ? undefined : seats.get(from);
  if (from !== null && record !== undefined) return { do: 'move', move: { from, to: slot }, record };
  return { do: 'seat', record: { ...vacant(taskId), trooper: recruitId } };
}

/** Those who stay when the world shrinks to its size: the lowest slots. */
const staying = ({ tasks, size }: Situation): readonly TaskView[] => tasks.filter(isLive).toSorted(bySlot).slice(0, size);

/** A wake starts as many as the config says. Those beyond the size must not take a trooper with them into the dark. */
function isSurplus(situation: Situation): boolean {
  const among = situation.patient ? situation.tasks.filter(isLive) : staying(situation);
  return !among.some(({ id }) => id === situation.taskId);
}

function lowestLeftBehind(situation: Situation): number | null {
  const { seats, tasks, size, slot } = situation;
  const live = new Set(tasks.filter(isLive).map(({ id }) => id));
  const taken = new Set(staying(situation).map((task) => task.slot));
  const left = [...seats].filter(
    ([seat, { trooper, departing, task_id }]) =>
      seat > size && seat !== slot && trooper !== null && departing === null && !taken.has(seat) && !live.has(task_id),
  );
  return left.length === 0 ? null : Math.min(...left.map(([seat]) => seat));
}
