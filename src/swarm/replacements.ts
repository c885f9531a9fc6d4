import type { ApiTask } from './api.ts';
import { type Knowledge, endedByItself, liveIn } from './sighting.ts';

/**
 * Counts the tasks that Swarm brought for others that had ended by themselves. Swarm does not say which task stands for
 * which; they share a slot. Written by the service alone, once for each listing.
 */
export class Replacements {
  private live = new Set<string>();
  private seen: ReadonlySet<string> | null = null;
  private readonly fallen = new Set<number>();

  /** An order is not a replacement. */
  reset(): void {
    this.fallen.clear();
  }

  count(tasks: readonly ApiTask[], knowledge: Knowledge): number {
    const live = liveIn(tasks, knowledge);
    const isRunning = (task: ApiTask): boolean => task.DesiredState === 'running' && live.includes(task);
    for (const task of tasks) {
      const fell = endedByItself(task, knowledge) && (this.live.has(task.ID) || this.seen?.has(task.ID) === false);
      if (fell) this.fallen.add(task.Slot ?? 1);
    }
    let replaced = 0;
    for (const task of tasks) {
      if (!isRunning(task) || this.live.has(task.ID) || !this.fallen.delete(task.Slot ?? 1)) continue;
      replaced += 1;
    }
    // What has ended by itself stays on the list until Swarm has entered so, and is counted then.
    const unentered = tasks.filter((task) => this.live.has(task.ID) && !endedByItself(task, knowledge));
    this.live = new Set([...tasks.filter(isRunning), ...unentered].map(({ ID }) => ID));
    this.seen = new Set(tasks.map(({ ID }) => ID));
    return replaced;
  }
}
