import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { KEPT, KEYS, TTL } from '../../agents/world/keys.ts';
import type { ArmEvent, Message } from '../../agents/world/values.ts';
import type { ReplicaView } from '../../agents/world/views.ts';
import { ARM_EVENTS } from '../support/lengths.ts';
import { it } from './rig.ts';

describe('chat', () => {
  it('keeps what is said: trimmed, at most 280 characters, the newest forty', async ({ world }) => {
    const inWorld = await world({ replicas: 1 });
    const hi = await inWorld.post('/api/chat', { text: ' hi ' });
    expect(hi).toMatchObject({ status: 201, json: { ok: true, message: { text: 'hi', from: 'world.1' } } });
    expect(hi.json.message.id).toMatch(/^[0-9a-f]{12}$/);
    const { json } = await inWorld.post('/api/chat', { text: `${'é'.repeat(279)}💥💥` });
    expect(json.message.text).toBe(`${'é'.repeat(279)}💥`);
    for (const body of [{}, { text: '' }, { text: ' \n' }, { text: 7 }, { text: ['a'] }, { text: null }, null, 'hi']) {
      expect(await inWorld.post('/api/chat', body)).toMatchObject({ status: 400, json: { error: 'text is required' } });
    }
    const raw = { method: 'POST', headers: { 'content-type': 'application/json' } };
    for (const body of ['', '{', '{"text": "a"']) {
      const reply = await inWorld.daemon.call('world', '/api/chat', { ...raw, body });
      expect([reply.status, reply.json]).toEqual([400, { error: 'text is required' }]);
    }
    const long = await inWorld.post('/api/chat', { text: 'x'.repeat(20_000) });
    expect(long).toMatchObject({ status: 413, json: { error: expect.any(String) } });
    for (let count = 1; count <= 40; count += 1) await inWorld.post('/api/chat', { text: `number ${count}` });
    const { messages, source } = (await inWorld.get('/api/chat')).json;
    expect(messages.map(({ text }: Message) => text)).toEqual(Array.from({ length: 40 }, (_, index) => `number ${index + 1}`));
    expect(source).toBe('memcached');
  });

  it('50 concurrent posts to three troopers: 50 answers 201, the list is the newest 40 in one order for every reader', async ({
    world,
  }) => {
    const inWorld = await world();
    const texts = Array.from({ length: 50 }, (_, index) => `call ${index}`);
    const replies = await Promise.all(texts.map((text) => inWorld.post('/api/chat', { text })));
    expect(replies.map(({ status }) => status)).toEqual(texts.map(() => 201));
    expect(new Set(replies.map(({ json }) => json.message.from)).size).toBe(3);
    const readers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => inWorld.get('/api/chat')));
    const ids = (reply: (typeof readers)[number]): readonly string[] => reply.json.messages.map(({ id }: Message) => id);
    for (const reader of readers) expect(ids(reader)).toEqual(ids(readers[0]!));
    const posted = new Set(replies.map(({ json }) => json.message.id));
    expect(new Set(ids(readers[0]!).filter((id) => posted.has(id))).size).toBe(40);
  });
});

describe('arming', () => {
  it('is an event, in order, and the arm of the trooper that sits there', async ({ world }) => {
    const inWorld = await world({ replicas: 1 });
    const tile = async (): Promise<ReplicaView> => (await inWorld.get('/api/swarm')).json.replicas[0];
    const { id, name } = await tile();
    while ((await inWorld.bus.get('clawbucket:trooper:world:1')) === null) await pause(20);
    expect(await inWorld.post('/api/arm', { task_id: id, state: 'ON' })).toMatchObject({
      status: 201,
      json: { ok: true, event: { task_id: id, bot: name, state: 'on', source: 'world.1' } },
    });
    expect((await tile()).arm).toBe('on');
    expect(await inWorld.post('/api/arm', { task_id: id, bot: 'Rico', state: 'off' })).toMatchObject({ status: 201 });
    expect((await tile()).arm).toBe('off');
    expect((await inWorld.post('/api/arm', { task_id: 'a stranger', state: 'on' })).status).toBe(201);
    const bad = [{ task_id: id, state: 'maybe' }, { task_id: id, state: true }, { task_id: 7, state: 'on' }, { state: 'on' }, {}];
    for (const body of [...bad, { task_id: 'x'.repeat(101), state: 'on' }, { task_id: id, bot: 7, state: 'on' }]) {
      const error = 'invalid payload or memcached unavailable';
      expect(await inWorld.post('/api/arm', body)).toMatchObject({ status: 400, json: { error } });
    }
    const { events, source } = (await inWorld.get('/api/arm/events')).json;
    expect(events.map(({ task_id, bot, state }: ArmEvent) => [task_id, bot, state])).toEqual([
      [id, name, 'on'],
      [id, 'Rico', 'off'],
      ['a stranger', expect.any(String), 'on'],
    ]);
    expect(source).toBe('memcached');
  });

  it('many events at once from three troopers push the oldest out of a full list: the newest 500, none twice', async ({
    world,
  }) => {
    const inWorld = await world();
    console.info({ arm_events: ARM_EVENTS });
    const earlier = Array.from({ length: KEPT.armEvents }, (_, index) => eventOf(`earlier ${index}`));
    await inWorld.bus.set(KEYS.armEvents, JSON.stringify(earlier), TTL.list);
    const wanted = Array.from({ length: ARM_EVENTS }, (_, index) => `task ${index}`);
    const statuses = await Promise.all(
      wanted.map(async (task_id) => (await inWorld.post('/api/arm', { task_id, state: 'on' })).status),
    );
    expect(statuses.filter((status) => status !== 201)).toEqual([]);
    const events: readonly ArmEvent[] = (await inWorld.get('/api/arm/events')).json.events;
    expect(events).toHaveLength(500);
    expect(new Set(events.map(({ id }) => id)).size).toBe(500);
    const left = earlier.slice(ARM_EVENTS);
    expect(events.slice(0, left.length)).toEqual(left);
    const added = events.slice(left.length);
    expect(new Set(added.map(({ task_id }) => task_id)).size).toBe(Math.min(ARM_EVENTS, 500));
    expect(new Set(added.map(({ task_id }) => task_id)).isSubsetOf(new Set(wanted))).toBe(true);
    expect(new Set(added.map(({ source }) => source)).size).toBeGreaterThan(1);
  });
});

const eventOf = (task_id: string): ArmEvent => ({
  ...{ id: randomBytes(6).toString('hex'), task_id, bot: 'Rico', state: 'on' },
  ...{ at: '2026-01-01T00:00:00.000Z', source: 'world.9' },
});
