import type { AgentEffect, AgentEvent, Announcement } from '../core/agent/event.ts';
import type { Policy } from '../core/agent/policy.ts';
import { type AgentProblem, type AgentState, problemOf, tasksOf } from '../core/agent/state.ts';
import { initialState, nextDeadline, step } from '../core/agent/step.ts';
import { isNews } from '../core/outlook.ts';
import { AGENT_STATES, type SleepReason, type WakeCause } from '../contract/events.ts';
import type { Alarm } from '../ports/clock.ts';
import { type Engine, EngineError, type Observation, type Task } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import { assert, unreachable } from '../std/assert.ts';
import { BoundedQueue } from '../std/bounded-queue.ts';
import type { Instant, Millis, WallTime } from '../std/time.ts';
import { Activity, type ActivityRules, type Edges } from './activity.ts';
import type { AgentSettings } from './agent-settings.ts';
import { HoldQueue } from './hold-queue.ts';
import { LastUse } from './last-use.ts';
import { Leases } from './leases.ts';
import { MeasuredStarts } from './measured-starts.ts';
import { Probers } from './probers.ts';
import type { World } from './world.ts';

/** Events that wait for the step under way. Each is the work of one turn of the loop; more than this is a loop of our own. */
const INBOX_LIMIT = 1000;
/** Whoever is overtaken by news that often has been told all there is. */
const LOOKS_MAX = 5;

/** What outlives a runner whose policy was changed. */
export interface Inheritance {
  readonly activity: Activity;
  readonly leases: Leases;
}

/**
 * One agent at run time: a serial inbox, `step`, assign, perform effects, log one line, arm one alarm. The only writer of the
 * agent's state. Everything that can happen to the agent comes in through `dispatch`; nothing is decided here.
 */
export class AgentRunner {
  readonly name: string;
  readonly activity: Activity;
  readonly leases: Leases;
  readonly holds: HoldQueue;
  readonly lastUse: LastUse;
  /** What the engine said last. Only an agent that an engine runs ever has tasks here. */
  tasks: readonly Task[] = [];
  wanted = 0;
  /** Why the engine could not run it whatever was ordered. */
  private obstacle: string | null = null;
  /** Cause of the last wake. */
  wokenBy: WakeCause | 'restart' | 'adopted' | 'replaced' | null = null;
  state: AgentState;
  stateSince: WallTime;
  settings: AgentSettings;
  readonly starts: MeasuredStarts;
  /** The engine has told of it. Until then its state is a guess: nothing is ordered, and no deadline runs. */
  met: boolean;
  /** Incremented at each start and thaw: connections of an earlier life are never used again. */
  generation = 0;
  private readonly world: World;
  private readonly log: Log;
  private readonly inbox = new BoundedQueue<AgentEvent>(INBOX_LIMIT);
  private stepping = false;
  private alarm: Alarm | null = null;
  private readonly probers: Probers;
  /** Orders to the engine that have not been answered. What is observed meanwhile may be older than the order. */
  private ordersOpen = 0;
  /** How often the engine, asked or not, has said what there is. */
  private sightings = 0;
  private meeting = false;
  private orders: Promise<void> = Promise.resolve();
  /** Its agent was removed, or the daemon ends: nothing moves it any more. */
  closed = false;
  private readonly stateWatchers = new Set<() => void>();

  /** `inherited`: the work of the runner that had this name before, where its tasks go on under another policy. */
  constructor(settings: AgentSettings, world: World, inherited: Inheritance | null = null) {
    this.name = settings.name;
    this.settings = settings;
    this.world = world;
    this.log = world.log.with({ agent: settings.name });
    this.probers = new Probers(this, world);
    this.starts = new MeasuredStarts(settings.name, world.store, this.log);
    const edges: Edges = {
      lingers: (open) => this.dispatch({ type: 'lingers', open }),
      busy: () => {
        this.dispatch({ type: 'busy' });
        this.lastUse.changed();
      },
      quiet: (lastActivity) => {
        this.dispatch({ type: 'quiet', lastActivity });
        this.lastUse.changed();
      },
    };
    const rules = (): ActivityRules => this.settings.activity;
    this.activity = inherited?.activity ?? new Activity(world.clock, rules, edges);
    this.leases = inherited?.leases ?? new Leases(world.clock, this.activity);
    this.holds = new HoldQueue(world.clock, world.heldInAll, this.activity, () => this.dispatch({ type: 'unwanted' }));
    this.lastUse = new LastUse(this.name, world, this.log, this.activity);
    this.met = settings.policy.kind === 'unmanaged';
    this.state = initialState(world.clock.now(), this.policy);
    this.stateSince = world.clock.wall();
    this.countState();
    this.arm();
    inherited?.activity.serve(rules, edges);
    if (this.activity.busy) this.dispatch({ type: 'busy' });
    if (this.activity.lingering) this.dispatch({ type: 'lingers', open: true });
  }

  get policy(): Policy {
    return this.settings.policy;
  }

  /** What is wrong with it: with its life so far, else with what the engine would have to run. */
  get problem(): AgentProblem | null {
    const { state } = this;
    // A start that is under way says what holds it up, rather than at its end.
    const detail = this.obstacle ?? (state.name === 'starting' ? state.whyNot : null);
    return problemOf(state) ?? (detail === null ? null : { code: 'start-failed', detail });
  }

  get typicalStart(): Millis | null {
    return this.starts.typical;
  }

  /** A changed config. Deadlines follow at once, since they are computed from the policy and never stored as timers. */
  adjust(settings: AgentSettings): void {
    this.settings = settings;
    this.activity.rulesChanged();
    if (!this.stepping) this.turn();
  }

  dispatch(event: AgentEvent): void {
    if (this.closed) return;
    assert(this.inbox.offer(event), `the inbox of an agent never fills up (${this.name}, ${event.type})`);
    if (!this.stepping) this.turn();
  }

  /** News from the engine. Overtaken by an order that is under way, it is dropped: the order is followed by a fresh look. */
  observe(seen: Observation): void {
    if (this.closed) return;
    this.sightings += 1;
    this.meetObstacle(seen.obstacle ?? null);
    if (this.ordersOpen > 0) {
      this.tasks = seen.tasks;
      return;
    }
    this.tasks = seen.tasks;
    this.wanted = seen.wanted;
    this.leases.keepOnly(seen.tasks);
    this.world.tasksChanged(this.name, seen.tasks);
    // The time to get well begins when there is something to look at, however long the engine was away before.
    if (!this.met && this.state.policy !== 'on-demand') this.state = initialState(this.now(), this.policy);
    const tasks = seen.tasks.map(({ id, state, frozen }) => ({ id, state, frozen }));
    const { wanted, converging, lastExit } = seen;
    this.dispatch({ type: 'observed', wanted, tasks, converging, lastExit, obstacle: this.obstacle });
    if (this.met) return;
    this.met = true;
    // To be found awake is not to enter starting: the hostnames that its tasks registered stay. To be found on its way out is.
    if (this.state.name === 'stopping') this.world.purgeRoutes(this.name, 'stopping');
    // Frozen under an earlier daemon, and no longer.
    else if (this.state.name !== 'frozen') this.world.resumeRoutes(this.name);
    this.arm();
  }

  private meetObstacle(obstacle: string | null): void {
    if (obstacle === this.obstacle) return;
    this.obstacle = obstacle;
    if (obstacle === null) this.log.info('nothing stands in the way of the agent any more');
    else this.log.warn('the engine cannot run the agent', { detail: obstacle });
  }

  /** Asks the engine of it, unless it is known or asked already. */
  meet(): void {
    if (this.met || this.meeting) return;
    this.meeting = true;
    void this.look().finally(() => (this.meeting = false));
  }

  /** Calls `changed` after every change that somebody who waits has to know, and when the runner ends, until the returned function is called. */
  watchState(changed: () => void): () => void {
    this.stateWatchers.add(changed);
    return () => void this.stateWatchers.delete(changed);
  }

  /** Ends with the runner: no alarm, no check, no lease is left. */
  close(): void {
    // Closed first: the end of the last lease must not put an agent to sleep that is no longer ours to judge.
    const { activity, leases } = this.bequeath();
    leases.keepOnly([]);
    activity.close();
  }

  /** Ends without its work, which goes on under the next runner of this name. */
  bequeath(): Inheritance {
    this.closed = true;
    this.alarm?.cancel();
    this.probers.sync([]);
    this.world.placesChanged(this);
    this.holds.close({ kind: 'asleep', state: this.state.name, retryAfterSeconds: 1 });
    this.lastUse.close();
    for (const changed of [...this.stateWatchers]) changed();
    return { activity: this.activity, leases: this.leases };
  }

  private turn(): void {
    this.stepping = true;
    let turns = 0;
    for (;;) {
      assert((turns += 1) < INBOX_LIMIT, `an agent comes to rest (${this.name}, ${this.state.name})`);
      const event = this.inbox.take() ?? this.dueEvent();
      if (event === undefined) break;
      const before = this.state;
      const { state, effects } = step(before, event, this.world.clock.now(), this.policy);
      // Assign before performing effects. An effect may finish synchronously and come back through the inbox; it must meet
      // the state that ordered it, not the one before.
      this.state = state;
      if (state.name !== before.name) this.entered(before);
      if (isNews(before, state)) for (const changed of [...this.stateWatchers]) changed();
      for (const effect of effects) this.perform(effect);
    }
    this.stepping = false;
    this.arm();
    // What is frozen cannot answer, and a check of it would only make it ill.
    const unchecked = this.closed || this.state.name === 'stopping' || this.state.name === 'frozen';
    this.probers.sync(unchecked ? [] : tasksOf(this.state));
    this.holds.settle(this);
    this.world.placesChanged(this);
  }

  private dueEvent(): AgentEvent | undefined {
    const deadline = this.deadline();
    return deadline !== null && deadline <= this.world.clock.now() ? { type: 'due' } : undefined;
  }

  private deadline(): Instant | null {
    return this.closed || !this.met ? null : nextDeadline(this.state, this.policy);
  }

  private arm(): void {
    this.alarm?.cancel();
    const deadline = this.deadline();
    this.alarm = deadline === null ? null : this.world.clock.alarm(deadline, () => this.turn());
  }

  private entered(before: AgentState): void {
    this.stateSince = this.world.clock.wall();
    const problem = problemOf(this.state);
    const facts = {
      from: before.name,
      to: this.state.name,
      ...(problem === null ? {} : { problem: problem.code, detail: problem.detail }),
    };
    if (this.state.name === 'degraded') this.log.warn('agent changed state', facts);
    else this.log.info('agent changed state', facts);
    this.countState();
    if (this.state.name === 'frozen') this.world.pauseRoutes(this.name);
    else if (before.name === 'frozen') this.world.resumeRoutes(this.name);
  }

  private perform(effect: AgentEffect): void {
    switch (effect.type) {
      case 'scale':
        if (effect.replicas > 0) this.wanted = effect.replicas;
        this.order('scale', (engine) => engine.scale(this.name, effect.replicas));
        break;
      case 'freeze':
        this.generation += 1;
        this.world.endConnections(this.name);
        this.order('freeze', (engine) => engine.freeze(this.name));
        break;
      case 'thaw':
        this.order('thaw', (engine) => engine.thaw(this.name));
        break;
      case 'announce':
        this.announce(effect.event);
        break;
      case 'purge-routes':
        if (this.met) this.world.purgeRoutes(this.name, effect.because);
        break;
      case 'cut':
        this.activity.cut();
        break;
      case 'start-measured':
        this.measured(effect.result, effect.took);
        break;
      default:
        unreachable(effect);
    }
  }

  /**
   * Orders go to the engine one after the other, each followed by a fresh look. Without the look a watcher's news that was
   * dropped meanwhile would be missed for ever.
   */
  private order(order: 'scale' | 'freeze' | 'thaw', carryOut: (engine: Engine) => Promise<void>): void {
    const { engine } = this.world;
    this.ordersOpen += 1;
    this.orders = this.orders.then(async () => {
      if (this.closed) return;
      let failure: EngineError | null = null;
      try {
        await carryOut(engine);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        failure = error;
        this.log.warn('engine did not take an order', { order, detail: error.message });
      }
      this.ordersOpen -= 1;
      if (failure !== null)
        this.dispatch({ type: 'order-failed', order, refused: failure.code !== 'unavailable', detail: failure.message });
      else if (order === 'freeze') this.dispatch({ type: 'froze' });
      else if (order === 'thaw') this.dispatch({ type: 'thawed' });
      if (failure?.code !== 'unavailable') await this.look();
    });
  }

  /** Asks the engine for the whole truth. What cannot be had now comes with its next news. */
  async look(): Promise<void> {
    try {
      // Once closed nothing is asked any more: the engine may have let go of the agent meanwhile, and does not know it then.
      for (let looks = 0; looks < LOOKS_MAX && !this.closed; looks += 1) {
        const before = this.sightings;
        const seen = await this.world.engine.observe(this.name);
        // Overtaken by news, the answer may be the older of the two, and taking it would hide for ever what the news said.
        if (this.sightings !== before) continue;
        this.observe(seen);
        return;
      }
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.log.debug('engine could not be asked', { detail: error.message });
    }
  }

  private announce({ type, from, to, facts = {} }: Announcement): void {
    const { metrics } = this.world;
    if (type === 'agent.starting') {
      this.generation += 1;
      this.wokenBy = facts['cause'] as typeof this.wokenBy;
      if (this.wokenBy === 'restart') metrics.counter('restarts_total', { agent: this.name }).add(1);
      else if (this.wokenBy !== null && this.wokenBy !== 'adopted' && this.wokenBy !== 'replaced')
        metrics.counter('wakes_total', { agent: this.name, cause: this.wokenBy }).add(1);
    }
    if (type === 'agent.thawed')
      metrics.histogram('thaw_duration_seconds', { agent: this.name }).observe(Number(facts['ms']) / 1000);
    if (type === 'agent.sleep')
      metrics.counter('sleeps_total', { agent: this.name, reason: facts['reason'] as SleepReason }).add(1);
    if (type === 'agent.sleep_refused')
      this.log.warn('agent was not put to sleep, it still has work', {
        inFlight: this.activity.inFlight,
        sockets: this.activity.sockets,
      });
    this.world.events.publish(type, {
      agent: this.name,
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...facts,
    });
  }

  private measured(result: 'ready' | 'timeout' | 'exited' | 'refused', took: Millis): void {
    this.world.metrics.histogram('wake_duration_seconds', { agent: this.name, result }).observe(took / 1000);
    if (result === 'ready') this.starts.add(took);
  }

  private countState(): void {
    for (const state of AGENT_STATES) {
      this.world.metrics.gauge('agent_state', { agent: this.name, state }).set(state === this.state.name ? 1 : 0);
    }
  }

  /** People's time of its last work, also under an earlier daemon, for the order of eviction; 0: none is known of. */
  get lastUsed(): number {
    return this.lastUse.at ?? 0;
  }

  now(): Instant {
    return this.world.clock.now();
  }
}
