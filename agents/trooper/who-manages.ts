import type { TaskView } from '../../src/contract/api.ts';

/**
 * Who manages: the one tile that says MANAGER, and the one task that publishes. Every trooper comes to the same answer from
 * the same list, so none has to be asked: an override if its slot runs, else the lowest slot on the node of Swarm's leader,
 * else the lowest slot.
 *
 * A task is listed from the moment it is started, and of no use before it has taken its seat. So those in their seats come
 * first, or rounds would wait for every replacement to boot.
 */
export function managerOf(
  tasks: readonly TaskView[],
  overrideSlot: number | null,
  isSeated: (task: TaskView) => boolean,
): TaskView | null {
  const all = tasks.filter(isLive).toSorted(bySlot);
  const seated = all.filter(isSeated);
  const live = seated.length > 0 ? seated : all;
  const overridden = live.find(({ slot, state }) => slot === overrideSlot && state === 'running');
  return overridden ?? live.find(({ on_leader }) => on_leader) ?? live[0] ?? null;
}

/** One that ends no longer counts; one that starts does, as in the original. */
export const isLive = (task: TaskView): boolean => task.state !== 'ending';

/** The id settles what cannot be: two tasks in one slot, as during an update of the service. */
export const bySlot = (one: TaskView, other: TaskView): number => one.slot - other.slot || (one.id < other.id ? -1 : 1);
