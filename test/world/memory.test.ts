import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { changeRecord, readRecords, vacant } from '../../agents/trooper/memory.ts';
import { readSize, writeSize } from '../../agents/trooper/size.ts';
import { KEYS } from '../../agents/world/keys.ts';
import type { TrooperRecord } from '../../agents/world/values.ts';
import { Memcached } from '../support/memcached.ts';
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

const troopersIn = (seats: Seats): readonly (string | null)[] => [...seats.values()].map(({ trooper }) => trooper);

/** Scores that no few rounds of a game can make alike. */
const markOf = (slot: number): number => slot * 1000;
const isMarked = (score: number, slot: number): boolean => Math.abs(score - markOf(slot)) < 100;

async function mark(world: World, slot: number, facts: Partial<TrooperRecord> = {}): Promise<void> {
  await changeRecord(world.bus, 'world', slot, (record) => record && { ...record, score: markOf(slot), ...facts });
}

async function sleepAndWake(world: World): Promise<void> {
  await world.daemon.admin('/admin/agents/world/sleep', { method: 'POST' });
  while ((await world.daemon.view('world')).state !== 'sleeping') await pause(30);
  await world.get('/api/whoami');
}

/** So many run, and each has its seat. */
async function untilSwarmSeated(world: World, troopers: number): Promise<Seats> {
  for (;;) {
    const { json } = await world.get('/api/swarm');
    if (json.replicas?.length === troopers && json.desired_replicas === troopers) {
      const seats = await readRecords(world.bus, 'world', [1, 2, 3, 4, 5]);
      const sits = ({ slot, id }: { slot: number; id: string }): boolean =>
        seats.get(slot)?.task_id === id && seats.get(slot)?.trooper !== null;
      if (json.replicas.every(sits)) return seats;
    }
    await pause(50);
  }
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
    for (const slot of [1, 2, 3]) await mark(inWorld, slot, { words, arm: 'on' });
    const victim = inWorld.daemon.home.agentProcesses()[0]!;
    process.kill(victim.pid, 'SIGKILL');

    const isNew = (seats: Seats, slot: number): boolean => seats.get(slot)?.task_id !== before.get(slot)?.task_id;
    const after = await untilSeats(inWorld, (seats) => [1, 2, 3].some((slot) => isNew(seats, slot)));
    const slot = [1, 2, 3].find((each) => isNew(after, each))!;
    const record = after.get(slot)!;
    expect(record).toMatchObject({ trooper: before.get(slot)?.trooper, words: { text: expect.any(String) }, arm: 'on' });
    expect(record.score).toSatisfy((score: number) => isMarked(score, slot));
    let events = null;
    while ((events = await bus.get(KEYS.armEvents)) === null) await pause(20);
    expect(JSON.parse(events)).toMatchObject([{ task_id: record.task_id, state: 'on', source: `world.${slot}` }]);
    expect(Number(await bus.get(KEYS.score(record.task_id)))).toSatisfy((score: number) => isMarked(score, slot));
    expect(await bus.get(KEYS.threeWords(record.task_id))).not.toBeNull();
  });

  it('a world that sleeps wakes with as many as it had, each with its memory, and those whose seat is gone move down', async ({
    world,
  }) => {
    const inWorld = await world();
    await untilSeated(inWorld);
    expect((await inWorld.post('/api/scale', { replicas: 4 })).status).toBe(202);
    let seats = await untilSeats(inWorld, (now) => now.size === 4);
    const before = troopersIn(seats);
    for (const slot of seats.keys()) await mark(inWorld, slot);
    await sleepAndWake(inWorld);
    seats = await untilSwarmSeated(inWorld, 4);
    expect(troopersIn(seats)).toEqual(before);
    for (const [slot, { score }] of seats) expect(score).toSatisfy((now: number) => isMarked(now, slot));

    const second = { service: 'world', task_id: seats.get(2)!.task_id };
    expect((await inWorld.post('/api/self_destruct', second)).status).toBe(202);
    await sleepAndWake(inWorld);
    seats = await untilSwarmSeated(inWorld, 3);
    expect(troopersIn(seats)).toEqual([before[0], before[3], before[2], null]);
    const [, moved] = (await inWorld.get('/api/swarm')).json.replicas;
    expect(moved.score).toSatisfy((score: number) => isMarked(score, 4));
  });

  it('it outlives the daemon', async ({ world }) => {
    const inWorld = await world({ replicas: 2 });
    await untilSeated(inWorld);
    expect((await inWorld.post('/api/scale', { replicas: 3 })).status).toBe(202);
    const before = await untilSeats(inWorld, (now) => now.size === 3);
    const { home, run } = inWorld.daemon;
    run.signal('SIGKILL');
    await run.exit;
    const again = await home.start();
    const woken = { ...inWorld, daemon: again, get: (path: string) => again.wake('world', path) };
    await woken.get('/api/whoami');
    const after = await untilSwarmSeated(woken, 3);
    expect(troopersIn(after)).toEqual(troopersIn(before));
    // The daemon that was killed has left nothing to be told to stop.
    run.ended ??= { code: 0, signal: null };
  });

  it('while memcached is silent the endpoints say 503, and afterwards everything that was stored is there', async ({ world }) => {
    const inWorld = await world({ replicas: 2 });
    const { bus, memcached } = inWorld;
    await untilSeated(inWorld);
    await inWorld.post('/api/chat', { text: 'before' });
    await inWorld.post('/api/arm', { task_id: 'somebody', state: 'on' });
    await inWorld.post('/api/scale', { replicas: 3 });
    const before = await untilSwarmSeated(inWorld, 3);
    memcached.signal('SIGSTOP');
    const { json } = await inWorld.daemon.admin('/api/self?agent=world');
    const task_id = json.tasks[0].id;
    const order = { service: 'world', task_id };
    const replies = await Promise.all([
      inWorld.daemon.call('world', '/api/chat'),
      inWorld.daemon.call('world', '/api/arm/events'),
      inWorld.daemon.call('world', '/api/swarm'),
      inWorld.daemon.call('world', '/api/swarms'),
      ...(
        [
          ['/api/chat', { text: 'lost' }],
          ['/api/arm', { task_id, state: 'on' }],
          ['/api/scale', { replicas: 5 }],
          ['/api/self_destruct', order],
          ['/api/outage', order],
        ] as const
      ).map(([path, body]) =>
        inWorld.daemon.call('world', path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      ),
    ]);
    for (const reply of replies) expect([reply.status, reply.json]).toEqual([503, { error: 'memcached unavailable' }]);
    memcached.signal('SIGCONT');

    let chat = await inWorld.get('/api/chat');
    while (chat.status === 503) chat = await inWorld.get('/api/chat');
    expect(chat.json.messages[0]).toMatchObject({ text: 'before' });
    expect((await inWorld.get('/api/arm/events')).json.events[0]).toMatchObject({ task_id: 'somebody' });
    expect(troopersIn(await readRecords(bus, 'world', [1, 2, 3]))).toEqual(troopersIn(before));
    expect(await readSize(bus, 'world')).toMatchObject({ replicas: 3 });
    expect((await inWorld.get('/api/swarm')).json.replicas.map(({ id }: { id: string }) => id)).toEqual(
      [...before.values()].map((record) => record.task_id),
    );
  });

  it('a memcached that was restarted and knows nothing is told again by those who run', async ({ world }) => {
    const inWorld = await world({ replicas: 2 });
    const { bus, memcached } = inWorld;
    // By this way, and not by asking: whoever manages has seen the size once there are three.
    await writeSize(bus, 'world', 3);
    const before = await untilSwarmSeated(inWorld, 3);
    // Who has just sat down knows of it once it has told its score: what was forgotten before that is a recruit's loss.
    for (const { task_id, trooper } of before.values())
      while (trooper !== null && (await bus.get(KEYS.score(task_id))) === null) await pause(20);
    await memcached[Symbol.asyncDispose]();
    await using again = await Memcached.start([], memcached.port);
    expect(again.port).toBe(memcached.port);
    const after = await untilSwarmSeated(inWorld, 3);
    expect(troopersIn(after)).toEqual(troopersIn(before));
    while ((await readSize(bus, 'world'))?.replicas !== 3) await pause(50);
  });

  it('a task whose trooper has left, and that nobody ends, takes on somebody else', async ({ world }) => {
    const inWorld = await world({ replicas: 1 });
    const [gone] = troopersIn(await untilSeated(inWorld));
    await changeRecord(inWorld.bus, 'world', 1, (record) => record && vacant(record.task_id));
    const after = await untilSwarmSeated(inWorld, 1);
    expect(after.get(1)).toMatchObject({ trooper: expect.any(String), score: 0 });
    expect(troopersIn(after)).not.toContain(gone);
  });
});
