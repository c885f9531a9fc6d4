import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskView } from '../../../src/contract/api.ts';
import { vacant } from '../../../agents/trooper/memory.ts';
import type { Handoff, SourceHandoff, TargetHandoff } from '../../../agents/trooper/revolt/handoff.ts';
import type { Part } from '../../../agents/trooper/revolt/part.ts';
import { keepsRoom, makeRoom, namesHere } from '../../../agents/trooper/revolt/room.ts';
import { reserved } from '../../../agents/trooper/revolt/target-steps.ts';
import { readSize } from '../../../agents/trooper/size.ts';
import type { Bus } from '../../../agents/world/bus.ts';
import { KEYS } from '../../../agents/world/keys.ts';
import type { TrooperRecord } from '../../../agents/world/values.ts';
import { MemoryBus } from '../../support/memory-bus.ts';

const SERVICE = 'world';
const MINUTE_MS = 60_000;

const snapshotOf = (id: string) => ({
  snapshot_id: id,
  service: SERVICE,
  source_task_id: 'elsewhere',
  at: '',
  rack: 'other',
  state: { score: 1, three_words: '', arm_state: 'off' as const, trooper: id, words: null },
});

const arriving = (id: string, facts: Partial<TargetHandoff> = {}): TargetHandoff => ({
  ...reserved(id, SERVICE, 0),
  phase: 'arriving',
  snapshot: snapshotOf(id),
  accepted_at: Date.now(),
  ...facts,
});

const leaving = (id: string, phase: SourceHandoff['phase']): SourceHandoff => ({
  side: 'source',
  id,
  service: SERVICE,
  phase,
  revision: 1,
  snapshot: snapshotOf(id),
  slot: 1,
  peer: '',
  deadline: 0,
  again: null,
  refusal: null,
  target_task_id: null,
  target_path: null,
  target_rack: null,
  replicas: 1,
  at: null,
});

const taskAt = (slot: number): TaskView => ({ id: `task-${slot}`, slot, state: 'running' }) as unknown as TaskView;

/** A world of so many, as its parts see it; nobody takes a seat by itself. */
async function worldOf(troopers: number) {
  const bus = new MemoryBus();
  const asked: number[] = [];
  let wanted = troopers;
  const store = (slot: number, record: TrooperRecord) => bus.set(KEYS.trooper(SERVICE, slot), JSON.stringify(record));
  for (let slot = 1; slot <= troopers; slot += 1) await store(slot, { ...vacant(`task-${slot}`), trooper: `t${slot}` });
  const view = async () => ({
    tasks: Array.from({ length: wanted }, (_, index) => taskAt(index + 1)),
    replicas: { wanted, running: troopers, max: 20 },
  });
  const scale = async (replicas: number): Promise<void> => {
    asked.push(replicas);
    wanted = replicas;
  };
  const keep = async (handoffs: readonly Handoff[]): Promise<void> => {
    for (const handoff of handoffs) await bus.set(KEYS.revolt(handoff.id), JSON.stringify(handoff));
    await bus.set(KEYS.revoltOpen, JSON.stringify(handoffs.map(({ id }) => id)));
  };
  const part = (own: Bus = bus): Part =>
    ({
      trooper: { bus: own, settings: { service: SERVICE }, squad: { view, refresh: view }, daemon: { scale } },
      point: () => undefined,
    }) as unknown as Part;
  return { bus, asked, store, keep, part, size: async () => (await readSize(bus, SERVICE))?.replicas ?? null };
}

describe('room for those who come', () => {
  it('is asked for only once the arrival is counted, so that a task that is started for it finds it', async () => {
    const { keep, part, asked, size } = await worldOf(2);
    const guest = arriving('guest-00');
    await keep([guest]);
    expect(await makeRoom(part(), guest)).toBe(true);
    expect([await size(), asked]).toEqual([null, []]);
    const counted = { ...guest, has_room: true };
    await keep([counted]);
    expect(await makeRoom(part(), counted)).toBe(false);
    expect([await size(), asked]).toEqual([3, [3]]);
  });

  it('is exactly for those who come, in whatever order several see to them and however often', async () => {
    const many = fc.record({
      guests: fc.integer({ min: 1, max: 4 }),
      turns: fc.integer({ min: 1, max: 3 }),
      schedule: fc.scheduler(),
    });
    await fc.assert(
      fc.asyncProperty(many, async ({ guests, turns, schedule }) => {
        const { bus, keep, part, size } = await worldOf(3);
        const all = Array.from({ length: guests }, (_, index) => arriving(`guest-0${index}`, { has_room: true }));
        await keep(all);
        const slow = new Proxy<Bus>(bus, {
          get:
            (target, name) =>
            async (...parameters: readonly unknown[]) => {
              await schedule.schedule(Promise.resolve());
              return Reflect.apply(Reflect.get(target, name) as () => unknown, target, parameters);
            },
        });
        const drivers = [...all, ...all].map(async (handoff) => {
          for (let turn = 0; turn < turns; turn += 1) await makeRoom(part(slow), handoff);
        });
        await schedule.waitFor(Promise.all(drivers));
        for (const handoff of all) await makeRoom(part(), handoff);
        expect(await size()).toBe(3 + guests);
      }),
      { numRuns: 300 },
    );
  });

  it('a recruit who is about to sit down is waited for, and those who already sit are counted once', async () => {
    const { bus, keep, part, store, asked } = await worldOf(2);
    await bus.set(KEYS.size(SERVICE), JSON.stringify({ replicas: 3, id: 'larger', at: '' }));
    const guest = arriving('guest-00');
    await keep([guest]);
    expect(await makeRoom(part(), guest)).toBe(false);
    expect(await makeRoom(part(), { ...guest, accepted_at: Date.now() - MINUTE_MS })).toBe(true);
    await store(3, { ...vacant('task-3'), trooper: 'guest-00' });
    await keep([{ ...guest, has_room: true }]);
    await makeRoom(part(), { ...guest, has_room: true });
    expect(asked.every((replicas) => replicas <= 3)).toBe(true);
  });

  it('whoever sleeps where the world grows sleeps on above it', async () => {
    const { bus, keep, part, store, size } = await worldOf(2);
    await store(3, { ...vacant('gone'), trooper: 'sleeper' });
    const guest = arriving('guest-00', { has_room: true });
    await keep([guest]);
    for (let turn = 0; turn < 10; turn += 1) await makeRoom(part(), guest);
    expect(await size()).toBe(3);
    const seats = [3, 4].map((slot) => JSON.parse(bus.values.get(KEYS.trooper(SERVICE, slot))!.value) as TrooperRecord);
    expect(seats.map(({ trooper }) => trooper)).toEqual([null, 'sleeper']);
  });

  it('one whose task has died is here until it has another, also above the size, and no sleeper for it', () => {
    const seats = new Map(['one', 'two', 'dead', 'sleeper'].map((trooper, index) => [[1, 2, 6, 8][index]!, trooper] as const));
    const records = new Map([...seats].map(([slot, name]) => [slot, { ...vacant(`task-${slot}`), trooper: name }]));
    const names = (tasks: readonly TaskView[], size: number, wanted: number) => [
      ...namesHere({ service: SERVICE, seats: records, tasks, size, wanted, open: [] }),
    ];
    const [one, two] = [taskAt(1), taskAt(2)];
    expect(names([one, two], 3, 3)).toEqual(['one', 'two', 'dead']);
    expect(names([one, two, { ...taskAt(6), id: 'its replacement' }], 3, 3)).toEqual(['one', 'two', 'dead']);
    expect(names([one, taskAt(6)], 3, 3)).toEqual(['one', 'two', 'dead']);
    expect(names([one, two], 2, 2)).toEqual(['one', 'two']);
  });

  it('is not kept for one whom another rack has already, nor for ever for one of which its source says no more', () => {
    const seats = new Map([[1, { ...vacant('task-1'), trooper: 'leaver-0' }]]);
    const crowd = { service: SERVICE, seats, tasks: [taskAt(1)], wanted: 1, size: 1 };
    const names = (phase: SourceHandoff['phase']) => [...namesHere({ ...crowd, open: [leaving('leaver-0', phase)] })];
    expect([names('committed'), names('leaving'), names('finishing')]).toEqual([['leaver-0'], [], []]);

    const staged = arriving('guest-00', { phase: 'staged', expires_at: 0 });
    expect([0, 9, 11].map((minutes) => keepsRoom(staged, SERVICE, minutes * MINUTE_MS))).toEqual([true, true, false]);
    expect(keepsRoom(arriving('guest-00'), SERVICE, 24 * 60 * MINUTE_MS)).toBe(true);
  });
});
