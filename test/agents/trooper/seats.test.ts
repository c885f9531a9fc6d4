import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SelfView, TaskView } from '../../../src/contract/api.ts';
import { type Enlisting, takeSeat } from '../../../agents/trooper/enlist.ts';
import { vacant } from '../../../agents/trooper/memory.ts';
import { finishMove } from '../../../agents/trooper/moves.ts';
import { type Situation, nextStep } from '../../../agents/trooper/seats.ts';
import type { Bus } from '../../../agents/world/bus.ts';
import { KEYS } from '../../../agents/world/keys.ts';
import type { TrooperRecord } from '../../../agents/world/values.ts';
import { MemoryBus } from '../../support/memory-bus.ts';

const SERVICE = 'world';

const trooper = (id: string, facts: Partial<TrooperRecord> = {}): TrooperRecord => ({
  ...vacant(`old-${id}`),
  trooper: id,
  score: 7,
  ...facts,
});

const taskAt = (slot: number, id = `task-${slot}`): TaskView => ({
  id,
  slot,
  name: `world.${slot}`,
  node: 'node',
  state: 'running',
  address: null,
  started_at: '2026-01-01T00:00:00Z',
  on_leader: true,
});

const situation = (seats: Readonly<Record<number, TrooperRecord>>, facts: Partial<Situation> = {}): Situation => ({
  slot: 2,
  taskId: 'task-2',
  seats: new Map(Object.entries(seats).map(([slot, record]) => [Number(slot), record])),
  tasks: [taskAt(1), taskAt(2)],
  size: 2,
  arrival: null,
  patient: false,
  ...facts,
});

describe('who sits where', () => {
  it('a task goes on with the trooper of its seat, also with one that is leaving', () => {
    const leaving = trooper('t', { departing: 'snapshot' });
    expect(nextStep(situation({ 2: leaving }), 'new')).toEqual({ do: 'resume', record: leaving });
  });

  it('a vacant seat is for who comes from another rack, then for the lowest who lost his seat, then for a recruit', () => {
    const seats = { 2: vacant('x'), 3: trooper('leaving', { departing: 's' }), 5: trooper('five'), 4: trooper('four') };
    const arrival = trooper('guest', { score: -2 });
    expect(nextStep(situation(seats, { arrival }), 'new')).toEqual({ do: 'seat', record: { ...arrival, task_id: 'task-2' } });
    expect(nextStep(situation(seats), 'new')).toMatchObject({ do: 'move', move: { from: 4, to: 2 } });
    expect(nextStep(situation({}), 'new')).toEqual({ do: 'seat', record: { ...vacant('task-2'), trooper: 'new' } });
  });

  it('nobody is moved who has a task, or whose seat the world still wants', () => {
    expect(nextStep(situation({ 3: trooper('t') }, { size: 3 }), 'new')).toMatchObject({ do: 'seat' });
    const busy = trooper('t', { task_id: 'task-3' });
    const tasks = [taskAt(2), taskAt(3)];
    expect(nextStep(situation({ 3: busy }, { tasks }), 'new')).toMatchObject({ do: 'seat' });
  });

  it('a task that is one too many takes nobody with it, unless it is there for good', () => {
    const tasks = [taskAt(1), taskAt(2), taskAt(3)];
    const third = { slot: 3, taskId: 'task-3', tasks };
    expect(nextStep(situation({ 3: trooper('t') }, third), 'new')).toEqual({ do: 'wait' });
    expect(nextStep(situation({ 3: trooper('t') }, { ...third, patient: true }), 'new')).toMatchObject({ do: 'resume' });
    expect(nextStep(situation({ 3: trooper('t') }, { tasks }), 'new')).toMatchObject({ do: 'move', move: { from: 3, to: 2 } });
  });

  it('nobody gives up a seat for somebody who comes from another rack', () => {
    const seats = { 2: trooper('resident'), 3: vacant('x') };
    expect(nextStep(situation(seats, { arrival: trooper('guest') }), 'new')).toMatchObject({ do: 'resume' });
  });
});

/** A task dies at its n-th call of the bus, before it or when it was carried out; or it is taken for dead there and goes on. */
interface Death {
  readonly call: number;
  readonly kind: 'before' | 'after' | 'stalls';
}

class Died extends Error {}

/** Seats in which a trooper counts as sitting; see the table in moves.ts. */
function seatsOf(bus: MemoryBus, id: string): readonly number[] {
  const records = recordsIn(bus);
  return [...records]
    .filter(([seat, record]) => {
      if (record.trooper !== id) return false;
      if (record.move === undefined) return true;
      const other = records.get(record.move.from === seat ? record.move.to : record.move.from);
      if (other?.trooper !== id) return true;
      return record.move.to === seat && other.move !== undefined;
    })
    .map(([seat]) => seat);
}

function recordsIn(bus: MemoryBus): ReadonlyMap<number, TrooperRecord> {
  const prefix = KEYS.trooper(SERVICE, 0).slice(0, -1);
  const found = [...bus.values].filter(([key]) => key.startsWith(prefix));
  return new Map(found.map(([key, { value }]) => [Number(key.slice(prefix.length)), JSON.parse(value) as TrooperRecord]));
}

/** `real`, until its task dies; `between` is awaited before every call. */
function mortal(real: MemoryBus, death: Death | undefined, watch: Watch): Bus {
  let calls = 0;
  const dies = (kind: Death['kind']): boolean => death?.kind === kind && calls === death.call;
  return new Proxy<Bus>(real, {
    get:
      (target, name) =>
      async (...parameters: readonly unknown[]) => {
        await watch.between();
        calls += 1;
        if (dies('before')) throw new Died();
        if (dies('stalls')) watch.stalled();
        const answer: unknown = await Reflect.apply(Reflect.get(target, name) as () => unknown, target, parameters);
        watch.after();
        if (dies('after')) throw new Died();
        return answer;
      },
  });
}

interface Watch {
  readonly between: () => Promise<unknown>;
  readonly stalled: () => void;
  readonly after: () => void;
}

const slots = (max: number, maxLength: number) => fc.uniqueArray(fc.integer({ min: 1, max }), { maxLength });
const deaths = fc.array(
  fc.record({ call: fc.integer({ min: 1, max: 16 }), kind: fc.constantFrom('before', 'after', 'stalls') }),
  { maxLength: 4 },
);

describe('changing seats', () => {
  it('a copy that comes after the move was called off is taken away again', async () => {
    const bus = new MemoryBus();
    const move = { from: 3, to: 2 };
    await bus.set(KEYS.trooper(SERVICE, 3), JSON.stringify(trooper('t', { score: 8 })));
    await bus.set(KEYS.trooper(SERVICE, 2), JSON.stringify(trooper('t', { move })));
    await finishMove(bus, SERVICE, move);
    expect(recordsIn(bus).get(2)).toEqual(vacant(''));
    expect(recordsIn(bus).get(3)).toEqual(trooper('t', { score: 8 }));
  });

  it('whoever dies or stalls between any two calls of the bus, every trooper sits in exactly one seat at every moment', async () => {
    const world = fc.record({
      seated: slots(8, 6),
      live: fc.array(fc.record({ slot: fc.integer({ min: 1, max: 6 }), late: fc.nat(20), deaths }), {
        minLength: 1,
        maxLength: 4,
      }),
      size: fc.integer({ min: 1, max: 4 }),
      guest: fc.boolean(),
      schedule: fc.scheduler(),
    });
    await fc.assert(
      fc.asyncProperty(world, async ({ seated, live, size, guest, schedule }) => {
        const bus = new MemoryBus();
        for (const seat of seated) await bus.set(KEYS.trooper(SERVICE, seat), JSON.stringify(trooper(`t${seat}`)));
        await bus.set(KEYS.size(SERVICE), JSON.stringify({ replicas: size, id: 'size', at: '' }));
        const tasks = new Map<number, TaskView>();
        const lives = (id: string | null): boolean => [...tasks.values()].some((task) => task.id === id);
        let takenBy: string | null = null;

        const everybodySits = (): void => {
          for (const seat of seated) expect(seatsOf(bus, `t${seat}`), `seats of t${seat}`).toHaveLength(1);
          expect(seatsOf(bus, 'guest').length).toBeLessThanOrEqual(1);
        };
        const arrivalFor = async (taskId: string): Promise<TrooperRecord | null> => {
          if (!guest || (takenBy !== taskId && lives(takenBy)) || seatsOf(bus, 'guest').length > 0) return null;
          // Taken from one that may only seem dead: its seat is stored anew, so that what it writes comes too late.
          const key = KEYS.trooper(SERVICE, Number(takenBy?.split('-')[0] ?? 0));
          if (takenBy !== taskId && takenBy !== null) void bus.set(key, (await bus.get(key)) ?? JSON.stringify(vacant('')));
          takenBy = taskId;
          return trooper('guest', { score: 3 });
        };
        const between = (): Promise<unknown> => schedule.schedule(Promise.resolve());
        /** One life of the task in this slot. Resolves to whether there is to be another. */
        const life = async (slot: number, taskId: string, death: Death | undefined): Promise<boolean> => {
          tasks.set(slot, taskAt(slot, taskId));
          const stalls = Promise.withResolvers<true>();
          const own = mortal(bus, death, { between, stalled: () => stalls.resolve(true), after: everybodySits });
          const squad = { refresh: async () => selfOf([...tasks.values()]) };
          const enlisting = { bus: own, squad, settings: { service: SERVICE }, slot, taskId, taskName: taskId };
          const sits = takeSeat(enlisting as unknown as Enlisting, () => arrivalFor(taskId), false).then(
            (record) => {
              // One too many: the daemon ends it.
              if (record === null && lives(taskId)) tasks.delete(slot);
              return false;
            },
            (error: unknown) => {
              if (error instanceof Died) return true;
              throw error;
            },
          );
          ghosts.push(sits);
          return Promise.race([sits, stalls.promise]);
        };
        const ghosts: Promise<unknown>[] = [];
        const lived = async ({ slot, late, deaths: doomed }: (typeof live)[number]): Promise<void> => {
          for (let turn = 0; turn < late; turn += 1) await between();
          if (tasks.has(slot)) return;
          for (let count = 0; await life(slot, `${slot}-${count}`, doomed[count]); count += 1);
        };
        await schedule.waitFor(Promise.all(live.map(lived)));
        await schedule.waitFor(Promise.all(ghosts));
        // What a stalled one left behind is found by those who look after their seats; here they look once more.
        await schedule.waitFor(Promise.all([...tasks.keys()].map((slot) => life(slot, `${slot}-last`, undefined))));

        everybodySits();
        const records = recordsIn(bus);
        expect([...records.values()].filter(({ move }) => move !== undefined)).toEqual([]);
        for (const [slot, { id }] of tasks) expect(records.get(slot)).toMatchObject({ task_id: id, trooper: expect.any(String) });
        const scores = [...records.values()].filter((record) => record.trooper?.startsWith('t')).map(({ score }) => score);
        expect(scores).toEqual(seated.map(() => 7));
      }),
      { numRuns: 300 },
    );
  }, 120_000);
});

const selfOf = (tasks: readonly TaskView[]): SelfView =>
  ({ tasks, replicas: { wanted: tasks.length, running: tasks.length, max: 20 } }) as unknown as SelfView;
