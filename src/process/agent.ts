import type { Alarm } from '../ports/clock.ts';
import type { Listener, Observation, Task, Workload } from '../ports/engine.ts';
import { assert } from '../std/assert.ts';
import { type Millis, after } from '../std/time.ts';
import { Backoff } from './backoff.ts';
import { ProcessTask, type TaskGround } from './task.ts';

/**
 * One agent and its slots. The whole of it is one rule, `reconcile`: as many slots are held as are wanted, and a slot gets a
 * new task only when nothing is left of its old one. Everything else changes what is wanted or what is there, and asks again.
 */
export interface AgentGround extends TaskGround {
  /** Something can be observed anew. */
  changed(agent: string): void;
  restarted(agent: string): void;
  drain(agent: string, taskId: string): Promise<void>;
  readonly stopGrace: Millis;
}

/** A slot whose task ended by itself, until its replacement is due. */
interface Waiting {
  readonly slot: number;
  readonly alarm: Alarm;
}

export class ProcessAgent {
  readonly name: string;
  /** Released, and not declared again since. */
  released = false;
  private readonly ground: AgentGround;
  private workload: Workload;
  private wanted = 0;
  /** How many of `wanted` are given up: they ended by themselves and are not replaced. A scale resets it. */
  private abandoned = 0;
  private tasks: ProcessTask[] = [];
  private waiting: Waiting[] = [];
  private readonly backoffs = new Map<number, Backoff>();
  /** How many of the next starts are replacements, to be announced as such. */
  private owed = 0;
  private lastExit: string | null = null;
  private whenGone: (() => void)[] = [];
  /** The last freeze or thaw: the next one waits for it, or a late freeze would stop what was told to go on. */
  private frost: Promise<unknown> = Promise.resolve();

  constructor(workload: Workload, ground: AgentGround) {
    this.name = workload.agent;
    this.workload = workload;
    this.ground = ground;
    if (workload.policy === 'always-on') this.order(workload.replicas);
    else this.changed();
  }

  /** It has become this. Tasks keep what they were started with; a replacement that waits is tried at once. */
  redeclare(workload: Workload): void {
    const before = this.workload;
    this.workload = workload;
    const anew = this.released || before.policy !== workload.policy || before.replicas !== workload.replicas;
    this.released = false;
    if (workload.policy === 'always-on') this.order(anew ? workload.replicas : this.wanted);
    else this.changed();
  }

  current(): Workload {
    return this.workload;
  }

  /** Whether an order for so many would start anything. */
  wouldStart(replicas: number): boolean {
    return replicas > this.live().length;
  }

  order(replicas: number): void {
    this.wanted = replicas;
    this.abandoned = 0;
    this.lastExit = null;
    this.backoffs.clear();
    for (const { alarm } of this.waiting) alarm.cancel();
    this.waiting = [];
    this.owed = 0;
    // Those that are being drained too: nobody is left to go on.
    if (replicas === 0) for (const task of this.tasks) task.end(this.ground.stopGrace);
    this.reconcile();
    this.changed();
  }

  endTask(taskId: string, replace: boolean): 'ending' | 'unknown-task' | 'last-task' {
    const task = this.tasks.find((each) => each.id === taskId);
    if (task === undefined) return 'unknown-task';
    if (task.state === 'ending') return 'ending';
    if (!replace && this.live().length === 1) return 'last-task';
    if (!replace) this.wanted -= 1;
    this.drainAndEnd(task);
    this.reconcile();
    this.changed();
    return 'ending';
  }

  /** All tasks that run, or none. Resolves with null, or with why it was none. */
  freeze(): Promise<string | null> {
    return this.inTurn(async () => {
      const tasks = this.tasks.filter(({ state }) => state === 'running');
      const failures = await Promise.all(tasks.map((task) => task.freeze()));
      const failure = failures.find((each) => each !== null) ?? null;
      if (failure !== null) for (const task of tasks) task.thaw();
      this.changed();
      return failure;
    });
  }

  thaw(): Promise<void> {
    return this.inTurn(async () => {
      for (const task of this.tasks) task.thaw();
      this.changed();
    });
  }

  /** As the port has it; `unknown` where the kernel cannot be asked. */
  checkListener(taskId: string): Listener | 'unknown' {
    const task = this.tasks.find((each) => each.id === taskId);
    const holder = task?.listener() ?? 'nobody';
    if (holder === 'stranger') task?.fail(`port ${String(task.view().address?.port)} was taken by another process`);
    return holder === 'family' ? 'task' : holder;
  }

  /** For good: nothing is started any more. Resolves once nothing is left. Called again, the shorter grace counts. */
  async close(grace: Millis): Promise<void> {
    this.order(0);
    for (const task of this.tasks) task.end(grace);
    await this.gone();
  }

  /** Resolves once no task is left. */
  async gone(): Promise<void> {
    if (this.tasks.length > 0) await new Promise<void>((resolve) => this.whenGone.push(resolve));
  }

  observation(): Observation {
    const live = this.live();
    return {
      wanted: this.wanted,
      tasks: this.tasks.map((task): Task => task.view()).sort((a, b) => a.slot - b.slot),
      converging: live.some((task) => task.state === 'starting') || this.wanted - this.abandoned > live.length,
      lastExit: this.lastExit,
    };
  }

  private inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.frost.then(act);
    this.frost = turn;
    return turn;
  }

  private live(): readonly ProcessTask[] {
    return this.tasks.filter((task) => task.state !== 'ending');
  }

  /** `due`: a replacement goes into the slot that it was announced for, though a lower one may be free by then. */
  private reconcile(due = 1): void {
    const live = this.live();
    let missing = this.wanted - this.abandoned - live.length - this.waiting.length;
    for (; missing < 0 && this.waiting.length > 0; missing += 1) this.waiting.pop()?.alarm.cancel();
    // The highest slots go first, so that those that stay are 1, 2, 3 again.
    const surplus = [...live].sort((a, b) => b.slot - a.slot).slice(0, Math.max(0, -missing));
    for (const task of surplus) if (this.wanted > 0) this.drainAndEnd(task);
    const held = new Set([...live, ...this.waiting].map(({ slot }) => slot));
    const take = (slot: number): void => {
      if (missing <= 0 || held.has(slot)) return;
      held.add(slot);
      missing -= 1;
      if (!this.tasks.some((task) => task.slot === slot)) this.start(slot);
    };
    take(due);
    for (let slot = 1; missing > 0; slot += 1) take(slot);
  }

  private start(slot: number): void {
    const restarted = this.owed > 0;
    if (restarted) this.owed -= 1;
    const task = new ProcessTask(this.workload, slot, this.ground, {
      running: () => {
        if (restarted) this.ground.restarted(this.name);
        this.changed();
      },
      exited: (reason) => {
        this.exited(task, reason);
      },
      gone: () => {
        this.tasks = this.tasks.filter((each) => each !== task);
        this.reconcile();
        this.changed();
        if (this.tasks.length > 0) return;
        for (const resolve of this.whenGone.splice(0)) resolve();
      },
    });
    this.tasks.push(task);
  }

  /** The task ended by itself; `gone` follows once nothing is left of it. */
  private exited(task: ProcessTask, reason: string): void {
    this.lastExit = reason;
    const others = this.live().length;
    if (this.workload.policy === 'always-on' || others > 0) this.replaceLater(task);
    else {
      // The last one of an on-demand agent: whoever calls next starts it, and nobody else.
      for (const { alarm } of this.waiting) alarm.cancel();
      this.waiting = [];
      this.abandoned = this.wanted;
    }
    this.reconcile();
    this.changed();
  }

  private replaceLater(task: ProcessTask): void {
    const now = this.ground.clock.now();
    const backoff = this.backoffs.get(task.slot) ?? new Backoff();
    this.backoffs.set(task.slot, backoff);
    const wait = backoff.next(task.runningSince, now);
    const entry: Waiting = {
      slot: task.slot,
      alarm: this.ground.clock.alarm(after(now, wait), () => {
        this.waiting = this.waiting.filter((each) => each !== entry);
        this.owed += 1;
        this.reconcile(entry.slot);
        this.changed();
      }),
    };
    this.waiting.push(entry);
    this.ground.log.info('task is replaced after a wait', { agent: this.name, task: task.id, slot: task.slot, wait_ms: wait });
  }

  private drainAndEnd(task: ProcessTask): void {
    assert(task.state !== 'ending', 'a task is told to end once');
    task.leave();
    // Before the watcher is asked to drain it: it must know by then that the task takes no more work.
    this.changed();
    void this.ground.drain(this.name, task.id).then(() => {
      task.end(this.ground.stopGrace);
    });
  }

  private changed(): void {
    if (!this.released) this.ground.changed(this.name);
  }
}
