import type { Clock } from '../../src/ports/clock.ts';
import { assert } from '../../src/std/assert.ts';
import { after, millisOf } from '../../src/std/time.ts';
import type { FakeAgent, FakeEngineOptions, FakeTask } from './fake-agent.ts';

/**
 * How the tasks of the fake engine come and go. The rule is that of the process engine (src/process/agent.ts): as many slots are
 * held as are wanted. As Swarm it starts a task beside the old one of its slot, and counts that.
 */
export interface FakeTasksGround {
  readonly clock: Clock;
  readonly isOpen: () => boolean;
  readonly changed: (agent: FakeAgent) => void;
  readonly restarted: (agent: FakeAgent) => void;
  /** Resolves once the task may be ended. */
  readonly drain: (agent: FakeAgent, task: FakeTask) => Promise<void>;
}

const RESTART_MAX_MS = 300_000;

export class FakeTasks {
  /** Starts into a slot whose old task was still there. */
  overlaps = 0;
  private readonly engine: 'process' | 'swarm';
  private readonly ground: FakeTasksGround;
  private readonly startMs: number;
  private readonly stopMs: number;
  private readonly restartMs: number;
  private serial = 0;

  constructor(engine: 'process' | 'swarm', options: FakeEngineOptions, ground: FakeTasksGround) {
    this.engine = engine;
    this.ground = ground;
    this.startMs = options.startMs ?? 400;
    this.stopMs = options.stopMs ?? 3000;
    this.restartMs = options.restartMs ?? 1000;
  }

  order(agent: FakeAgent, replicas: number): void {
    agent.wanted = replicas;
    agent.abandoned = 0;
    agent.lastExit = null;
    agent.waiting = [];
    agent.restarts = 0;
    this.reconcile(agent);
    this.ground.changed(agent);
  }

  endOne(agent: FakeAgent, task: FakeTask, replace: boolean): void {
    if (!replace) agent.wanted -= 1;
    this.end(agent, task, true);
    this.reconcile(agent);
    this.ground.changed(agent);
  }

  endAll(agent: FakeAgent, graceMs: number): void {
    agent.wanted = 0;
    agent.waiting = [];
    for (const task of agent.tasks) this.leave(agent, task, Math.min(graceMs, this.stopMs));
  }

  /** The engine itself gives it up and ends it. */
  fail(agent: FakeAgent, task: FakeTask, reason: string): void {
    this.giveUp(agent, task, reason);
    this.leave(agent, task, this.stopMs);
    this.ground.changed(agent);
  }

  exit(
    agent: FakeAgent,
    reason: string,
    { taskId, converging }: { readonly taskId?: string; readonly converging?: boolean },
  ): void {
    const candidates = agent.tasks.filter((each) => each.state !== 'ending').sort((a, b) => a.slot - b.slot);
    const task = taskId === undefined ? candidates[0] : agent.tasks.find((each) => each.id === taskId);
    assert(task !== undefined, `script: ${agent.name} has a task that can exit`);
    agent.tasks = agent.tasks.filter((each) => each !== task);
    if (task.state !== 'ending') this.giveUp(agent, task, reason, converging);
    this.reconcile(agent);
    this.ground.changed(agent);
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
      if (occupied && this.engine === 'swarm') this.overlaps += 1;
      if (!occupied || this.engine === 'swarm') this.start(agent, slot);
    }
  }

  private start(agent: FakeAgent, slot: number): void {
    const script = agent.scripts.shift() ?? {};
    const number = (this.serial += 1);
    const task: FakeTask = {
      id: `task-${number}`,
      slot,
      startedAt: this.ground.clock.wall(),
      address: { host: '127.0.0.1', port: agent.workload.process?.port ?? 20_000 + (number % 10_000) },
      script,
      state: 'starting',
      draining: false,
      frozen: false,
    };
    agent.tasks.push(task);
    const restarted = agent.owed > 0;
    if (restarted) {
      agent.owed -= 1;
      this.ground.restarted(agent);
    }
    this.at(script.startMs ?? this.startMs, () => {
      if (task.state !== 'starting' || !agent.tasks.includes(task)) return;
      task.state = 'running';
      this.ground.changed(agent);
      if (script.exits !== undefined) this.exit(agent, script.exits, { taskId: task.id });
    });
  }

  /** The task counts no more, for this reason: replaced, or not. */
  private giveUp(agent: FakeAgent, task: FakeTask, reason: string, converging?: boolean): void {
    task.state = 'ending';
    task.frozen = false;
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
      this.ground.changed(agent);
    });
  }

  /** Where work may still go on elsewhere in the agent, the process engine asks for the task to be drained first. */
  private end(agent: FakeAgent, task: FakeTask, drainFirst: boolean): void {
    task.state = 'ending';
    task.draining = drainFirst && this.engine === 'process';
    if (!task.draining) {
      this.leave(agent, task, this.stopMs);
      return;
    }
    this.ground.changed(agent);
    void this.ground.drain(agent, task).then(() => this.leave(agent, task, this.stopMs));
  }

  private leave(agent: FakeAgent, task: FakeTask, ms: number): void {
    task.state = 'ending';
    task.frozen = false;
    task.draining = false;
    this.at(ms, () => {
      if (!agent.tasks.includes(task)) return;
      agent.tasks = agent.tasks.filter((each) => each !== task);
      if (this.ground.isOpen()) this.reconcile(agent);
      this.ground.changed(agent);
    });
  }

  private at(ms: number, then: () => void): void {
    this.ground.clock.alarm(after(this.ground.clock.now(), millisOf(ms)), then);
  }
}
