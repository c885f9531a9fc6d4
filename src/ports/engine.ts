import type { WallTime } from '../std/time.ts';

/** Where a task listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One running copy of an agent, as its engine sees it. */
export interface Task {
  /** Unique for ever, also across restarts of the daemon. */
  readonly id: string;
  /** 1 up to the number of replicas; free again once the task is gone. */
  readonly slot: number;
  /** `<agent>.<slot>`. */
  readonly name: string;
  readonly node: string;
  /** `starting`: not to be dialled yet. `running`: dial it. `ending`: told to end; it may still serve. */
  readonly state: 'starting' | 'running' | 'ending';
  /** Null until it is known. */
  readonly address: Address | null;
  readonly startedAt: WallTime;
  /**
   * Where its own calls come from, for engines whose tasks have an address of their own: it proves who calls. Absent where it
   * proves nothing.
   */
  readonly source?: string;
  /** Whether its node is the one that leads the cluster; always true where there is only one node. */
  readonly onLeader: boolean;
  /**
   * Its processes are stopped where they are, by {@link Engine.freeze}, or under Swarm by somebody else too; known of this node
   * only. Its address still takes connections, which nobody answers.
   */
  readonly frozen: boolean;
}

/**
 * All that the engine knows of one agent, whole every time: who misses one observation is set right by the next. A task is
 * listed until nothing of it is left, so an empty list with `wanted` 0 means that a start cannot meet an old copy.
 */
export interface Observation {
  /** Tasks that were last asked for, by us or by anybody else. */
  readonly wanted: number;
  readonly tasks: readonly Task[];
  /** The engine will bring more tasks by itself: one is being made, or its restart policy replaces one that ended. */
  readonly converging: boolean;
  /**
   * Why the last task ended by itself, in words for an operator; null when none did since the last scale. A start that
   * failed in the attempt counts as a task that ended by itself, and one that cannot be placed says here what it waits for.
   */
  readonly lastExit: string | null;
  /** Why the engine could not run it whatever was ordered, in words for an operator; absent when nothing stands in the way. */
  readonly obstacle?: string;
}

/** Who answers at a task's address. */
export type Listener = 'task' | 'stranger' | 'nobody';

/** What the engine must know to run an agent. */
export interface Workload {
  readonly agent: string;
  readonly policy: 'on-demand' | 'always-on';
  /** Tasks of an always-on agent, which the engine starts and keeps alive by itself where it can. */
  readonly replicas: number;
  /** Engine process: what to run. */
  readonly process: {
    readonly command: readonly string[];
    /** Absolute. */
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
    /** A port that the config fixes; null: the engine assigns one. */
    readonly port: number | null;
    /** The agent's own token, handed over as REVEILLE_TOKEN. */
    readonly token: string;
  } | null;
  /** Engine swarm: which service it is, and where its tasks listen. */
  readonly swarm: {
    readonly service: string;
    /** Dialled as it is written; null: each task at its own address. */
    readonly host: string | null;
    readonly port: number;
  } | null;
}

/** Expected failure of a call to the engine. `unavailable`: nothing can be said now; it is asked again later. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: 'unavailable' | 'refused' | 'last-task' | 'unknown-task' | 'task-elsewhere';

  constructor(code: EngineError['code'], detail: string) {
    super(detail);
    this.code = code;
  }
}

export interface EngineWatcher {
  /**
   * Something about this agent changed; also sent for every declared agent right after `restored`. The first that is said of
   * an agent is acted upon: never a guess made before anybody has looked.
   */
  observed(agent: string, observation: Observation): void;
  /** The engine cannot be reached; observations are stale until `restored`. */
  lost(detail: string): void;
  restored(): void;
  /** The engine replaced a task that had ended by itself. */
  restarted(agent: string): void;
  /**
   * Asked before a task is ended on request while its agent goes on (a scale to 1 or more, endTask): keep new work from it.
   * The task is observed as `ending` by then. Resolves once it has no work left, or at the agent's drain_timeout. Not asked
   * on a scale to 0, and cut short by one. Swarm does not ask; it ends tasks by itself.
   */
  drain(agent: string, taskId: string): Promise<void>;
}

/**
 * What runs agents. Every promise settles within a limit of the engine's own and rejects with nothing but an
 * {@link EngineError}. Contract suite: test/engine.
 */
export interface Engine {
  readonly name: 'process' | 'swarm';
  /**
   * Takes its place and sets right what an earlier daemon left. Call once, before anything else. From then on, until close
   * is called, `watcher` is told of changes, always later and never from within a call to the engine. An engine that is
   * somewhere else may be away: then this resolves all the same, and `lost` is told.
   */
  open(watcher: EngineWatcher): Promise<void>;
  /** From now on this agent exists, or has become this. A running task keeps what it was started with. */
  declare(workload: Workload): void;
  /** The agent is gone from the config: forget it. The process engine ends its tasks; Swarm leaves the service as it is. */
  release(agent: string): Promise<void>;
  observe(agent: string): Promise<Observation>;
  /**
   * Resolves once the order is taken; what becomes of it is observed, and an order that changes nothing is followed by an
   * observation too. 0 ends all tasks, gracefully first, and frozen ones like the others. A new task never starts in a slot whose old task is still there.
   * `refused`: it cannot be started as it stands (no such command, no such directory, state_dir cannot be written); nothing
   * was changed. What fails only in the attempt is not a rejection but an observation.
   */
  scale(agent: string, replicas: number): Promise<void>;
  /**
   * Ends exactly this task, frozen or not; one that is ending already is left to it. One fewer is wanted afterwards, unless `replace`.
   * `last-task`: no other task goes on, and it was not to be replaced.
   */
  endTask(agent: string, taskId: string, options: { readonly replace: boolean }): Promise<void>;
  /**
   * Stops every running task of the agent where it is, or none: memory is kept, CPU is not used, whoever connects waits. What
   * could not be stopped leads to the thaw of what was. Tasks that are being made or are ending are left alone, and later ones
   * are not frozen. Freezing what is frozen changes nothing. Whatever comes of it, an observation follows.
   *
   * Process: SIGSTOP to the process group (kill(2), signal(7)); resolves once the kernel shows the group's leader as stopped
   * (proc_pid_stat(5)). What has left the group by setsid(2) is not stopped. Swarm: the freezer of the container's cgroup, by
   * ContainerPause (POST /containers/{id}/pause, https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container);
   * a pause of what is paused is answered 409 and is no mistake. Swarm itself does not react: the task stays `running`.
   *
   * `task-elsewhere`: a container is not on the node whose engine we speak to, and nothing was frozen. `refused`: the engine
   * will not do it, whenever it is asked. `unavailable`: it could not be done now. Orders to one agent are carried out in
   * order, so a thaw that follows a freeze always has the last word.
   */
  freeze(agent: string): Promise<void>;
  /**
   * Lets every task of the agent go on, those that somebody else froze too. What is not frozen and what is gone is no mistake;
   * an observation follows. SIGCONT, or ContainerUnpause (POST /containers/{id}/unpause), which answers 500 "is not paused"
   * where there was nothing to do. `unavailable`, `refused`: some may still be frozen, and an observation tells which.
   */
  thaw(agent: string): Promise<void>;
  /**
   * Asked before a health check of a task counts for the first time: is it the task that listens at its address? Only an
   * engine whose tasks share an address with the rest of the machine has this. `stranger`: somebody else has taken the port;
   * the task is ended, and observed as one that ended by itself. Where it cannot be known the answer is `task`.
   */
  checkListener?(agent: string, taskId: string): Listener;
  /**
   * Ends the engine's own part: process tasks are ended, by force after `graceMs` at the latest; Swarm tasks go on. Called again with less
   * grace it hurries. Any other call from then on rejects with `unavailable`.
   */
  close(graceMs: number): Promise<void>;
}
