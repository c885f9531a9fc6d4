import { expect, test } from 'vitest';
import { EngineError, type Observation, type Task } from '../../src/ports/engine.ts';
import { type EngineHarness, type EngineTraits, castOf, ids, only, slot } from './harness.ts';

/** The part of the engines' contract that is about freezing and thawing. */
export function freezingContract(traits: EngineTraits, current: () => EngineHarness): void {
  const { seen, observed, running, gone, awake } = castOf(current);
  const freeze = (agent: string): Promise<void> => current().settled(current().engine.freeze(agent));
  const thaw = (agent: string): Promise<void> => current().settled(current().engine.thaw(agent));
  const frozen = (agent: string, states: readonly boolean[]): Promise<Observation> =>
    observed(agent, ({ tasks }) => String(tasks.map((task) => task.frozen)) === String(states));

  test('all tasks are frozen and thawed, as often as one likes; a new one is not frozen', async () => {
    const { engine, settled } = current();
    await awake('kai', 2);
    for (let round = 1; round <= 2; round += 1) {
      for (let times = 1; times <= 2; times += 1) await freeze('kai');
      const { tasks } = await frozen('kai', [true, true]);
      expect(tasks.map(({ state }) => state)).toEqual(['running', 'running']);
      expect((await engine.observe('kai')).tasks).toEqual(tasks);
      for (let times = 1; times <= 2; times += 1) await thaw('kai');
      await frozen('kai', [false, false]);
    }
    await freeze('kai');
    await engine.scale('kai', 3);
    await running('kai', 3);
    await frozen('kai', [true, true, false]);
    // Given at once, they are carried out in order.
    for (const call of [engine.thaw('kai'), engine.freeze('kai'), engine.thaw('kai')]) await settled(call);
    expect((await engine.observe('kai')).tasks.map((task) => task.frozen)).toEqual([false, false, false]);
  });

  test('frozen tasks are ended like others, one by one and all of them', async () => {
    const { engine } = current();
    const tasks = await awake('kai', 2);
    await freeze('kai');
    await engine.endTask('kai', slot(tasks, 2).id, { replace: false });
    expect(ids((await observed('kai', (each) => each.tasks.length === 1)).tasks)).toEqual([slot(tasks, 1).id]);
    await frozen('kai', [true]);
    await engine.scale('kai', 0);
    expect(await gone('kai')).toEqual({ wanted: 0, tasks: [], converging: false, lastExit: null });
    await engine.scale('kai', 1);
    expect(only((await running('kai', 1)).tasks).frozen).toBe(false);
  });

  test('freezing an agent that sleeps changes nothing, and is observed all the same', async () => {
    const { engine, watcher, workload, until } = current();
    await engine.open(watcher);
    engine.declare(workload('kai'));
    const asleep = await observed('kai', () => true);
    for (const call of [freeze, thaw]) {
      const count = watcher.observations.length;
      await call('kai');
      await until(() => watcher.observations.length > count);
      expect(seen('kai')).toEqual(asleep);
    }
  });

  if (traits.hasEnvironment) {
    test('a frozen task uses no CPU and answers nobody, and does both once it is thawed', async () => {
      const { engine, workload, outside } = current();
      const kai = only(await awake('kai'));
      engine.declare(workload('eve'));
      await engine.scale('eve', 1);
      const eve = only((await running('eve', 1)).tasks);
      for (const task of [kai, eve]) await outside?.spin(task);
      const ticks = async (task: Task): Promise<number> => (await outside?.ticks(task)) ?? 0;
      const worked = async (task: Task, from: number): Promise<void> => {
        while ((await ticks(task)) < from + 5) await outside?.answered(eve);
      };
      await worked(kai, 0);
      // Given again where it could not be carried out now: to stop, a process needs a processor, which others may have.
      let isFrozen = false;
      while (!isFrozen) isFrozen = await engine.freeze('kai').then(() => true, isUnavailable);
      const used = await ticks(kai);
      let answered = false;
      const answer = outside?.answered(kai).then(() => (answered = true));
      // Time enough to answer: as much as another one needs for the same and for 50 ms of work.
      await worked(eve, await ticks(eve));
      expect(await ticks(kai)).toBe(used);
      expect(answered).toBe(false);
      await engine.thaw('kai');
      await answer;
      await worked(kai, used);
    });
  }
}

/** False; throws whatever else it is. */
function isUnavailable(error: unknown): boolean {
  if (error instanceof EngineError && error.code === 'unavailable') return false;
  throw error;
}
