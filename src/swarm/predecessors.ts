import type { ApiTask } from './api.ts';
import type { Found, Listings } from './listings.ts';
import { isEntered } from './sighting.ts';

/**
 * Tasks of services that had this name and were removed. Swarm ends them seconds later, and a service that is deployed under the
 * same name meanwhile knows nothing of them: a start would set a second copy beside the first. So they are looked at until the
 * last of them has ended.
 */
export class Predecessors {
  left: readonly ApiTask[] = [];
  private readonly ids = new Set<string>();

  /** What was found before, and now. */
  follow(before: Found | null, now: Found): void {
    if (before === null || !('tasks' in before) || before.service.ID === now.service?.ID) return;
    this.ids.add(before.service.ID);
    this.left = [...this.left, ...before.tasks.filter((task) => !isEntered(task))];
  }

  /** One more call, and only while there is somebody to look for. */
  async look(listings: Listings): Promise<void> {
    if (this.ids.size === 0) return;
    const tasks = await listings.everyTask();
    this.left = tasks.filter((task) => this.ids.has(task.ServiceID ?? '') && !isEntered(task));
    if (this.left.length === 0) this.ids.clear();
  }
}
