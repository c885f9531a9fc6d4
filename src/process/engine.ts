import type { Clock } from '../ports/clock.ts';
import { type Engine, EngineError, type EngineWatcher, type Listener, type Observation, type Workload } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import { assert } from '../std/assert.ts';
import { type Millis, after, millisOf } from '../std/time.ts';
import { type AgentGround, ProcessAgent } from './agent.ts';
import { findProgram } from './environment.ts';
import { Guardian } from './guardian.ts';
import { PortPool, type ReservedPorts } from './ports.ts';
import { ProcessRecord } from './record.ts';
import { sweep } from './sweep.ts';

/**
 * Runs agents as child processes of the daemon. It isolates nothing: they run as the daemon's user, see its files and its
 * network. What it promises is that a task is gone when it is said to be gone, and that none outlives the daemon.
 */
export interface ProcessEngineOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Held by this daemon alone (src/sqlite/lock.ts). */
  readonly stateDir: string;
  /** The internal port's base, without a slash at the end. Asked at every start, since the port is known late. */
  readonly reveilleUrl: () => string;
  /** Where tasks listen and are dialled. */
  readonly host: string;
  readonly reservedPorts: () => ReservedPorts;
  /** Between SIGTERM and SIGKILL. */
  readonly stopGrace?: Millis;
  /** What children inherit a few names of; process.env unless told otherwise. */
  readonly environment?: NodeJS.ProcessEnv;
}

const STOP_GRACE = millisOf(10_000);
/** After SIGKILL a call waits this much longer for the end, and then says that it does not come. */
const PATIENCE_MS = 5000;

export class ProcessEngine implements Engine {
  readonly name = 'process';
  private readonly options: ProcessEngineOptions;
  private readonly stopGrace: Millis;
  private readonly guardian: Guardian;
  private readonly agents = new Map<string, ProcessAgent>();
  /** What the watcher is still to be told, in order: a name to observe, or what to say. */
  private news: (string | (() => void))[] = [];
  private ground: AgentGround | null = null;
  /** The end of what an earlier daemon left. */
  private sweeping: Promise<void> = Promise.resolve();
  private saidBlind = false;
  private phase: 'new' | 'opening' | 'open' | 'closed' = 'new';

  constructor(options: ProcessEngineOptions) {
    this.options = options;
    this.stopGrace = options.stopGrace ?? STOP_GRACE;
    this.guardian = new Guardian(options.clock, options.log);
  }

  /** Of the process that ends the tasks should this one be killed; null while there is none. */
  get guardianPid(): number | null {
    return this.guardian.pid;
  }

  async open(watcher: EngineWatcher): Promise<void> {
    assert(this.phase === 'new', 'an engine is opened once');
    this.phase = 'opening';
    const { clock, log, stateDir, host, reservedPorts, reveilleUrl, environment } = this.options;
    const record = ProcessRecord.open(stateDir);
    // Refused rather than run without a memory: what cannot be found again must not be started.
    if (!record.ok) throw new EngineError('refused', record.failure);
    this.sweeping = sweep(record.value, clock, log, this.stopGrace);
    await this.sweeping;
    // Shut down while it was still ending leftovers: no guardian must hold up the exit.
    if (this.isClosed()) throw new EngineError('unavailable', 'the engine was closed while it opened');
    this.guardian.start();
    this.ground = {
      clock,
      log,
      host,
      reveilleUrl,
      ports: new PortPool(host, reservedPorts),
      record: record.value,
      daemonEnvironment: environment ?? process.env,
      stopGrace: this.stopGrace,
      guard: (group) => {
        this.guardian.watch(group);
      },
      unguard: (group) => {
        this.guardian.forget(group);
      },
      changed: (agent) => {
        if (!this.news.includes(agent)) this.tell(watcher, agent);
      },
      restarted: (agent) => {
        this.tell(watcher, () => {
          watcher.restarted(agent);
        });
      },
      // On close it never settles, and need not: close ends the tasks without asking.
      drain: (agent, taskId) =>
        new Promise((resolve) => {
          this.tell(watcher, () => {
            resolve(watcher.drain(agent, taskId));
          });
        }),
    };
    this.phase = 'open';
  }

  declare(workload: Workload): void {
    const ground = this.opened();
    if (this.phase === 'closed') return;
    assert(workload.process !== null, 'an agent of the process engine has a process');
    const known = this.agents.get(workload.agent);
    if (known === undefined) this.agents.set(workload.agent, new ProcessAgent(workload, ground));
    else known.redeclare(workload);
  }

  async release(name: string): Promise<void> {
    const agent = this.declared(name);
    agent.released = true;
    await this.patiently(agent.close(this.stopGrace), this.stopGrace);
    // It may have been declared again meanwhile; then it stays.
    if (isReleased(agent)) this.agents.delete(name);
  }

  async observe(name: string): Promise<Observation> {
    return this.declared(name).observation();
  }

  async scale(name: string, replicas: number): Promise<void> {
    assert(Number.isInteger(replicas) && replicas >= 0, 'replicas are a whole number');
    const agent = this.declared(name);
    const ground = this.opened();
    const { process: workload } = agent.current();
    if (agent.wouldStart(replicas) && workload !== null) {
      const program = findProgram(workload, ground.daemonEnvironment);
      if (!program.ok) throw new EngineError('refused', program.failure);
      const writable = ground.record.check();
      if (!writable.ok) throw new EngineError('refused', writable.failure);
    }
    agent.order(replicas);
  }

  async endTask(name: string, taskId: string, options: { readonly replace: boolean }): Promise<void> {
    const result = this.declared(name).endTask(taskId, options.replace);
    if (result === 'unknown-task') throw new EngineError(result, `${name} has no task ${taskId}`);
    if (result === 'last-task') throw new EngineError(result, `${taskId} is the last task of ${name}`);
  }

  async freeze(name: string): Promise<void> {
    const failure = await this.declared(name).freeze();
    if (failure !== null) throw new EngineError('unavailable', `${name} cannot be frozen: ${failure}`);
  }

  async thaw(name: string): Promise<void> {
    await this.declared(name).thaw();
  }

  checkListener(name: string, taskId: string): Listener {
    const listener = this.agents.get(name)?.checkListener(taskId) ?? 'nobody';
    if (listener !== 'unknown') return listener;
    if (!this.saidBlind) this.options.log.warn('cannot see who listens on a port; whoever answers there is taken for the agent');
    this.saidBlind = true;
    return 'task';
  }

  async close(graceMs: number): Promise<void> {
    this.phase = 'closed';
    this.news = [];
    const grace = millisOf(Math.min(graceMs, this.stopGrace));
    // Leftovers that were told to end belong to it too: given up half-way, those that ignore SIGTERM would live on.
    const all = Promise.all([this.sweeping, ...[...this.agents.values()].map((agent) => agent.close(grace))]);
    await this.patiently(all, grace).catch((error: unknown) => {
      this.options.log.error('some tasks did not end', { detail: String(error) });
    });
    await this.guardian.close();
  }

  /** Waits for the end of tasks, but not for ever. */
  private patiently(end: Promise<unknown>, grace: Millis): Promise<void> {
    const { clock } = this.options;
    return new Promise((resolve, reject) => {
      const limit = clock.alarm(after(clock.now(), millisOf(grace + PATIENCE_MS)), () => {
        reject(new EngineError('unavailable', 'a task does not end, not even by SIGKILL'));
      });
      void end.then(() => {
        limit.cancel();
        resolve();
      });
    });
  }

  private tell(watcher: EngineWatcher, item: string | (() => void)): void {
    if (this.phase === 'closed') return;
    this.news.push(item);
    if (this.news.length > 1) return;
    queueMicrotask(() => {
      const news = this.news;
      this.news = [];
      for (const each of news) {
        if (!this.isOpen()) return;
        if (typeof each === 'function') each();
        else this.observed(watcher, each);
      }
    });
  }

  private observed(watcher: EngineWatcher, name: string): void {
    const agent = this.agents.get(name);
    if (agent !== undefined && !agent.released) watcher.observed(name, agent.observation());
  }

  private isClosed(): boolean {
    return this.phase === 'closed';
  }

  private isOpen(): boolean {
    return this.phase === 'open';
  }

  private opened(): AgentGround {
    assert(this.ground !== null, 'an engine is opened before it is used');
    return this.ground;
  }

  private declared(name: string): ProcessAgent {
    this.opened();
    if (this.phase === 'closed') throw new EngineError('unavailable', 'the engine is closed');
    const agent = this.agents.get(name);
    assert(agent !== undefined && !agent.released, `agent ${name} is declared before it is used`);
    return agent;
  }
}

const isReleased = (agent: ProcessAgent): boolean => agent.released;
