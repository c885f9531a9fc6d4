import { servesTraffic } from '../core/agent/tasks.ts';
import { type Outlook, outlookOf, type WaitReason } from '../core/outlook.ts';
import { isTurnedBackByWork, ordersWake, tasksOf } from '../core/agent/state.ts';
import { holdVerdict, startsNotBefore } from '../core/holds.ts';
import { retryAfterSeconds } from '../core/retry-after.ts';
import type { WakeLimits, WakeRates } from '../core/wake-limits.ts';
import type { AgentIgnoreConfig } from '../contract/config.ts';
import type { AgentStateName, WakeCause } from '../contract/events.ts';
import type { Task } from '../ports/engine.ts';
import type { Millis } from '../std/time.ts';
import type { AgentRunner } from './agent-runner.ts';
import type { Route } from './route-book.ts';
import type { Capacity } from './capacity.ts';
import type { HeldInAll } from './hold-queue.ts';
import type { Admission, Asleep, Destination, Held, Refused, SleepRules, Target, Turned, Waiting } from './traffic.ts';

/** Limits of the data plane that are counted here. */
export interface Limits {
  /** Requests open at a time, per agent; those that are held included. */
  readonly inFlight: number;
  /** Requests held at a time, for all agents together. */
  readonly held: number;
  /** On-demand agents awake at a time; 0: no limit. */
  readonly awake: number;
  readonly wakes: WakeRates;
}

/** Nobody knows when an operator changes his mind; it is no start that one waits for. */
const KEPT_ASLEEP_SECONDS = 60;

const IN_FLIGHT_LIMIT: Refused = { kind: 'refused', problem: 'in-flight-limit', retryAfterSeconds: 1 };

const seconds = (wait: Millis): number => Math.ceil(wait / 1000);

/** What a destination must know of the house it stands in. */
interface House {
  /** Whether the engine can be asked and has told of this agent. */
  reach(runner: AgentRunner): boolean;
  readonly limits: Limits;
  readonly heldInAll: HeldInAll;
  readonly capacity: Capacity;
  readonly wakeLimits: WakeLimits;
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

  get ignore(): AgentIgnoreConfig {
    return this.runner.settings.config.ignore;
  }

  state(): AgentStateName {
    return this.runner.state.name;
  }

  outlook(): Outlook | null {
    const { runner } = this;
    if (runner.closed) return null;
    const reason = this.whyNot();
    const outlook = outlookOf(runner.state, reason, runner.now(), runner.typicalStart);
    return reason === 'kept-asleep' ? { ...outlook, retryAfterSeconds: KEPT_ASLEEP_SECONDS } : outlook;
  }

  private whyNot(): WaitReason | null {
    const { runner } = this;
    if (this.open()) return runner.problem?.code ?? null;
    if (runner.policy.keep === 'asleep') return 'kept-asleep';
    return this.house.reach(runner) ? (runner.problem?.code ?? null) : 'engine-unavailable';
  }

  watch(changed: () => void): () => void {
    return this.runner.watchState(changed);
  }

  get sleepRules(): SleepRules {
    const { runner } = this;
    const { on_sleeping, hold } = runner.settings.config;
    return {
      mode: on_sleeping,
      frozen: runner.state.name === 'frozen',
      typicalStart: runner.typicalStart,
      preferHoldBelow: hold.prefer_below,
      bodyBufferMax: hold.max_body_buffer,
    };
  }

  want(cause: WakeCause, client: string | null): Refused | null {
    return this.wake(cause, client, false);
  }

  admit(kind: 'request' | 'upgrade', cut: () => void): Admission {
    return this.letIn(kind, cut) ?? this.nobody();
  }

  /** Null: it is awake, and there is no task to take it. */
  private letIn(kind: 'request' | 'upgrade', cut: () => void): Admission | null {
    const { runner } = this;
    const before = runner.state;
    // A sleep that has not begun is called off, and the request goes through after all.
    if (before.name === 'draining' && isTurnedBackByWork(before) && this.house.reach(runner))
      runner.dispatch({ type: 'wanted', cause: kind, admin: false });
    if (!this.open()) return this.asleep(before.name);
    if (runner.policy.keep === 'asleep') return this.keptAsleep();
    if (runner.activity.inFlight >= this.house.limits.inFlight) return IN_FLIGHT_LIMIT;
    const picked = this.pick();
    if (picked === null) return null;
    return { kind: 'admitted', work: runner.activity.admit(picked.target, picked.taskId, cut) };
  }

  pass(cut: () => void): Admission | null {
    if (!this.open()) return null;
    // A limit of their own: they must not take away from those who count.
    if (this.runner.activity.passing >= this.house.limits.inFlight) return IN_FLIGHT_LIMIT;
    const picked = this.pick();
    if (picked === null) return this.nobody();
    return { kind: 'admitted', work: this.runner.activity.pass(picked.target, picked.taskId, cut) };
  }

  call(kind: 'request' | 'upgrade', client: string | null): Turned {
    const before = this.runner.state.name;
    return this.wake(kind, client, false) ?? this.asleep(before);
  }

  hold(kind: 'request' | 'upgrade', client: string | null, waiting: Waiting, cut: () => void): Held | Admission {
    const { runner, house } = this;
    const { hold } = runner.settings.config;
    // A backoff that is longer than anybody is held: whoever asks is told when to come back.
    if (startsNotBefore(runner.state, runner.now()) >= hold.max_wait) return this.call(kind, client);
    const before = runner.state.name;
    const isFull = runner.holds.size >= hold.max_requests || house.heldInAll.count >= house.limits.held;
    // Whoever cannot be held does not wait: nobody is put to sleep for one who is sent away.
    const refused = this.wake(kind, client, !isFull);
    if (refused !== null) return refused;
    // A start that was refused at once, or a sleep that an operator has ordered: nothing is on its way.
    if (holdVerdict(runner.state, runner.policy) !== 'wait') return this.asleep(before);
    if (runner.activity.inFlight + runner.holds.size >= house.limits.inFlight) return IN_FLIGHT_LIMIT;
    if (isFull) return { kind: 'refused', problem: 'hold-queue-full', retryAfterSeconds: this.retryAfter() };
    const held = runner.holds.add(
      {
        admit: () => this.letIn(kind, cut),
        turnedAway: () => (runner.policy.keep === 'asleep' ? this.keptAsleep() : this.asleep(runner.state.name)),
        settled: (admission) => waiting.settled(admission),
      },
      hold.max_wait,
      runner,
    );
    return typeof held === 'function' ? { kind: 'held', leave: held } : held;
  }

  /** Orders the wake, for one who waits or one who will come back. Null: nothing stands in its way. */
  private wake(cause: WakeCause, client: string | null, waits: boolean): Refused | null {
    const { runner, house } = this;
    // Whoever is awake needs no engine. Everybody else would be told of a wake that nobody remembers (promise F).
    if (!house.reach(runner)) return this.open() ? null : this.engineAway();
    if (runner.policy.keep === 'asleep') return this.keptAsleep();
    const { state } = runner;
    if (!waits && !house.capacity.hasRoomFor(state))
      return { kind: 'refused', problem: 'capacity', retryAfterSeconds: seconds(house.capacity.roomIn()) + this.retryAfter() };
    if (ordersWake(state)) {
      const limited = house.wakeLimits.decide(client, runner.now());
      if (!limited.ok) {
        const problem = limited.scope === 'client' ? 'wake-limit' : 'wake-limit-total';
        return { kind: 'refused', problem, retryAfterSeconds: seconds(limited.retryAfter) };
      }
    }
    runner.dispatch({ type: 'wanted', cause, admin: false });
    return null;
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

  /** No task to dial: it has none, or it is not known yet, since the engine is still being opened. */
  protected nobody(): Refused {
    return this.house.reach(this.runner)
      ? { kind: 'refused', problem: 'upstream-refused', retryAfterSeconds: null }
      : this.engineAway();
  }

  private asleep(state: AgentStateName): Asleep {
    return { kind: 'asleep', state, retryAfterSeconds: this.retryAfter() };
  }

  private keptAsleep(): Refused {
    return { kind: 'refused', problem: 'kept-asleep', retryAfterSeconds: KEPT_ASLEEP_SECONDS };
  }

  private engineAway(): Refused {
    return { kind: 'refused', problem: 'engine-unavailable', retryAfterSeconds: this.retryAfter() };
  }

  private retryAfter(): number {
    const { runner } = this;
    return retryAfterSeconds(runner.state, runner.now(), runner.typicalStart);
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
