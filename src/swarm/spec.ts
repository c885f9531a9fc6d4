import type { ApiServiceSpec } from './api.ts';

/**
 * A service's spec with another number of replicas, and nothing else touched (promise G). It is never built from our types:
 * a field that we do not know, or an empty object where there was none, would make Swarm replace every task.
 */
export function withReplicas(spec: ApiServiceSpec, replicas: number): ApiServiceSpec {
  return { ...spec, Mode: { ...spec.Mode, Replicated: { ...spec.Mode?.Replicated, Replicas: replicas } } };
}

/** Docker fills in one replica where a spec leaves it out. Null: the service is not one that can be scaled. */
export function replicasOf(spec: ApiServiceSpec): number | null {
  const replicated = spec.Mode?.Replicated ?? null;
  return replicated === null ? null : (replicated.Replicas ?? 1);
}

/** Swarm brings no task for one that ended. */
export const neverRestarts = (spec: ApiServiceSpec): boolean => spec.TaskTemplate?.RestartPolicy?.Condition === 'none';

/** Whether the image is named so that Swarm need not ask a registry which one it is. */
export function isPinned(image: string): boolean {
  return image.includes('@sha256:') || image.startsWith('sha256:') || /^[0-9a-f]{64}$/.test(image);
}

const NANOSECONDS = 1_000_000_000;
/** Docker's own, where the spec says nothing. */
const DEFAULT_GRACE_SECONDS = 10;
const LONGEST_GRACE_SECONDS = 86_400;

/** How long a task may take to end, in whole seconds. */
export function stopGraceSeconds(spec: ApiServiceSpec): number {
  const nanoseconds = spec.TaskTemplate?.ContainerSpec?.StopGracePeriod;
  if (nanoseconds === undefined) return DEFAULT_GRACE_SECONDS;
  // More nanoseconds than fit into a number are months (exact-json.ts keeps them as text): as good as for ever.
  return typeof nanoseconds === 'number' ? Math.ceil(nanoseconds / NANOSECONDS) : LONGEST_GRACE_SECONDS;
}
