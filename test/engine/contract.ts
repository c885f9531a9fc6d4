import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/ports/engine.ts';
import type { RecordingWatcher } from '../support/recording-watcher.ts';
import { freezingContract } from './freezing-contract.ts';
import { type EngineHarness, type EngineTraits, castOf, ids, only, slot } from './harness.ts';

/**
 * What every Engine promises, as the doc comments of src/ports/engine.ts have it. The fake runs through it on a simulated
 * clock, the process engine with real children and the Swarm engine with real services: a fake that can lie is deleted.
 */
export function engineContract(name: string, traits: EngineTraits, makeHarness: () => Promise<EngineHarness>): void {
  describe(`${name} keeps the engine contract`, () => {
    let harness: EngineHarness;
    let engine: Engine;
    let watcher: RecordingWatcher;

    beforeEach(async () => {
      harness = await makeHarness();
      ({ engine, watcher } = harness);
    });
    afterEach(() => harness.dispose());

    const { seen, observed, running, gone, awake } = castOf(() => harness);

    test('a declared on-demand agent is observed asleep, and nothing is started', async () => {
      await engine.open(watcher);
      engine.declare(harness.workload('kai'));
      const asleep = { wanted: 0, tasks: [], converging: false, lastExit: null };
      expect(await observed('kai', () => true)).toEqual(asleep);
      expect(await engine.observe('kai')).toEqual(asleep);
    });

    test('0 -> 1 -> 0: a task comes with an address and goes until nothing is left', async () => {
      const task = only(await awake('kai'));
      expect(task).toMatchObject({ slot: 1, name: 'kai.1', state: 'running', onLeader: true });
      expect(task.address?.port).toBeGreaterThan(0);
      expect(task.id).not.toBe('');
      expect(task.startedAt).toBeGreaterThan(Date.parse('2020-01-01T00:00:00Z'));
      await engine.scale('kai', 0);
      await gone('kai');
      const states = watcher.observations.flatMap(({ observation }) => observation.tasks.map((each) => each.state));
      expect(states.indexOf('ending')).toBeGreaterThan(states.lastIndexOf('running'));
      expect(seen('kai')).toEqual({ wanted: 0, tasks: [], converging: false, lastExit: null });
    });

    test('an order is observed while it is being carried out, as wanted and converging', async () => {
      await awake('kai');
      const first = watcher.observations.find(({ observation }) => observation.wanted === 1)?.observation;
      expect(first?.converging).toBe(true);
      expect(seen('kai').converging).toBe(false);
    });

    test('an order that changes nothing starts nothing, and is observed all the same', async () => {
      const before = await awake('kai');
      const count = watcher.observations.length;
      await engine.scale('kai', 1);
      await harness.until(() => watcher.observations.length > count);
      expect(ids(seen('kai').tasks)).toEqual(ids(before));
    });

    test('ids are never used again, slots are', async () => {
      const known = new Set<string>();
      for (let round = 1; round <= 3; round += 1) {
        const task = only(round === 1 ? await awake('kai') : (await engine.scale('kai', 1), (await running('kai', 1)).tasks));
        expect(task.slot).toBe(1);
        known.add(task.id);
        await engine.scale('kai', 0);
        await gone('kai');
      }
      expect(known.size).toBe(3);
    });

    test('1 -> 3 -> 1: the first task goes on untouched, each has a slot and an address of its own', async () => {
      const first = only(await awake('kai'));
      await engine.scale('kai', 3);
      const { tasks } = await running('kai', 3);
      expect(tasks.map((each) => each.slot)).toEqual([1, 2, 3]);
      expect(tasks.map((each) => each.name)).toEqual(['kai.1', 'kai.2', 'kai.3']);
      expect(new Set(tasks.map(({ address }) => `${String(address?.host)}:${String(address?.port)}`)).size).toBe(3);
      await engine.scale('kai', 1);
      expect(only((await running('kai', 1)).tasks)).toEqual(first);
      expect(new Set(watcher.drained)).toEqual(new Set(traits.embedded ? ids(tasks.slice(1)) : []));
    });

    test('ending one task ends exactly that one, and one fewer is wanted', async () => {
      const tasks = await awake('kai', 3);
      await engine.endTask('kai', slot(tasks, 2).id, { replace: false });
      const left = await running('kai', 2);
      expect(ids(left.tasks)).toEqual([slot(tasks, 1).id, slot(tasks, 3).id]);
      expect(left.converging).toBe(false);
      await engine.scale('kai', 3);
      expect((await running('kai', 3)).tasks.map((each) => each.slot)).toEqual([1, 2, 3]);
    });

    test('ending one task with replacement brings another into the same slot', async () => {
      const tasks = await awake('kai', 2);
      const old = slot(tasks, 1);
      await engine.endTask('kai', old.id, { replace: true });
      const after = await observed(
        'kai',
        (each) => each.tasks.length === 2 && each.tasks.every(({ id, state }) => id !== old.id && state === 'running'),
      );
      expect(after.wanted).toBe(2);
      expect(slot(after.tasks, 1).id).not.toBe(old.id);
      expect(slot(after.tasks, 2).id).toBe(slot(tasks, 2).id);
    });

    test('the last task cannot be ended, unless it is replaced', async () => {
      const { id } = only(await awake('kai'));
      await expect(engine.endTask('kai', id, { replace: false })).rejects.toMatchObject({
        name: 'EngineError',
        code: 'last-task',
      });
      expect((await engine.observe('kai')).wanted).toBe(1);
      await engine.endTask('kai', id, { replace: true });
      await observed('kai', ({ tasks }) => tasks.length === 1 && tasks[0]?.id !== id && tasks[0]?.state === 'running');
    });

    test('a task that is not there cannot be ended; one that is ending is left to it', async () => {
      const tasks = await awake('kai', 2);
      const nobody = engine.endTask('kai', 'nobody', { replace: false });
      await expect(nobody).rejects.toMatchObject({ name: 'EngineError', code: 'unknown-task' });
      const { id } = slot(tasks, 2);
      await engine.endTask('kai', id, { replace: false });
      await engine.endTask('kai', id, { replace: false });
      expect((await running('kai', 1)).wanted).toBe(1);
      await expect(engine.endTask('kai', id, { replace: false })).rejects.toMatchObject({ code: 'unknown-task' });
    });

    if (traits.embedded) {
      test('a task is shown as ending before it is drained, and goes on until it is', async () => {
        let drained = (): void => undefined;
        watcher.draining = new Promise((resolve) => (drained = resolve));
        const tasks = await awake('kai', 2);
        const { id } = slot(tasks, 2);
        await engine.scale('kai', 1);
        await harness.until(() => watcher.drained.includes(id));
        expect(watcher.drainedAs).toEqual(['ending']);
        expect(slot((await engine.observe('kai')).tasks, 2).address).toEqual(slot(tasks, 2).address);
        drained();
        await running('kai', 1);
      });

      test('a scale to 0 waits for no draining', async () => {
        watcher.draining = new Promise(() => undefined);
        await awake('kai', 2);
        await engine.scale('kai', 1);
        await harness.until(() => watcher.drained.length === 1);
        await engine.scale('kai', 0);
        await gone('kai');
      });

      test('a new task waits until nothing is left of the old one in its slot', async () => {
        await awake('kai');
        await engine.scale('kai', 0);
        await engine.scale('kai', 1);
        await running('kai', 1);
        for (const { observation } of watcher.observations) expect(observation.tasks.length).toBeLessThanOrEqual(1);
      });

      test('H: a task whose port somebody else has taken is ended, and says so', async () => {
        await engine.open(watcher);
        const task = await harness.estranged!('kai');
        expect(engine.checkListener?.('kai', task.id)).toBe('stranger');
        expect(seen('kai').lastExit).toBeNull();
        const after = await observed('kai', ({ tasks, lastExit }) => tasks.length === 0 && lastExit !== null);
        const lastExit = `port ${String(task.address?.port)} was taken by another process`;
        expect(after).toEqual({ wanted: 1, tasks: [], converging: false, lastExit });
        expect(engine.checkListener?.('kai', task.id)).toBe('nobody');
      });

      test('a declaration anew changes how many an always-on agent has, and touches no running task', async () => {
        await engine.open(watcher);
        engine.declare(harness.workload('eve', 'always-on', 1));
        const first = only((await running('eve', 1)).tasks);
        engine.declare(harness.workload('eve', 'always-on', 2));
        expect(slot((await running('eve', 2)).tasks, 1)).toEqual(first);
      });
    }

    test('an on-demand agent whose last task ends by itself stays down, and says why', async () => {
      const task = only(await awake('kai'));
      await harness.exit('kai', task);
      const after = await observed('kai', ({ tasks }) => tasks.length === 0);
      expect(after).toMatchObject({ wanted: 1, converging: false });
      expect(after.lastExit).toContain('exit code 7');
      expect(watcher.told).toEqual([]);
      await engine.scale('kai', 1);
      const again = await running('kai', 1);
      expect(again.lastExit).toBeNull();
      expect(only(again.tasks).id).not.toBe(task.id);
    });

    test('one of several that ends by itself is replaced, and the watcher is told', async () => {
      const tasks = await awake('kai', 2, harness.replacing);
      const lost = slot(tasks, 1);
      await harness.exit('kai', lost);
      await observed('kai', (each) => each.converging && each.lastExit !== null);
      const after = await observed(
        'kai',
        (each) => each.tasks.length === 2 && each.tasks.every(({ id, state }) => id !== lost.id && state === 'running'),
      );
      await harness.until(() => watcher.told.length === 1);
      expect(watcher.told).toEqual(['restarted: kai']);
      expect(after.wanted).toBe(2);
      expect(slot(after.tasks, 2).id).toBe(slot(tasks, 2).id);
    });

    test('an always-on agent is started by its declaration, and restarted after a wait that grows', async () => {
      await engine.open(watcher);
      engine.declare(harness.workload('eve', 'always-on', 1));
      const waits: number[] = [];
      for (let round = 1; round <= 2; round += 1) {
        const task = only((await running('eve', 1)).tasks);
        const from = harness.now();
        await harness.exit('eve', task);
        await observed('eve', ({ tasks, converging }) => tasks.every(({ id }) => id !== task.id) && converging);
        await harness.until(() => watcher.told.length === round);
        waits.push(harness.now() - from);
      }
      await running('eve', 1);
      expect(watcher.told).toEqual(['restarted: eve', 'restarted: eve']);
      // Lower bounds: a slow machine only makes them longer.
      for (const [round, least] of traits.restartsAfterMs.entries()) expect(waits[round]).toBeGreaterThanOrEqual(least);
    });

    test('a released agent is forgotten, and can be declared again', async () => {
      await awake('kai');
      await harness.settled(engine.release('kai'));
      const count = watcher.observations.length;
      await expect(engine.scale('kai', 1)).rejects.toThrow('declared before it is used');
      engine.declare(harness.workload('eve'));
      await observed('eve', () => true);
      expect(watcher.observations.slice(count).every(({ agent }) => agent === 'eve')).toBe(true);
      engine.declare(harness.workload('kai'));
      await engine.scale('kai', 1);
      await running('kai', 1);
    });

    test('agents do not disturb each other', async () => {
      const kai = await awake('kai');
      engine.declare(harness.workload('eve'));
      await engine.scale('eve', 2);
      await running('eve', 2);
      await engine.scale('eve', 0);
      await gone('eve');
      expect((await engine.observe('kai')).tasks).toEqual(kai);
    });

    freezingContract(traits, () => harness);

    test('the watcher is never told from within a call', async () => {
      await engine.open(watcher);
      const told = (): number => watcher.observations.length + watcher.told.length + watcher.drained.length;
      const calls: (() => unknown)[] = [
        () => {
          engine.declare(harness.workload('kai'));
        },
        () => engine.scale('kai', 2),
        () => engine.observe('kai'),
        () => engine.scale('kai', 1),
        () => void harness.settled(engine.freeze('kai')),
      ];
      for (const call of calls) {
        const before = told();
        const answer = call();
        expect(told()).toBe(before);
        await answer;
      }
    });

    test('the last observation told is what is true', async () => {
      await awake('kai', 2);
      await engine.scale('kai', 1);
      expect(await running('kai', 1)).toEqual(await engine.observe('kai'));
    });

    test('close ends what is its own; afterwards the watcher is told nothing and calls are unavailable', async () => {
      await awake('kai', 2);
      const closing = engine.close(60_000);
      const count = watcher.observations.length;
      await harness.settled(closing);
      await expect(engine.scale('kai', 1)).rejects.toMatchObject({ name: 'EngineError', code: 'unavailable' });
      await expect(engine.observe('kai')).rejects.toMatchObject({ name: 'EngineError', code: 'unavailable' });
      expect(watcher.observations.length).toBe(count);
    });

    test('using it before it is open, or an agent that was not declared, is a violation', async () => {
      await expect(engine.scale('kai', 1)).rejects.toThrow('opened before it is used');
      await engine.open(watcher);
      await expect(engine.scale('kai', 1)).rejects.toThrow('declared before it is used');
      await expect(engine.observe('kai')).rejects.toThrow('declared before it is used');
    });

    if (traits.hasEnvironment) {
      test('a task finds in its environment who it is', async () => {
        const tasks = await awake('kai', 2);
        for (const task of tasks) {
          const environment = (await harness.environment?.(task)) ?? {};
          expect(environment).toMatchObject({
            REVEILLE_AGENT: 'kai',
            REVEILLE_TASK_ID: task.id,
            REVEILLE_TASK_SLOT: String(task.slot),
            REVEILLE_TASK_NAME: task.name,
          });
        }
      });
    }
  });
}
