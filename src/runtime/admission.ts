import { servesTraffic } from '../core/agent/tasks.ts';
import { type Outlook, outlookOf } from '../core/outlook.ts';
import { tasksOf } from '../core/agent/state.ts';
import { retryAfterSeconds } from '../core/retry-after.ts';
import type { AgentStateName, WakeCause } from '../contract/events.ts';
import type { Task } from '../ports/engine.ts';
import type { AgentRunner } from './agent-runner.ts';
import type { Route } from './route-book.ts';
import type { Admission, Destination, Refused, Target } from './traffic.ts';

/** Limits of the data plane that are counted here. */
export interface Limits {
  /** Requests open at a time, per agent. */
  readonly inFlight: number;
}

/** What a destination must know of the house it stands in. */
interface House {
  /** Whether the engine can be asked and has told of this agent. */
  reach(runner: AgentRunner): boolean;
  readonly inFlightLimit: number;
}

/**
 * The moment in which a request meets an agent. From the look at the state to the count in the ledger nothing else can run:
 * that, and not a lock, keeps a sleep from being decided under a request that was let in (promise B).
 */
abstract class AgentDestination implements Destination {
  abstract readonly configured: boolean;
  protected readonly runner: AgentRunner;
  protected readonly house: House;

  constructor(runner: AgentRunner, house: House) {
    this.runner = runner;
    this.house = house;
  }

  get agent(): string {
    return this.runner.name;
  }

  get interceptsHealth(): boolean {
    return this.configured && this.runner.settings.config.health.intercept;
  }

  state(): AgentStateName {
    return this.runner.state.name;
  }

  outlook(): Outlook | null {
    const { runner } = this;
    if (runner.closed) return null;
    const away = !this.open() && !this.house.reach(runner);
    const reason = away ? 'engine-unavailable' : (runner.problem?.code ?? null);
    return outlookOf(runner.state, reason, runner.now(), runner.policy, runner.typicalStart);
  }

  watch(changed: () => void): () => void {
    return this.runner.watchState(changed);
  }

  want(cause: WakeCause): Refused | null {
    // Whoever is awake needs no engine. Everybody else would be told of a wake that nobody remembers (promise F).
    if (!this.house.reach(this.runner)) return this.open() ? null : this.engineAway();
    this.runner.dispatch({ type: 'wanted', cause, admin: false });
    return null;
  }

  admit(kind: 'request' | 'upgrade', cut: () => void): Admission {
    const { runner } = this;
    const before = runner.state.name;
    if (!this.open()) {
      // In draining by idleness this turns the sleep back, and the request goes through after all.
      const refused = this.want(kind);
      if (refused !== null) return refused;
      if (!this.open()) return { kind: 'asleep', state: before, retryAfterSeconds: this.retryAfter() };
    }
    if (runner.activity.inFlight >= this.house.inFlightLimit)
      return { kind: 'refused', problem: 'in-flight-limit', retryAfterSeconds: 1 };
    const picked = this.pick();
    if (picked === null) {
      // No task to dial: it has none, or it is not known yet, since the engine is still being opened.
      return this.house.reach(runner)
        ? { kind: 'refused', problem: 'upstream-refused', retryAfterSeconds: null }
        : this.engineAway();
    }
    return { kind: 'admitted', work: runner.activity.admit(picked.target, picked.taskId, cut) };
  }

  /** Where the request goes, or null when there is nobody to take it. */
  protected abstract pick(): { readonly target: Target; readonly taskId: string } | null;

  protected targetOf(task: Task, port: number): Target | null {
    const { name, generation } = this.runner;
    return task.address === null
      ? null
      : { key: `${name} ${task.id} ${port} ${generation}`, address: { host: task.address.host, port } };
  }

  private open(): boolean {
    const { state } = this.runner;
    return state.name === 'ready' || state.policy !== 'on-demand';
  }

  private engineAway(): Refused {
    return { kind: 'refused', problem: 'engine-unavailable', retryAfterSeconds: this.retryAfter() };
  }

  private retryAfter(): number {
    const { runner } = this;
    return retryAfterSeconds(runner.state, runner.now(), runner.policy, runner.typicalStart);
  }
}

/** By a hostname of the config: any task that is well will do, the one with the least in flight first. */
export class ConfiguredDestination extends AgentDestination {
  readonly configured = true;
  /** Where the search starts: equals take turns. */
  private turn = 0;

  protected pick(): { readonly target: Target; readonly taskId: string } | null {
    const { runner } = this;
    const { backend } = runner.settings;
    if (runner.policy.kind === 'unmanaged' && backend !== null) {
      return { target: { key: `${runner.name} ${backend.host} ${backend.port}`, address: backend }, taskId: '' };
    }
    const task = this.leastBusy();
    const port = task?.address?.port ?? null;
    const target = task === null || port === null ? null : this.targetOf(task, port);
    return task === null || target === null ? null : { target, taskId: task.id };
  }

  private leastBusy(): Task | null {
    const { runner } = this;
    const known = tasksOf(runner.state);
    const anyHealthy = known.some(servesTraffic);
    this.turn += 1;
    let best: Task | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (let index = 0; index < runner.tasks.length; index += 1) {
      const task = runner.tasks[(index + this.turn) % runner.tasks.length];
      if (task?.state !== 'running') continue;
      // An always-on agent that is degraded is proxied all the same: a failing health check may be the only thing wrong.
      if (anyHealthy && known.find((other) => other.id === task.id)?.health !== 'healthy') continue;
      const load = runner.activity.inFlightOf(task.id);
      if (load < least) [best, least] = [task, load];
    }
    return best;
  }
}

/** By a hostname that a task registered: that task and no other, at the port it named. */
export class RegisteredDestination extends AgentDestination {
  readonly configured = false;
  private readonly route: Route;

  constructor(runner: AgentRunner, house: House, route: Route) {
    super(runner, house);
    this.route = route;
  }

  protected pick(): { readonly target: Target; readonly taskId: string } | null {
    const task = this.runner.tasks.find((other) => other.id === this.route.task);
    if (task?.state !== 'running') return null;
    const target = this.targetOf(task, this.route.port);
    return target === null ? null : { target, taskId: task.id };
  }
}
