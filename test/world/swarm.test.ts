import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { readSeats } from '../../agents/trooper/enlist.ts';
import { readSize } from '../../agents/trooper/size.ts';
import { KEYS } from '../../agents/world/keys.ts';
import type { ReplicaView, SwarmView } from '../../agents/world/views.ts';
import { type World, it } from './rig.ts';

/** What a trooper says of the swarm, once it is as `is` wants it. */
async function untilSwarm(world: World, is: (swarm: SwarmView) => boolean): Promise<SwarmView> {
  for (;;) {
    const { status, json } = await world.get('/api/swarm');
    if (status === 200) {
      // At every moment, whatever is going on.
      expect(json.replicas.filter(({ is_manager }: ReplicaView) => is_manager)).toHaveLength(1);
      expect(json.replicas).toHaveLength(json.running_count);
      if (is(json)) return json;
    }
    await pause(30);
  }
}

const slotsOf = (swarm: SwarmView): readonly number[] => swarm.replicas.map(({ slot }) => slot);
const managerOf = (swarm: SwarmView): ReplicaView => swarm.replicas.find(({ is_manager }) => is_manager)!;
const seatsIn = (world: World) =>
  readSeats({ bus: world.bus, slot: 1, settings: { service: 'world' } } as unknown as Parameters<typeof readSeats>[0]);

describe('the swarm', () => {
  it('is listed by slot with one manager, scaled by an integer from 1 to 20, and remembers its size', async ({ world }) => {
    const inWorld = await world();
    const swarm = await untilSwarm(inWorld, ({ running_count }) => running_count === 3);
    expect(slotsOf(swarm)).toEqual([1, 2, 3]);
    expect(managerOf(swarm).slot).toBe(1);
    expect((await inWorld.get('/api/swarms')).json).toMatchObject({ swarms: [{ service: 'world', running_count: 3 }] });

    const text = 'replicas must be an integer between 1 and 20';
    for (const replicas of [0, 21, '3', true, 2.5, null, undefined]) {
      expect(await inWorld.post('/api/scale', { replicas })).toMatchObject({ status: 400, json: { error: text } });
    }
    expect(await inWorld.post('/api/scale', [])).toMatchObject({ status: 400, json: { error: text } });
    for (const service of ['other', '', 7, ['world']]) {
      const reply = await inWorld.post('/api/scale', { replicas: 2, service });
      expect(reply).toMatchObject({ status: 400, json: { error: 'service must be one of: world' } });
    }
    const reply = await inWorld.post('/api/scale', { replicas: 5 });
    expect(reply).toMatchObject({
      status: 202,
      json: { ok: true, service: 'world', desired_replicas: 5, status: 'scaling' },
    });
    await untilSwarm(inWorld, ({ running_count, desired_replicas }) => running_count === 5 && desired_replicas === 5);
    expect(await readSize(inWorld.bus, 'world')).toMatchObject({ replicas: 5 });
  });

  it('a trooper destroys itself and nobody else, its seat is vacant, and the last one stays', async ({ world }) => {
    const inWorld = await world({ replicas: 2 });
    const swarm = await untilSwarm(inWorld, ({ running_count }) => running_count === 2);
    while ((await seatsIn(inWorld)).size < 2) await pause(30);
    const first = swarm.replicas[0]!;
    const order = { service: 'world', task_id: first.id };
    for (const [body, status, error] of [
      [{ service: 'world' }, 400, 'service and task_id are required'],
      [{ service: 'world', task_id: 7 }, 400, 'service and task_id are required'],
      [{ service: 'x', task_id: first.id }, 400, 'service must be one of: world'],
      [{ service: 'world', task_id: 'nobody' }, 404, 'task not found in service'],
    ] as const) {
      expect(await inWorld.post('/api/self_destruct', body)).toMatchObject({ status, json: { error } });
      expect(await inWorld.post('/api/outage', body)).toMatchObject({ status, json: { error } });
    }
    expect(await inWorld.post('/api/self_destruct', order)).toMatchObject({
      status: 202,
      json: { ok: true, service: 'world', removed_task_id: first.id, status: 'self-destruct-triggered' },
    });
    const after = await untilSwarm(inWorld, ({ running_count }) => running_count === 1);
    expect(after.replicas.map(({ id }) => id)).toEqual([swarm.replicas[1]!.id]);
    expect(await readSize(inWorld.bus, 'world')).toMatchObject({ replicas: 1 });
    expect((await seatsIn(inWorld)).get(1)).toMatchObject({ trooper: null });
    const last = { service: 'world', task_id: swarm.replicas[1]!.id };
    const text = 'cannot self-destruct when service has only 1 replica';
    expect(await inWorld.post('/api/self_destruct', last)).toMatchObject({ status: 409, json: { error: text } });
    expect((await inWorld.post('/api/outage', last)).status).toBe(409);
  });

  it('after an outage the next slot manages, and the one that failed comes back as it was', async ({ world }) => {
    const inWorld = await world();
    const swarm = await untilSwarm(inWorld, ({ running_count }) => running_count === 3);
    while ((await seatsIn(inWorld)).size < 3) await pause(30);
    const before = (await seatsIn(inWorld)).get(1)!;
    const order = { service: 'world', task_id: swarm.replicas[0]!.id };
    expect(await inWorld.post('/api/outage', order)).toMatchObject({
      status: 202,
      json: { removed_task_id: order.task_id, next_manager_slot: 2, override_ttl_seconds: 300, status: 'outage-triggered' },
    });
    const after = await untilSwarm(
      inWorld,
      (now) => now.running_count === 3 && now.replicas.every(({ id, state }) => id !== order.task_id && state === 'running'),
    );
    expect(managerOf(after).slot).toBe(2);
    let seat = before;
    while (seat.task_id === before.task_id) seat = (await seatsIn(inWorld)).get(1)!;
    expect(seat).toMatchObject({ trooper: before.trooper, task_id: after.replicas[0]!.id });
    await inWorld.bus.delete(KEYS.override('world'));
    await untilSwarm(inWorld, (now) => managerOf(now).slot === 1);
  });

  it('two services see, scale and order each other through what they write down', async ({ world }) => {
    const env = { SWARM_SERVICES: 'bob_a,bob_b' };
    const inWorld = await world({ replicas: 2, env: { ...env, SERVICE_NAME: 'bob_a' } });
    expect((await inWorld.get('/api/swarms')).json.swarms[1]).toEqual({
      service: 'bob_b',
      error: 'nothing has been heard of this service',
      desired_replicas: 0,
      running_count: 0,
      replicas: [],
    });
    const other = await world({ replicas: 2, env: { ...env, SERVICE_NAME: 'bob_b' }, memcached: inWorld.memcached });
    const seen = async (): Promise<SwarmView> => (await inWorld.get('/api/swarms')).json.swarms[1];
    while ((await seen()).running_count !== 2) await pause(50);
    expect(await inWorld.post('/api/scale', { service: 'b', replicas: 3 })).toMatchObject({
      status: 202,
      json: { service: 'bob_b', desired_replicas: 3 },
    });
    while ((await seen()).running_count !== 3) await pause(50);
    expect((await other.get('/api/swarm')).json.desired_replicas).toBe(3);
    const [, , third] = (await seen()).replicas;
    const destroyed = await inWorld.post('/api/self_destruct', { service: 'bob_b', task_id: third!.id });
    expect(destroyed).toMatchObject({ status: 202, json: { service: 'bob_b', removed_task_id: third!.id } });
    while ((await seen()).running_count !== 2) await pause(50);
    const unknown = await inWorld.post('/api/self_destruct', { service: 'bob_b', task_id: 'nobody' });
    expect(unknown).toMatchObject({ status: 404, json: { error: 'task not found in service' } });
  });
});
