import type { Choice, TrooperRecord } from '../../world/values.ts';
import type { Round, Shown } from './book.ts';

/** Rock, paper, scissors: what a round does to the one who plays it. */
export const CHOICES = ['rock', 'paper', 'scissors'] as const satisfies readonly Choice[];

const BEATS: Readonly<Record<Choice, Choice>> = { rock: 'scissors', paper: 'rock', scissors: 'paper' };

export const choiceOf = (shown: Shown): Choice => (shown === 'stone' ? 'rock' : shown);

/** What `mine` is worth against the choice of the one who published: 1, 0 or -1. */
export function pointsOf(mine: Choice, leader: Shown): number {
  const theirs = choiceOf(leader);
  if (mine === theirs) return 0;
  return BEATS[mine] === theirs ? 1 : -1;
}

export interface Seat {
  readonly taskId: string;
  readonly manages: boolean;
  /** It was in its seat when there was no round yet, so the first one is its own to play. */
  readonly sawNone: boolean;
}

/** A task changes a record that is its own, and while it is nobody else's to change. */
export const isSeated = (record: TrooperRecord | null, taskId: string): record is TrooperRecord =>
  record !== null &&
  record.task_id === taskId &&
  record.trooper !== null &&
  record.departing === null &&
  record.move === undefined;

/**
 * The record after all of `rounds` that it has not seen; null: nothing to change. Who manages, and a recruit at its first
 * look, only take note of them. `draw` is asked once for each round that is played.
 */
export function played(
  record: TrooperRecord | null,
  rounds: readonly Round[],
  { taskId, manages, sawNone }: Seat,
  draw: (round: Round) => Choice,
): TrooperRecord | null {
  const newest = rounds.at(-1);
  if (newest === undefined || !isSeated(record, taskId)) return null;
  const { last_round: last } = record;
  const isNew = ({ at }: Round): boolean => last === null || at > last;
  if (!isNew(newest)) return null;
  const plays = !manages && (last !== null || sawNone);
  const mine = plays ? rounds.filter((round) => isNew(round) && round.task_id !== taskId) : [];
  const points = mine.reduce((sum, round) => sum + pointsOf(draw(round), round.choice), 0);
  return { ...record, score: record.score + points, last_round: newest.at };
}
