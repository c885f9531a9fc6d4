import type { Address, Observation, Task, Workload } from '../../src/ports/engine.ts';
import type { Instant, WallTime } from '../../src/std/time.ts';

export interface FakeEngineOptions {
  /** `process` asks the watcher to drain and never has two tasks in one slot; `swarm` does neither, and shows addresses early. */
  readonly name?: 'process' | 'swarm';
  /** From the order until the task is `running`. */
  readonly startMs?: number;
  /** From being told to end until nothing is left. */
  readonly stopMs?: number;
  /** From a task's end by itself until its first replacement is started; doubles each time, at most 5 min. */
  readonly restartMs?: number;
  /** Every call settles this much later. 0: in a microtask. */
  readonly answerMs?: number;
  /** How long a freeze takes, and a thaw. */
  readonly freezeMs?: number;
  readonly thawMs?: number;
}

export type CallName = 'open' | 'declare' | 'release' | 'observe' | 'scale' | 'endTask' | 'freeze' | 'thaw' | 'close';

export interface RecordedCall {
  readonly at: Instant;
  readonly call: CallName;
  readonly agent: string | null;
  readonly replicas: number | null;
  readonly taskId: string | null;
  readonly replace: boolean | null;
  readonly graceMs: number | null;
}

export const recordedCall = (at: Instant, call: CallName): RecordedCall => ({
  at,
  call,
  agent: null,
  replicas: null,
  taskId: null,
  replace: null,
  graceMs: null,
});

/** What becomes of one start. */
export interface ScriptedStart {
  readonly startMs?: number;
  /** The task ends by itself as soon as it is running, for this reason. */
  readonly exits?: string;
  /** Somebody else takes its port before it listens. Engine process only. */
  readonly stranger?: boolean;
}

export interface FakeTask {
  readonly id: string;
  readonly slot: number;
  readonly startedAt: WallTime;
  readonly address: Address;
  readonly script: ScriptedStart;
  state: Task['state'];
  /** Told to end, but the watcher is still asked to drain it. */
  draining: boolean;
  frozen: boolean;
}

export interface FakeAgent {
  readonly name: string;
  workload: Workload;
  wanted: number;
  /** How many of `wanted` the engine has given up: they ended by themselves and are not replaced. A scale resets it. */
  abandoned: number;
  tasks: FakeTask[];
  /** Replacements that wait for their time. */
  waiting: { readonly slot: number }[];
  /** Ends by itself in a row. */
  restarts: number;
  /** Replacements to be announced with `restarted` once they are started. */
  owed: number;
  lastExit: string | null;
  /** Why it cannot be run whatever is ordered. */
  obstacle: string | null;
  scripts: ScriptedStart[];
  released: boolean;
  /** The last freeze or thaw; the next one waits for it. */
  frost: Promise<unknown>;
}

export function newAgent(workload: Workload): FakeAgent {
  return {
    name: workload.agent,
    workload,
    wanted: 0,
    abandoned: 0,
    tasks: [],
    waiting: [],
    restarts: 0,
    owed: 0,
    lastExit: null,
    obstacle: null,
    scripts: [],
    released: false,
    frost: Promise.resolve(),
  };
}

/** What is true of the agent, in the words of the port. */
export function observationOf(engine: 'process' | 'swarm', agent: FakeAgent): Observation {
  const live = agent.tasks.filter((each) => each.state !== 'ending').length;
  const starting = agent.tasks.some((each) => each.state === 'starting');
  return {
    wanted: agent.wanted,
    tasks: [...agent.tasks]
      .sort((a, b) => a.slot - b.slot)
      .map((task) => ({
        id: task.id,
        slot: task.slot,
        name: `${agent.name}.${task.slot}`,
        node: 'node-1',
        state: task.state,
        address: task.state === 'starting' && engine === 'process' ? null : task.address,
        startedAt: task.startedAt,
        ...(engine === 'swarm' ? { source: task.address.host } : {}),
        onLeader: true,
        frozen: task.frozen,
      })),
    converging: starting || agent.wanted - agent.abandoned > live,
    lastExit: agent.lastExit,
    ...(agent.obstacle === null ? {} : { obstacle: agent.obstacle }),
  };
}
