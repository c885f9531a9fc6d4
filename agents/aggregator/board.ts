import Type, { type Static } from 'typebox';
import type { ArmEvent } from '../world/values.ts';

/**
 * The scoreboard: what the list of ARM events adds up to, for each task that is in it. Its score has nothing to do with that
 * of rock-paper-scissors, and reaches only as far back as the list, which keeps the newest 500.
 */
export const BoardRow = Type.Object({
  bot: Type.String(),
  task_id: Type.String(),
  on: Type.Integer(),
  off: Type.Integer(),
  toggles: Type.Integer(),
  score: Type.Integer(),
  current_on_state: Type.Boolean(),
  last_state: Type.String(),
  last_event_at: Type.String(),
});
export type BoardRow = Static<typeof BoardRow>;

export const Scoreboard = Type.Object({
  events: Type.Integer({ description: 'Events that were counted' }),
  scoreboard: Type.Array(BoardRow),
  scoring: Type.String(),
  state_rule: Type.String(),
  source: Type.Literal('memcached'),
});
export type Scoreboard = Static<typeof Scoreboard>;

/** `events`: oldest first, as they lie on the bus. Those without a task are kept by bot. */
export function boardOf(events: readonly ArmEvent[]): readonly BoardRow[] {
  const rows = new Map<string, BoardRow>();
  for (const { task_id, bot, state, at } of events) {
    const key = task_id === '' ? `bot ${bot}` : `task ${task_id}`;
    const before = rows.get(key);
    const on = (before?.on ?? 0) + (state === 'on' ? 1 : 0);
    const off = (before?.off ?? 0) + (state === 'off' ? 1 : 0);
    // The order of the list decides which event is the newest: the clocks of several nodes are in it.
    const newest = { current_on_state: state === 'on', last_state: state, last_event_at: at };
    rows.set(key, { bot, task_id, on, off, toggles: on + off, score: on - off, ...newest });
  }
  return [...rows.values()].toSorted(byRank);
}

/** Whoever is ON first, then the higher score, then the more toggles; the rest so that nobody changes places by chance. */
function byRank(one: BoardRow, other: BoardRow): number {
  return (
    Number(other.current_on_state) - Number(one.current_on_state) ||
    other.score - one.score ||
    other.toggles - one.toggles ||
    order(one.task_id, other.task_id) ||
    order(one.bot, other.bot)
  );
}

const order = (one: string, other: string): number => (one === other ? 0 : one < other ? -1 : 1);
