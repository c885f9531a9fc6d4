import { expect } from 'vitest';
import type { Engine, Observation, Task, Workload } from '../../src/ports/engine.ts';
import type { RecordingWatcher } from '../support/recording-watcher.ts';

/** What an engine has to bring for the contract suite, and what the cases of the suite share. */
export interface EngineHarness {
  readonly engine: Engine;
  readonly watcher: RecordingWatcher;
  readonly workload: (agent: string, policy?: Workload['policy'], replicas?: number) => Workload;
  /**
   * The same, deployed so that the engine brings another task for one that ended by itself. To be asked for only where the
   * engine leaves that to the deployment; one that decides by itself takes no notice.
   */
  readonly replacing?: (agent: string) => Workload;
  /** Resolves as soon as `holds`. The fake's harness lets time pass for it, the others wait to be told. */
  readonly until: (holds: () => boolean) => Promise<void>;
  /** Awaits a call that may take time. */
  readonly settled: (call: Promise<void>) => Promise<void>;
  /** Makes a running task end by itself, with exit code 7. */
  exit(agent: string, task: Task): Promise<void>;
  /** Embedded engines: declares and starts an agent that does not listen, and takes the port of its task. */
  readonly estranged?: (agent: string) => Promise<Task>;
  /** What a running task finds in its environment. Null: there is no real task that could be asked. */
  readonly environment: ((task: Task) => Promise<Readonly<Record<string, string>>>) | null;
  /** What is seen of running tasks from outside. Null: there is no real task that could be looked at. */
  readonly outside: {
    /** Makes it use all the CPU it gets, for ever. */
    spin(task: Task): Promise<void>;
    /** Resolves once it has answered a request that is sent now. */
    answered(task: Task): Promise<void>;
    /** How much CPU it has used, in ticks of the kernel. */
    ticks(task: Task): Promise<number>;
  } | null;
  /** Milliseconds as the engine counts them. */
  now(): number;
  dispose(): Promise<void>;
}

export interface EngineTraits {
  /** It runs tasks itself: it asks the watcher to drain, sizes always-on agents, and waits until a slot is empty. */
  readonly embedded: boolean;
  /** How long the first and the second restart of an always-on agent wait, at least. */
  readonly restartsAfterMs: readonly [number, number];
  readonly hasEnvironment: boolean;
}

/** Brings agents into the state that a case begins with, and waits for what it expects. */
export function castOf(current: () => EngineHarness) {
  const seen = (agent: string): Observation => {
    const latest = current().watcher.latest(agent);
    expect(latest, `${agent} was observed`).not.toBeNull();
    return latest!;
  };
  /** Waits for an observation of the agent that satisfies `holds`, and returns it. */
  const observed = async (agent: string, holds: (observation: Observation) => boolean): Promise<Observation> => {
    const isSeen = (): boolean => {
      const latest = current().watcher.latest(agent);
      return latest !== null && holds(latest);
    };
    await current().until(isSeen);
    return seen(agent);
  };
  const running = (agent: string, count: number): Promise<Observation> =>
    observed(
      agent,
      ({ tasks, wanted }) =>
        wanted === count && tasks.length === count && tasks.every((task) => task.state === 'running' && task.address !== null),
    );
  const gone = (agent: string): Promise<Observation> =>
    observed(agent, ({ tasks, wanted }) => wanted === 0 && tasks.length === 0);
  const awake = async (
    agent: string,
    count = 1,
    deploy: (agent: string) => Workload = current().workload,
  ): Promise<readonly Task[]> => {
    const { engine, watcher } = current();
    await engine.open(watcher);
    engine.declare(deploy(agent));
    await engine.scale(agent, count);
    return (await running(agent, count)).tasks;
  };
  return { seen, observed, running, gone, awake };
}

export const ids = (tasks: readonly Task[]): string[] => tasks.map(({ id }) => id);
export const only = (tasks: readonly Task[]): Task => {
  expect(tasks).toHaveLength(1);
  return tasks[0]!;
};
export const slot = (tasks: readonly Task[], wanted: number): Task => {
  const task = tasks.find((each) => each.slot === wanted);
  expect(task, `slot ${wanted}`).toBeDefined();
  return task!;
};
