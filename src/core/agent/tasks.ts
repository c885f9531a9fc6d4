/**
 * The tasks of one agent with what their health checks said. Three grades, because a task that has never answered is booting
 * and not ill: `unknown` gets no traffic and no blame, `unhealthy` gets none either and counts towards a restart.
 */
export interface SeenTask {
  readonly id: string;
  readonly state: 'starting' | 'running' | 'ending';
  /** Stopped where it is: it answers nothing until it is thawed. */
  readonly frozen: boolean;
}

export interface CheckedTask extends SeenTask {
  readonly health: 'unknown' | 'healthy' | 'unhealthy';
  /** Failed checks in a row since the last one that passed. */
  readonly failures: number;
}
export type Tasks = readonly CheckedTask[];

/** Takes over what the engine lists and keeps what the checks of the same tasks have said. */
export function mergeTasks(known: Tasks, seen: readonly SeenTask[]): Tasks {
  return seen.map((task) => {
    const before = known.find((other) => other.id === task.id);
    return { ...task, health: before?.health ?? 'unknown', failures: before?.failures ?? 0 };
  });
}

/** Enters the result of one check. A task that is no longer listed changes nothing: the check was overtaken. */
export function recordCheck(tasks: Tasks, id: string, healthy: boolean, maxFailures: number): Tasks {
  return tasks.map((task) => {
    if (task.id !== id) return task;
    if (healthy) return { ...task, health: 'healthy', failures: 0 };
    const failures = task.failures + 1;
    const ill = task.health !== 'unknown' && failures >= maxFailures;
    return { ...task, failures, health: ill ? 'unhealthy' : task.health };
  });
}

/** Whether requests may be sent to it. */
export const servesTraffic = (task: CheckedTask): boolean => task.state === 'running' && task.health === 'healthy';

/** Whether it makes sense to ask it how it is: never before it runs, since one early packet delays all later connects. */
export const canBeChecked = (task: CheckedTask): boolean => task.state === 'running';
