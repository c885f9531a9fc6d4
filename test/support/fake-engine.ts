import type { Clock } from '../../src/ports/clock.ts';
import {
  type Engine,
  EngineError,
  type EngineWatcher,
  type Listener,
  type Observation,
  type Workload,
} from '../../src/ports/engine.ts';
import { assert } from '../../src/std/assert.ts';
import { after, millisOf } from '../../src/std/time.ts';
import {
  type CallName,
  type FakeAgent,
  type FakeEngineOptions,
  type FakeTask,
  type RecordedCall,
  type ScriptedStart,
  newAgent,
  observationOf,
  recordedCall,
} from './fake-agent.ts';
import { FakeNews } from './fake-news.ts';

const RESTART_MAX_MS = 300_000;

/**
 * An engine without processes: stateful, slow on the clock it is given, failing on script. It passes the same contract suite
 * as the real ones (test/engine), and throws a Violation when it is used in a way that the port does not allow. A mock that
 * only records calls was rejected: it would let the runtime believe in engines that do not exist.
 */
export class FakeEngine implements Engine {
  readonly name: 'process' | 'swarm';
  /** Every call in order, with its instant. */
  readonly calls: RecordedCall[] = [];
  /** Starts into a slot whose old task was still there, as Swarm does them. 0 unless the runtime did not wait. */
  overlaps = 0;
  news: FakeNews;
  private readonly clock: Clock;
  private readonly startMs: number;
  private readonly stopMs: number;
  private readonly restartMs: number;
  private readonly answerMs: number;
  private readonly agents = new Map<string, FakeAgent>();
  private readonly failures = new Map<CallName, EngineError[]>();
  private watcher: EngineWatcher | null = null;
  private phase: 'new' | 'open' | 'closed' = 'new';
  private connected = true;
  private serial = 0;

  constructor(clock: Clock, options: FakeEngineOptions = {}) {
    this.clock = clock;
    this.name = options.name ?? 'process';
    this.startMs = options.startMs ?? 400;
    this.stopMs = options.stopMs ?? 3000;
    this.restartMs = options.restartMs ?? 1000;
    this.answerMs = options.answerMs ?? 0;
    this.news = this.freshNews();
  }

  // The port.

  async open(watcher: EngineWatcher): Promise<void> {
    this.record('open', {});
    assert(this.phase === 'new', 'an engine is opened once');
    // One that is away is opened all the same, and says so.
    if (this.connected) await this.answer('open');
    this.phase = 'open';
    this.watcher = watcher;
    if (!this.connected) this.news.later(() => this.told().lost('the engine cannot be reached'));
  }

  declare(workload: Workload): void {
    this.record('declare', { agent: workload.agent });
    assert(this.phase !== 'new', 'an engine is opened before it is used');
    if (this.phase === 'closed') return;
    const known = this.agents.get(workload.agent);
    const agent = known ?? newAgent(workload);
    this.agents.set(workload.agent, agent);
    const before = agent.workload;
    const changed = agent.released || before.policy !== workload.policy || before.replicas !== workload.replicas;
    // Swarm: the deployment has sized the service before, and the daemon never does.
    const anew = known === undefined || (changed && this.name === 'process');
    agent.workload = workload;
    agent.released = false;
    if (workload.policy === 'always-on') this.order(agent, anew ? workload.replicas : agent.wanted);
    else this.publish(agent);
  }

  async release(name: string): Promise<void> {
    this.record('release', { agent: name });
    const agent = this.declared(name);
    await this.answer('release');
    agent.released = true;
    // The service stays as it is, and is found so when it is declared again.
    if (this.name === 'swarm') return;
    this.order(agent, 0);
    // It may be declared again meanwhile; then it stays.
    await this.until(() => agent.tasks.length === 0);
    if (isReleased(agent)) this.agents.delete(name);
  }

  async observe(name: string): Promise<Observation> {
    this.record('observe', { agent: name });
    const agent = this.declared(name);
    await this.answer('observe');
    return observationOf(this.name, agent);
  }

  async scale(name: string, replicas: number): Promise<void> {
    this.record('scale', { agent: name, replicas });
    assert(Number.isInteger(replicas) && replicas >= 0, 'replicas are a whole number');
    const agent = this.declared(name);
    await this.answer('scale');
    if (agent.obstacle !== null) throw new EngineError('refused', agent.obstacle);
    this.order(agent, replicas);
  }

  async endTask(name: string, taskId: string, options: { readonly replace: boolean }): Promise<void> {
    this.record('endTask', { agent: name, taskId, replace: options.replace });
    const agent = this.declared(name);
    await this.answer('endTask');
    const task = agent.tasks.find((each) => each.id === taskId);
    if (task === undefined) throw new EngineError('unknown-task', `${name} has no task ${taskId}`);
    if (task.state === 'ending') return;
    const others = agent.tasks.filter((each) => each !== task && each.state !== 'ending');
    if (others.length === 0 && !options.replace) throw new EngineError('last-task', `${taskId} is the last task of ${name}`);
    if (!options.replace) agent.wanted -= 1;
    this.end(agent, task, true);
    this.reconcile(agent);
    this.publish(agent);
  }

  checkListener(name: string, taskId: string): Listener {
    if (this.name === 'swarm') return 'task';
    const agent = this.agents.get(name);
    const task = agent?.tasks.find((each) => each.id === taskId);
    if (agent === undefined || task?.state !== 'running') return 'nobody';
    if (task.script.stranger !== true) return 'task';
    this.giveUp(agent, task, `port ${task.address.port} was taken by another process`);
    this.leave(agent, task, this.stopMs);
    this.publish(agent);
    return 'stranger';
  }

  async close(graceMs: number): Promise<void> {
    this.record('close', { graceMs });
    assert(this.phase !== 'new', 'an engine is opened before it is closed');
    this.phase = 'closed';
    if (this.name === 'swarm') return;
    for (const agent of this.agents.values()) {
      agent.wanted = 0;
      agent.waiting = [];
      for (const task of agent.tasks) this.leave(agent, task, Math.min(graceMs, this.stopMs));
    }
    await this.until(() => [...this.agents.values()].every((agent) => agent.tasks.length === 0));
  }

  // The script.

  /** The next call of this name rejects, before it changes anything. */
  failNext(call: CallName, code: EngineError['code'] = 'unavailable', detail = 'as scripted'): void {
    this.failures.set(call, [...(this.failures.get(call) ?? []), new EngineError(code, detail)]);
  }

  /** Tells what becomes of the next start of this agent; several are used up in order. */
  scriptStart(name: string, script: ScriptedStart): void {
    this.known(name).scripts.push(script);
  }

  /**
   * A task ends by itself, the one in the lowest slot unless `taskId` says which. `converging` says whether the engine
   * replaces it; by default it does for always-on agents and while other tasks go on.
   */
  exit(name: string, reason = 'exit code 1', options: { readonly taskId?: string; readonly converging?: boolean } = {}): void {
    const agent = this.known(name);
    const candidates = agent.tasks.filter((each) => each.state !== 'ending').sort((a, b) => a.slot - b.slot);
    const task = options.taskId === undefined ? candidates[0] : agent.tasks.find((each) => each.id === options.taskId);
    assert(task !== undefined, `script: ${name} has a task that can exit`);
    agent.tasks = agent.tasks.filter((each) => each !== task);
    if (task.state !== 'ending') this.giveUp(agent, task, reason, options.converging);
    this.reconcile(agent);
    this.publish(agent);
  }

  /**
   * The engine can no longer be reached: calls reject with `unavailable`, nothing is observed. What runs, runs on. Before it
   * is opened: it is away from the start.
   */
  lose(detail = 'the socket is gone'): void {
    assert(this.connected && this.phase !== 'closed', 'script: a connection can be lost once');
    this.connected = false;
    if (this.phase === 'open') this.news.later(() => this.told().lost(detail));
  }

  /** The daemon was killed: what runs, runs on, and the next one opens and declares anew. */
  orphan(): void {
    assert(this.name === 'swarm', 'script: only a swarm outlives its daemon');
    this.phase = 'new';
    this.watcher = null;
    this.news = this.freshNews();
    for (const agent of this.agents.values()) agent.released = true;
  }

  restore(): void {
    assert(!this.connected, 'script: only a lost connection is restored');
    this.connected = true;
    this.news.later(() => this.told().restored());
    for (const agent of this.agents.values()) this.publish(agent);
  }

  /** Somebody else scales the agent, as with `docker service scale`. */
  scaleByHand(name: string, replicas: number): void {
    this.order(this.known(name), replicas);
  }

  /** From now on it cannot be run, for this reason; null: it can again. `gone`: what there was of it is gone too. */
  obstruct(name: string, obstacle: string | null, options: { readonly gone?: boolean } = {}): void {
    const agent = this.known(name);
    agent.obstacle = obstacle;
    if (options.gone === true) [agent.wanted, agent.tasks, agent.waiting] = [0, [], []];
    this.publish(agent);
  }

  /** What is true now, whether or not it was observed. */
  truth(name: string): Observation {
    return observationOf(this.name, this.known(name));
  }

  /** Replicas of every scale ordered through the port, in order; from the given call on. */
  scales(name: string, from = 0): number[] {
    const scales = this.calls.slice(from).filter(({ call, agent }) => call === 'scale' && agent === name);
    return scales.map(({ replicas }) => replicas ?? -1);
  }

  // How it works.

  private order(agent: FakeAgent, replicas: number): void {
    agent.wanted = replicas;
    agent.abandoned = 0;
    agent.lastExit = null;
    agent.waiting = [];
    agent.restarts = 0;
    this.reconcile(agent);
    this.publish(agent);
  }

  private reconcile(agent: FakeAgent): void {
    const live = agent.tasks.filter((each) => each.state !== 'ending');
    let missing = agent.wanted - agent.abandoned - live.length - agent.waiting.length;
    for (; missing < 0 && agent.waiting.length > 0; missing += 1) agent.waiting.pop();
    const surplus = live.sort((a, b) => b.slot - a.slot).slice(0, Math.max(0, -missing));
    for (const task of surplus) this.end(agent, task, agent.wanted > 0);
    if (agent.wanted === 0) for (const task of agent.tasks) if (task.draining) this.leave(agent, task, this.stopMs);
    const held = new Set([...agent.tasks.filter((each) => each.state !== 'ending'), ...agent.waiting].map((each) => each.slot));
    for (let slot = 1; missing > 0; slot += 1) {
      if (held.has(slot)) continue;
      missing -= 1;
      const occupied = agent.tasks.some((each) => each.slot === slot);
      if (occupied && this.name === 'swarm') this.overlaps += 1;
      if (!occupied || this.name === 'swarm') this.start(agent, slot);
    }
  }

  private start(agent: FakeAgent, slot: number): void {
    const script = agent.scripts.shift() ?? {};
    const number = (this.serial += 1);
    const task: FakeTask = {
      id: `task-${number}`,
      slot,
      startedAt: this.clock.wall(),
      address: { host: '127.0.0.1', port: agent.workload.process?.port ?? 20_000 + (number % 10_000) },
      script,
      state: 'starting',
      draining: false,
    };
    agent.tasks.push(task);
    const restarted = agent.owed > 0;
    if (restarted) {
      agent.owed -= 1;
      if (this.connected) this.news.later(() => this.told().restarted(agent.name));
    }
    this.at(script.startMs ?? this.startMs, () => {
      if (task.state !== 'starting' || !agent.tasks.includes(task)) return;
      task.state = 'running';
      this.publish(agent);
      if (script.exits !== undefined) this.exit(agent.name, script.exits, { taskId: task.id });
    });
  }

  /** The task counts no more, for this reason: replaced, or not. */
  private giveUp(agent: FakeAgent, task: FakeTask, reason: string, converging?: boolean): void {
    task.state = 'ending';
    agent.lastExit = reason;
    const others = agent.tasks.filter((each) => each.state !== 'ending').length;
    if (converging ?? (agent.workload.policy === 'always-on' || others > 0)) this.replace(agent, task.slot);
    else {
      agent.waiting = [];
      agent.abandoned = agent.wanted - others;
    }
  }

  private replace(agent: FakeAgent, slot: number): void {
    const wait = Math.min(this.restartMs * 2 ** agent.restarts, RESTART_MAX_MS);
    agent.restarts += 1;
    const entry = { slot };
    agent.waiting.push(entry);
    this.at(wait, () => {
      if (!agent.waiting.includes(entry)) return;
      agent.waiting = agent.waiting.filter((each) => each !== entry);
      agent.owed += 1;
      this.reconcile(agent);
      this.publish(agent);
    });
  }

  /** Where work may still go on elsewhere in the agent, the process engine asks for the task to be drained first. */
  private end(agent: FakeAgent, task: FakeTask, drainFirst: boolean): void {
    task.state = 'ending';
    task.draining = drainFirst && this.name === 'process';
    if (!task.draining) {
      this.leave(agent, task, this.stopMs);
      return;
    }
    this.publish(agent);
    this.news.later(() => {
      if (!agent.tasks.includes(task)) return;
      void this.told()
        .drain(agent.name, task.id)
        .then(() => {
          this.leave(agent, task, this.stopMs);
        });
    });
  }

  private leave(agent: FakeAgent, task: FakeTask, ms: number): void {
    task.state = 'ending';
    task.draining = false;
    this.at(ms, () => {
      if (!agent.tasks.includes(task)) return;
      agent.tasks = agent.tasks.filter((each) => each !== task);
      if (this.phase === 'open') this.reconcile(agent);
      this.publish(agent);
    });
  }

  private publish(agent: FakeAgent): void {
    const observation = observationOf(this.name, agent);
    if (this.phase !== 'open' || !this.connected) return;
    this.news.observation(() => {
      if (!agent.released) this.told().observed(agent.name, observation);
    });
  }

  /** What is on its way to one daemon never reaches the next. */
  private freshNews(): FakeNews {
    const news: FakeNews = new FakeNews(this.clock, () => this.phase === 'open' && this.news === news);
    return news;
  }

  private at(ms: number, then: () => void): void {
    this.clock.alarm(after(this.clock.now(), millisOf(ms)), then);
  }

  private async answer(call: CallName): Promise<void> {
    if (this.answerMs > 0) await new Promise<void>((resolve) => this.at(this.answerMs, resolve));
    const failure = this.failures.get(call)?.shift();
    if (failure !== undefined) throw failure;
    if (!this.connected) throw new EngineError('unavailable', 'the engine cannot be reached');
    if (this.phase === 'closed') throw new EngineError('unavailable', 'the engine is closed');
  }

  private async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.at(10, resolve));
  }

  private declared(name: string): FakeAgent {
    assert(this.phase !== 'new', 'an engine is opened before it is used');
    const agent = this.agents.get(name);
    assert(agent !== undefined && !agent.released, `agent ${name} is declared before it is used`);
    return agent;
  }

  private known(name: string): FakeAgent {
    const agent = this.agents.get(name);
    assert(agent !== undefined, `script: agent ${name} is declared`);
    return agent;
  }

  private told(): EngineWatcher {
    assert(this.watcher !== null, 'an engine is opened before anything happens in it');
    return this.watcher;
  }

  private record(call: CallName, facts: Partial<Omit<RecordedCall, 'at' | 'call'>>): void {
    this.calls.push({ ...recordedCall(this.clock.now(), call), ...facts });
  }
}

const isReleased = (agent: FakeAgent): boolean => agent.released;
