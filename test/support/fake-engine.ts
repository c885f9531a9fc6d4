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
import {
  type CallName,
  type FakeAgent,
  type FakeEngineOptions,
  type RecordedCall,
  type ScriptedStart,
  newAgent,
  observationOf,
  recordedCall,
} from './fake-agent.ts';
import { FakeAnswers } from './fake-answers.ts';
import { FakeNews } from './fake-news.ts';
import { FakeTasks } from './fake-tasks.ts';

/**
 * An engine without processes: stateful, slow on the clock it is given, failing on script. It passes the same contract suite
 * as the real ones (test/engine), and throws a Violation when it is used in a way that the port does not allow. A mock that
 * only records calls was rejected: it would let the runtime believe in engines that do not exist.
 */
export class FakeEngine implements Engine {
  readonly name: 'process' | 'swarm';
  /** Every call in order, with its instant. */
  readonly calls: RecordedCall[] = [];
  news: FakeNews;
  private readonly clock: Clock;
  private readonly answerMs: number;
  private readonly freezeMs: number;
  private readonly thawMs: number;
  private readonly agents = new Map<string, FakeAgent>();
  private readonly answers: FakeAnswers;
  private readonly tasks: FakeTasks;
  private watcher: EngineWatcher | null = null;
  private phase: 'new' | 'open' | 'closed' = 'new';
  private connected = true;

  constructor(clock: Clock, options: FakeEngineOptions = {}) {
    this.clock = clock;
    this.name = options.name ?? 'process';
    this.answerMs = options.answerMs ?? 0;
    this.freezeMs = options.freezeMs ?? 7;
    this.thawMs = options.thawMs ?? 7;
    this.answers = new FakeAnswers(clock);
    this.news = this.freshNews();
    this.tasks = new FakeTasks(this.name, options, {
      clock,
      isOpen: () => this.phase === 'open',
      changed: (agent) => this.publish(agent),
      restarted: (agent) => {
        if (this.connected) this.news.later(() => this.told().restarted(agent.name));
      },
      drain: (agent, task) =>
        new Promise((resolve) =>
          this.news.later(() => {
            if (agent.tasks.includes(task)) resolve(this.told().drain(agent.name, task.id));
          }),
        ),
    });
  }

  /** Starts into a slot whose old task was still there, as Swarm does them. 0 unless the runtime did not wait. */
  get overlaps(): number {
    return this.tasks.overlaps;
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
    if (workload.policy === 'always-on') this.tasks.order(agent, anew ? workload.replicas : agent.wanted);
    else this.publish(agent);
  }

  async release(name: string): Promise<void> {
    this.record('release', { agent: name });
    const agent = this.declared(name);
    // At once, as the real ones: it may be declared again before this is answered, and then it stays.
    agent.released = true;
    await this.answer('release');
    if (!isReleased(agent)) return;
    // The service stays as it is, and is found so when it is declared again.
    if (this.name === 'swarm') return;
    this.tasks.order(agent, 0);
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
    this.tasks.order(agent, replicas);
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
    this.tasks.endOne(agent, task, options.replace);
  }

  async freeze(name: string): Promise<void> {
    this.record('freeze', { agent: name });
    const agent = this.declared(name);
    await this.inTurn(agent, 'freeze', () => {
      for (const task of agent.tasks) if (task.state === 'running') task.frozen = true;
    });
  }

  async thaw(name: string): Promise<void> {
    this.record('thaw', { agent: name });
    const agent = this.declared(name);
    await this.inTurn(agent, 'thaw', () => {
      for (const task of agent.tasks) task.frozen = false;
    });
  }

  checkListener(name: string, taskId: string): Listener {
    if (this.name === 'swarm') return 'task';
    const agent = this.agents.get(name);
    const task = agent?.tasks.find((each) => each.id === taskId);
    if (agent === undefined || task?.state !== 'running') return 'nobody';
    if (task.script.stranger !== true) return 'task';
    this.tasks.fail(agent, task, `port ${task.address.port} was taken by another process`);
    return 'stranger';
  }

  async close(graceMs: number): Promise<void> {
    this.record('close', { graceMs });
    assert(this.phase !== 'new', 'an engine is opened before it is closed');
    this.phase = 'closed';
    if (this.name === 'swarm') return;
    for (const agent of this.agents.values()) this.tasks.endAll(agent, graceMs);
    await this.until(() => [...this.agents.values()].every((agent) => agent.tasks.length === 0));
  }

  // The script.

  /** The next call of this name rejects, before it changes anything. */
  failNext(call: CallName, code: EngineError['code'] = 'unavailable', detail = 'as scripted'): void {
    this.answers.fail(call, code, detail);
  }

  /** The next call of this name is not answered, changes nothing, and rejects at the engine's own limit of 10 s. */
  hangNext(call: CallName): void {
    this.answers.hang(call);
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
    this.tasks.exit(this.known(name), reason, options);
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
    this.tasks.order(this.known(name), replicas);
  }

  /** Somebody else stops what runs of it, as with `docker pause`, or lets it go on. */
  freezeByHand(name: string, frozen: boolean): void {
    const agent = this.known(name);
    const tasks = agent.tasks.filter((task) => task.state === 'running' && task.frozen !== frozen);
    assert(tasks.length > 0, `script: ${name} has a task that can be ${frozen ? 'frozen' : 'thawed'}`);
    for (const task of tasks) task.frozen = frozen;
    this.publish(agent);
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

  /** Freezes and thaws of one agent follow each other, and each is followed by an observation, whatever came of it. */
  private inTurn(agent: FakeAgent, call: 'freeze' | 'thaw', change: () => void): Promise<void> {
    const turn = agent.frost.then(async () => {
      try {
        await this.answer(call, call === 'freeze' ? this.freezeMs : this.thawMs);
        change();
      } finally {
        this.publish(agent);
      }
    });
    agent.frost = turn.catch(() => undefined);
    return turn;
  }

  private async answer(call: CallName, ms = this.answerMs): Promise<void> {
    await this.answers.next(call, ms);
    if (!this.connected) throw new EngineError('unavailable', 'the engine cannot be reached');
    if (this.phase === 'closed') throw new EngineError('unavailable', 'the engine is closed');
  }

  private async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.answers.pass(10);
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
