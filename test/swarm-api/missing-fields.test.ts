import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ApiNode, ApiService, ApiTask } from '../../src/swarm/api.ts';
import { addressOn, obstacleOf } from '../../src/swarm/reach.ts';
import { Replacements } from '../../src/swarm/replacements.ts';
import { sightingOf, slotsLeftEmpty } from '../../src/swarm/sighting.ts';
import { stopGraceSeconds, withReplicas } from '../../src/swarm/spec.ts';
import { knowledge, node, reach, service, task, workload } from './listing.ts';

/**
 * Another version of the engine, or a proxy, may leave any field out, and Go writes null for a list or a map that is empty.
 * Neither is ever more than something that is not known.
 */
const WHOLE = {
  service: {
    ...service(2),
    Spec: {
      ...service(2).Spec,
      TaskTemplate: { Networks: [{ Target: 'net1' }], ContainerSpec: { Image: 'x', StopGracePeriod: 1 } },
    },
  },
  tasks: ['running', 'failed', 'complete', 'rejected', 'pending', 'orphaned'].map((state, at) =>
    task({ id: `task${at}`, slot: at, state, said: 'why', desired: at % 2 === 0 ? 'running' : 'shutdown' }),
  ),
  node: node('node1', { leads: true }),
};

/** Which fields to leave out, and which to empty: one letter for each field that is met, in order. */
const harm = fc.stringMatching(/^[ ------xo]{0,200}$/);

function harmed<T>(value: T, letters: string): T {
  let at = 0;
  const walk = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(walk);
    if (typeof part !== 'object' || part === null) return part;
    const kept = Object.entries(part).flatMap(([key, inner]): [string, unknown][] => {
      const letter = key === 'ID' ? '-' : letters[(at += 1) % (letters.length + 1)];
      if (letter === 'x') return [];
      return [[key, letter === 'o' && typeof inner === 'object' ? null : walk(inner)]];
    });
    return Object.fromEntries(kept);
  };
  return walk(value) as T;
}

it('whatever is missing, a service and its tasks are still described, and nothing is thrown', () => {
  fc.assert(
    fc.property(harm, harm, harm, (first, second, third) => {
      const known: ApiService = harmed(WHOLE.service, first);
      const tasks: readonly ApiTask[] = harmed(WHOLE.tasks, second);
      const nodes = new Map([['node1', harmed<ApiNode>(WHOLE.node, third)]]);
      const listing = { service: known, tasks };
      const { observation } = sightingOf(listing, knowledge({ nodes }));
      expect(Number.isInteger(observation.wanted)).toBe(true);
      for (const { id, slot, state } of observation.tasks)
        expect([typeof id, typeof slot, typeof state]).toEqual(['string', 'number', 'string']);
      slotsLeftEmpty(listing, knowledge({ nodes }));
      obstacleOf(known, workload, reach);
      for (const each of tasks) addressOn(reach, each);
      new Replacements().count(tasks, knowledge({ nodes }));
      expect(Number.isInteger(stopGraceSeconds(known.Spec ?? {}))).toBe(true);
      expect(withReplicas(known.Spec ?? {}, 3).Mode?.Replicated?.Replicas).toBe(3);
    }),
    { numRuns: 500 },
  );
});
