import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../ports/clock.ts';
import type { Address, Task, Workload } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import { assert } from '../std/assert.ts';
import { type Outcome, done, failed } from '../std/outcome.ts';
import { type Instant, type Millis, type WallTime, millisOf } from '../std/time.ts';
import { Child } from './child.ts';
import { type Program, findProgram, ownerMark, taskEnvironment, taskMark } from './environment.ts';
import type { Holder } from './listener.ts';
import type { PortPool } from './ports.ts';
import { bootId } from './proc.ts';
import type { ProcessRecord } from './record.ts';

/**
 * One task from the order to start it until nothing is left of it: a port, an entry in the record, a child. What it took it
 * gives back in one place, when it is gone, and in any order of events it is gone exactly once.
 */
export interface TaskGround {
  readonly clock: Clock;
  readonly log: Log;
  readonly host: string;
  readonly ports: PortPool;
  readonly record: ProcessRecord;
  readonly daemonEnvironment: NodeJS.ProcessEnv;
  /** How long what a leader left behind has between SIGTERM and SIGKILL. */
  readonly stopGrace: Millis;
  reveilleUrl(): string;
  /** A process group to be ended should the daemon die, and one that need not be any more. */
  guard(group: number): void;
  unguard(group: number): void;
}

export interface TaskWatcher {
  running(): void;
  /** It ended by itself, or could not be started. Not called once it was told to end. */
  exited(reason: string): void;
  /** Nothing is left of it. Called once, never from within the constructor. */
  gone(): void;
}

const NOW = millisOf(0);

export class ProcessTask {
  readonly id = randomBytes(12).toString('hex');
  readonly slot: number;
  readonly name: string;
  state: Task['state'] = 'starting';
  /** Null until the child was started. */
  runningSince: Instant | null = null;
  /** Told to stop where it is, and not to go on since. Written here alone. */
  frozen = false;
  private readonly workload: Workload;
  private readonly ground: TaskGround;
  private readonly watcher: TaskWatcher;
  private readonly log: Log;
  private readonly startedAt: WallTime;
  private address: Address | null = null;
  private child: Child | null = null;
  private port: number | null = null;

  constructor(workload: Workload, slot: number, ground: TaskGround, watcher: TaskWatcher) {
    this.workload = workload;
    this.slot = slot;
    this.name = `${workload.agent}.${slot}`;
    this.ground = ground;
    this.watcher = watcher;
    this.startedAt = ground.clock.wall();
    this.log = ground.log.with({ agent: workload.agent, task: this.id });
    void this.start();
  }

  view(): Task {
    const { id, slot, name, state, address, startedAt, frozen } = this;
    return { id, slot, name, node: hostname(), state, address, startedAt, onLeader: true, frozen };
  }

  /** It is going to be ended; it still serves what it has. */
  leave(): void {
    this.state = 'ending';
  }

  /** Ends it now: SIGTERM, and SIGKILL after `grace`. Called again, the shorter grace counts. */
  end(grace: Millis): void {
    this.state = 'ending';
    // Who is told to end is told to go on as well.
    this.frozen = false;
    // Without a child it is about to be started: launch() sees the state and gives up.
    this.child?.end(grace);
  }

  /** Stops it where it is. Resolves with null, also when it is being ended by now; or with why it is not stopped yet. */
  async freeze(): Promise<string | null> {
    const { child } = this;
    assert(child !== null && this.state === 'running', 'a task that runs has a child');
    this.frozen = true;
    const failure = await child.stop();
    return this.told() ? null : failure;
  }

  thaw(): void {
    this.frozen = false;
    this.child?.goOn();
  }

  /**
   * Who listens where it should. A port that the config fixes is the operator's word on where the agent answers: it was free
   * when the task was started, and whoever listens there since is taken for the agent, as Docker for `docker run -p`.
   */
  listener(): Holder {
    if (this.state !== 'running' || this.child === null || this.address === null) return 'nobody';
    return this.workload.process?.port === null ? this.child.holds(this.address) : 'family';
  }

  /** It cannot become what it was started for: it ends as one that ended by itself. */
  fail(reason: string): void {
    if (this.told()) return;
    this.state = 'ending';
    this.log.warn('task is ended', { reason });
    this.frozen = false;
    this.watcher.exited(reason);
    this.child?.end(this.ground.stopGrace);
  }

  private async start(): Promise<void> {
    const launched = await this.launch();
    if (launched.ok) return;
    // Nothing was started, or it was killed at once.
    if (this.state !== 'ending') {
      this.state = 'ending';
      this.log.warn('task could not be started', { detail: launched.failure });
      this.watcher.exited(`could not be started: ${launched.failure}`);
    }
    if (this.child === null) this.release();
  }

  private async launch(): Promise<Outcome<null, string>> {
    const { process } = this.workload;
    assert(process !== null, 'an agent of the process engine has a process');
    const port = await this.ground.ports.take(process.port);
    if (!port.ok) return port;
    this.port = port.value;
    if (this.told()) return failed('told to end');
    const program = findProgram(process, this.ground.daemonEnvironment);
    if (!program.ok) return program;
    const entry = { agent: this.workload.agent, task: this.id, pid: null, start: null, boot: bootId() };
    // Before the child: one that could not be found again must not be started.
    const reserved = this.ground.record.put(entry);
    if (!reserved.ok) return reserved;
    const child = await this.spawn(program.value, port.value, process.token);
    if (!child.ok) return child;
    this.child = child.value;
    this.ground.guard(child.value.pid);
    const recorded = this.ground.record.put({ ...entry, pid: child.value.pid, start: child.value.start });
    if (!recorded.ok) {
      child.value.end(NOW);
      return recorded;
    }
    this.runningSince = this.ground.clock.now();
    this.address = { host: this.ground.host, port: port.value };
    this.log.info('task started', { slot: this.slot, pid: child.value.pid, port: port.value });
    if (this.told()) child.value.end(NOW);
    else this.state = 'running';
    this.watcher.running();
    return done(null);
  }

  private spawn(program: Program, port: number, token: string): Promise<Outcome<Child, string>> {
    const { agent } = this.workload;
    const { host, record } = this.ground;
    const { id, slot, name } = this;
    const reveilleUrl = this.ground.reveilleUrl();
    const env = taskEnvironment({ agent, id, slot, name, host, port, token, reveilleUrl, owner: record.owner });
    const launch = { program, env, marks: [ownerMark(record.owner), taskMark(id)], secret: token };
    return Child.launch(launch, this.ground.clock, this.log, this.ground.stopGrace, {
      exited: (reason) => {
        this.log.info('task ended', { reason, asked: this.told() });
        this.frozen = false;
        if (this.told()) return;
        this.state = 'ending';
        this.watcher.exited(reason);
      },
      gone: () => {
        this.release();
      },
    });
  }

  private release(): void {
    if (this.child !== null) this.ground.unguard(this.child.pid);
    const dropped = this.ground.record.drop(this.id);
    if (!dropped.ok) this.log.warn('record of processes could not be written', { detail: dropped.failure });
    if (this.port !== null) this.ground.ports.free(this.port);
    this.watcher.gone();
  }

  private told(): boolean {
    return this.state === 'ending';
  }
}
