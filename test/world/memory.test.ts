import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { changeRecord, readRecords } from '../../agents/trooper/memory.ts';
import { KEYS } from '../../agents/world/keys.ts';
import type { TrooperRecord } from '../../agents/world/values.ts';
import { type World, it } from './rig.ts';

type Seats = ReadonlyMap<number, TrooperRecord>;

/** The seats of the world, once they are as `is` wants them. */
async function untilSeats(world: World, is: (seats: Seats) => boolean): Promise<Seats> {
  for (;;) {
    const seats = await readRecords(world.bus, 'world', [1, 2, 3, 4, 5]);
    if (is(seats)) return seats;
    await pause(50);
  }
}

/** Every live task has its seat. */
async function untilSeated(world: World): Promise<Seats> {
  const { json } = await world.daemon.admin('/api/self?agent=world');
  const tasks = json.tasks.filter(({ state }: { state: string }) => state !== 'ending');
  return untilSeats(world, (seats) =>
    tasks.every(({ slot, id }: { slot: number; id: string }) => seats.get(slot)?.task_id === id && seats.get(slot)?.trooper),
  );
}

describe('the memory of a trooper', () => {
  it('a task that dies leaves its score, words and arm to the next one in its slot, and to those who ask by task', async ({
    world,
  }) => {
    const inWorld = await world();
    const { bus } = inWorld;
    const before = await untilSeated(inWorld);
    expect(new Set([...before.values()].map(({ trooper }) => trooper)).size).toBe(3);
    const words = { text: 'steel boots march', source: 'fallback' as const, at: '2026-01-01T00:00:00Z' };
    for (const slot of [1, 2, 3]) {
      await changeRecord(bus, 'world', slot, (record) => record && { ...record, score: slot * 10, words, arm: 'on' });
    }
    const victim = inWorld.daemon.home.agentProcesses()[0]!;
    process.kill(victim.pid, 'SIGKILL');

    const isNew = (seats: Seats, slot: number): boolean => seats.get(slot)?.task_id !== before.get(slot)?.task_id;
    const after = await untilSeats(inWorld, (seats) => [1, 2, 3].some((slot) => isNew(seats, slot)));
    const slot = [1, 2, 3].find((each) => isNew(after, each))!;
    const record = after.get(slot)!;
    expect(record).toMatchObject({ trooper: before.get(slot)?.trooper, score: slot * 10, words, arm: 'on' });
    let events = null;
    while ((events = await bus.get(KEYS.armEvents)) === null) await pause(20);
    expect(JSON.parse(events)).toMatchObject([{ task_id: record.task_id, state: 'on', source: `world.${slot}` }]);
    expect(await bus.get(KEYS.score(record.task_id))).toBe(String(slot * 10));
    expect(JSON.parse((await bus.get(KEYS.threeWords(record.task_id)))!)).toEqual(words);
  });
});
