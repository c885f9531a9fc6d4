import { randomUUID } from 'node:crypto';
import { readOpenIds } from '../../agents/trooper/revolt/handoffs.ts';
import { sealRequest } from '../../agents/trooper/revolt/seal.ts';
import { expect } from 'vitest';
import { it as withWorlds } from './rig.ts';
import { type Rack, SECRET, it } from './two-racks.ts';

const LIMIT_MS = 300_000;

withWorlds('without a peer a revolt is refused, after its fields and before anything else', async ({ world }) => {
  const { post, get } = await world({ replicas: 1 });
  expect(await post('/api/revolt', { service: 'world' })).toMatchObject({
    status: 400,
    json: { error: 'service and task_id are required' },
  });
  expect(await post('/api/revolt', { service: 'nonesuch', task_id: 'x' })).toMatchObject({
    status: 409,
    json: { error: 'peer dashboard is not configured for revolt' },
  });
  expect(await post('/api/revolt/offer', { snapshot_id: randomUUID() })).toMatchObject({ status: 404 });
  expect((await get('/api/revolt/events')).json).toEqual({ events: [], source: 'memcached' });
});

it(
  'what can be refused is refused before anything has happened, and a peer that is not there, asleep or a liar changes nothing',
  { timeout: LIMIT_MS },
  async ({ racks }) => {
    const { one, two } = await racks(2);
    const [first, second] = await one.troopers();
    const task_id = first!.record.task_id;
    const before = await state(one, two);
    const refused = async (body: unknown) => {
      const { status, json } = await one.post('/api/revolt', body);
      return [status, json.error];
    };

    expect(await refused({ service: 'world', task_id: 3 })).toEqual([400, 'service and task_id are required']);
    expect(await refused({ service: 'world', task_id, snapshot_id: '../../etc/passwd' })).toEqual([
      400,
      'service and task_id are required',
    ]);
    expect(await refused({ service: 'nonesuch', task_id })).toEqual([400, 'service must be one of: world']);
    expect(await refused({ service: 'world', task_id: 'nobody' })).toEqual([404, 'task not found in service']);
    // Nothing of that has reached the peer.
    expect(two.relay.seen).toEqual([]);

    two.relay.answer = () => ({ status: 200, body: JSON.stringify({ ok: true, status: 'reserved' }) });
    expect(await refused({ service: 'world', task_id })).toEqual([502, 'peer rack cannot be reached']);
    two.relay.answer = () => ({ status: 401, body: '{}' });
    expect(await refused({ service: 'world', task_id })).toEqual([502, 'peer rack rejected revolt']);
    two.relay.answer = null;
    expect(await state(one, two)).toEqual(before);

    // A request is taken once, whole, in time, and with the secret.
    const offer = { snapshot_id: randomUUID(), service: 'world', trooper: 'X', from_rack: 'one' };
    const send = async (secret: string, now: number, body: string, sent = body) => {
      const headers = sealRequest(secret, { method: 'POST', path: '/api/revolt/offer', body }, randomUUID(), now);
      return two.relay.send('POST /api/revolt/offer', { ...headers, 'content-type': 'application/json' }, sent);
    };
    const text = JSON.stringify(offer);
    const unauthorized = { status: 401, body: '{"error":"unauthorized"}' };
    expect(await send('another secret altogether', Date.now(), text)).toMatchObject(unauthorized);
    expect(await send(SECRET, Date.now() - 61_000, text)).toMatchObject(unauthorized);
    expect(await send(SECRET, Date.now(), text, text.replace('"X"', '"Y"'))).toMatchObject(unauthorized);
    expect(await two.relay.send('POST /api/revolt/offer', { 'content-type': 'application/json' }, text)).toMatchObject(
      unauthorized,
    );
    expect(await send(SECRET, Date.now(), JSON.stringify({ ...offer, service: 'nonesuch' }))).toMatchObject({ status: 400 });
    expect(await send(SECRET, Date.now(), JSON.stringify({ ...offer, snapshot_id: '../x' }))).toMatchObject({ status: 400 });
    expect(await state(one, two)).toEqual(before);

    // The peer sleeps: it is woken and waited for.
    await two.daemon.admin('/admin/agents/world/sleep?force=true', { method: 'POST' });
    await two.daemon.event('agent.sleep', 'world');
    const answer = await one.post('/api/revolt', { service: 'world', task_id });
    expect([answer.status, ['revolted', 'revolting']]).toEqual([202, expect.arrayContaining([answer.json.status])]);
    while ((await readOpenIds(one.bus)).length > 0) await one.get('/api/whoami');
    expect((await one.troopers()).map(({ record }) => record.trooper)).toEqual([second!.record.trooper]);
    expect((await two.troopers()).filter(({ record }) => record.trooper === first!.record.trooper)).toHaveLength(1);

    // What came by comes by again.
    const index = two.relay.seen.findIndex(({ what }) => what === 'POST /api/revolt/accept');
    expect(await two.relay.again(index)).toMatchObject(unauthorized);

    // One is left, and the peer is not even asked.
    const seen = two.relay.seen.length;
    const last = (await one.troopers())[0]!.record.task_id;
    expect(await refused({ service: 'world', task_id: last })).toEqual([
      409,
      'cannot revolt when source service has only 1 replica',
    ]);
    expect(two.relay.seen.slice(seen).filter(({ what }) => what.startsWith('POST'))).toEqual([]);
  },
);

/** But for what they play and say meanwhile. */
const state = (...racks: readonly Rack[]) =>
  Promise.all(
    racks.map(async (rack) =>
      (await rack.troopers()).map(({ slot, record }) => ({ slot, ...record, score: 0, words: null, last_round: null })),
    ),
  );
