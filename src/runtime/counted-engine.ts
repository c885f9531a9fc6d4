import { type Engine, EngineError, type EngineWatcher, type Listener, type Observation, type Workload } from '../ports/engine.ts';
import type { Metrics } from '../ports/metrics.ts';

/** An engine whose calls are counted by result. A wrapper, so that no caller can forget to count. */
export class CountedEngine implements Engine {
  private readonly engine: Engine;
  private readonly metrics: Metrics;

  constructor(engine: Engine, metrics: Metrics) {
    this.engine = engine;
    this.metrics = metrics;
  }

  get name(): Engine['name'] {
    return this.engine.name;
  }

  open(watcher: EngineWatcher): Promise<void> {
    return this.count('open', this.engine.open(watcher));
  }

  declare(workload: Workload): void {
    this.engine.declare(workload);
  }

  release(agent: string): Promise<void> {
    return this.count('release', this.engine.release(agent));
  }

  observe(agent: string): Promise<Observation> {
    return this.count('observe', this.engine.observe(agent));
  }

  scale(agent: string, replicas: number): Promise<void> {
    return this.count('scale', this.engine.scale(agent, replicas));
  }

  endTask(agent: string, taskId: string, options: { readonly replace: boolean }): Promise<void> {
    return this.count('end-task', this.engine.endTask(agent, taskId, options));
  }

  freeze(agent: string): Promise<void> {
    return this.count('freeze', this.engine.freeze(agent));
  }

  thaw(agent: string): Promise<void> {
    return this.count('thaw', this.engine.thaw(agent));
  }

  /** Not counted: it is no call, but a look at this machine. */
  checkListener(agent: string, taskId: string): Listener {
    return this.engine.checkListener?.(agent, taskId) ?? 'task';
  }

  close(graceMs: number): Promise<void> {
    return this.engine.close(graceMs);
  }

  private async count<T>(call: string, answer: Promise<T>): Promise<T> {
    try {
      const value = await answer;
      this.metrics.counter('engine_calls_total', { call, result: 'ok' }).add(1);
      return value;
    } catch (error) {
      if (error instanceof EngineError) this.metrics.counter('engine_calls_total', { call, result: error.code }).add(1);
      throw error;
    }
  }
}
