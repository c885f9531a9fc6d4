import type { EngineWatcher, Observation, Task } from '../../src/ports/engine.ts';

/** A watcher that keeps what it was told, in order, and drains at once. */
export class RecordingWatcher implements EngineWatcher {
  readonly observations: { readonly agent: string; readonly observation: Observation }[] = [];
  readonly told: string[] = [];
  readonly drained: string[] = [];
  /** In which state each of them was shown when its draining was asked for. */
  readonly drainedAs: (Task['state'] | undefined)[] = [];
  /** What `drain` waits for. */
  draining: Promise<void> = Promise.resolve();
  private readonly waiters = new Set<() => void>();

  observed(agent: string, observation: Observation): void {
    this.observations.push({ agent, observation });
    this.wake();
  }

  lost(detail: string): void {
    this.told.push(`lost: ${detail}`);
    this.wake();
  }

  restored(): void {
    this.told.push('restored');
    this.wake();
  }

  restarted(agent: string): void {
    this.told.push(`restarted: ${agent}`);
    this.wake();
  }

  drain(agent: string, taskId: string): Promise<void> {
    this.drained.push(taskId);
    this.drainedAs.push(this.latest(agent)?.tasks.find(({ id }) => id === taskId)?.state);
    this.wake();
    return this.draining;
  }

  /** The last observation of the agent, or null. */
  latest(agent: string): Observation | null {
    return this.observations.findLast((each) => each.agent === agent)?.observation ?? null;
  }

  /** Resolves as soon as `holds`; it is asked again whenever the watcher is told something. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const ask = (): void => {
        if (!holds()) return;
        this.waiters.delete(ask);
        resolve();
      };
      this.waiters.add(ask);
      ask();
    });
  }

  private wake(): void {
    for (const ask of [...this.waiters]) ask();
  }
}
