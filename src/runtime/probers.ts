import type { AgentEvent } from '../core/agent/event.ts';
import { canBeChecked, type Tasks } from '../core/agent/tasks.ts';
import type { Address, Task } from '../ports/engine.ts';
import type { ProbeResult } from '../ports/probe.ts';
import { assert } from '../std/assert.ts';
import type { AgentSettings } from './agent-settings.ts';
import { Prober } from './prober.ts';
import type { World } from './world.ts';

/** What is asked about, and who is told. Settings and tasks are read before each check: both change under it. */
interface Checked {
  readonly name: string;
  readonly settings: AgentSettings;
  readonly tasks: readonly Task[];
  dispatch(event: AgentEvent): void;
}

/** The health checks of one agent: one prober for each task that can be asked, and none for any other. */
export class Probers {
  private readonly agent: Checked;
  private readonly world: World;
  private readonly probers = new Map<string, Prober>();

  constructor(agent: Checked, world: World) {
    this.agent = agent;
    this.world = world;
  }

  /**
   * From now on these are checked, as far as they can be: without an address there is nobody to ask. Derived from the state each
   * time, so it cannot go stale.
   */
  sync(tasks: Tasks): void {
    const ids = tasks.filter(canBeChecked).map(({ id }) => id);
    const wanted = new Set(ids.filter((id) => this.addressOf(id) !== null));
    for (const [id, prober] of this.probers) {
      if (wanted.has(id)) continue;
      prober.stop();
      this.probers.delete(id);
    }
    for (const id of wanted) if (!this.probers.has(id)) this.start(id);
  }

  private addressOf(id: string): Address | null {
    const { probe } = this.agent.settings;
    return probe === null ? null : (probe.address ?? this.agent.tasks.find((task) => task.id === id)?.address ?? null);
  }

  private start(id: string): void {
    const { agent, world } = this;
    const prober = new Prober({
      clock: world.clock,
      probe: world.probe,
      order: () => {
        const { probe } = agent.settings;
        const address = this.addressOf(id);
        assert(address !== null && probe !== null, 'a task that is checked has an address');
        return { ...probe, address };
      },
      interval: () => agent.settings.checkInterval,
      confirm: () => this.confirm(id),
      report: (result) => {
        world.metrics.counter('health_checks_total', { agent: agent.name, result: result.healthy ? 'pass' : 'fail' }).add(1);
        agent.dispatch({ type: 'probed', task: id, healthy: result.healthy, detail: result.healthy ? '' : result.detail });
      },
    });
    this.probers.set(id, prober);
  }

  /** Promise H: a check that somebody else has answered does not count. */
  private confirm(id: string): ProbeResult {
    const listener = this.world.engine.checkListener?.(this.agent.name, id) ?? 'task';
    // Asked elsewhere (health.url), the agent need not listen where its tasks are dialled; but nobody else may.
    const well = listener === 'task' || (listener === 'nobody' && this.agent.settings.probe?.address !== null);
    return well ? { healthy: true } : { healthy: false, detail: 'it is not the task that listens on its port' };
  }
}
