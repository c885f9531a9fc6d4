import { setTimeout as pause } from 'node:timers/promises';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { CarriedState } from '../../agents/trooper/revolt/handoff.ts';
import { KEYS } from '../../agents/world/keys.ts';
import type { TrooperRecord } from '../../agents/world/values.ts';
import { type Rack, it } from './two-racks.ts';

const ID = 'revolt-of-the-second';

/** What the racks have kept of the revolt, which has to be the same. */
function carried(one: Rack, two: Rack): CarriedState {
  const [there, here] = [one, two].map(({ snapshots }) => JSON.parse(readFileSync(join(snapshots, `${ID}.json`), 'utf8')));
  expect(here).toMatchObject({ snapshot_id: ID, state: there.state });
  expect(there).toMatchObject({ snapshot_id: ID });
  return there.state;
}

it('a trooper goes over with its score, its words and its arm, the source loses exactly that task, and both racks tell of it', async ({
  racks,
}) => {
  const { one, two } = await racks();
  for (const { bus } of [one, two]) await bus.set(KEYS.rpsInterval, '120', 3600);
  while (!(await one.troopers()).every(({ record }) => record.words !== null)) await pause(50);
  const before = await one.troopers();
  const leaving = before[1]!;
  const source_task_id = leaving.record.task_id;
  await one.remember(leaving.slot, { score: 7, arm: 'on' });

  const begun = new Date().toISOString();
  const body = { service: 'world', task_id: source_task_id, snapshot_id: ID };
  const answer = await one.post('/api/revolt', body);
  expect(answer).toMatchObject({
    status: 202,
    json: {
      ok: true,
      service: 'world',
      source_task_id,
      peer: two.relay.url,
      snapshot_id: ID,
      source_snapshot_path: join(one.snapshots, `${ID}.json`),
      target_snapshot_path: join(two.snapshots, `${ID}.json`),
      source_desired_replicas: 2,
      status: 'revolted',
    },
  });
  const { target_task_id } = answer.json;
  const arrived = (await two.troopers()).find(({ record }) => record.task_id === target_task_id)!.record;
  // It speaks on until it goes, and again as soon as it has come, so what it went with is read from what was kept.
  const state = carried(one, two);
  expect(state).toMatchObject({ trooper: leaving.record.trooper, arm_state: 'on', three_words: state.words!.text });
  // The round that was under way may have counted.
  expect(Math.abs(state.score - 7)).toBeLessThanOrEqual(1);
  if (arrived.words!.at < begun) expect(arrived.words).toEqual(state.words);
  expect(arrived).toMatchObject<Partial<TrooperRecord>>({
    trooper: leaving.record.trooper,
    score: state.score,
    arm: 'on',
    from: { task_id: source_task_id, rack: 'Machine Rack 1 (BOT 1)' },
    departing: null,
  });
  // Who stays goes on playing and speaking meanwhile.
  const seats = (troopers: typeof before) =>
    troopers.map(({ slot, record: { trooper, task_id } }) => ({ slot, trooper, task_id }));
  expect(seats(await one.troopers())).toEqual(seats(before.filter(({ slot }) => slot !== leaving.slot)));
  await one.untilRunning(before.flatMap(({ record }) => (record.task_id === source_task_id ? [] : [record.task_id])));
  await two.untilRunning((await two.troopers()).map(({ record }) => record.task_id));

  for (const rack of [one, two]) {
    const { events, source } = (await rack.get('/api/revolt/events')).json;
    expect(source).toBe('memcached');
    expect(events).toMatchObject([
      { source_task_id, target_task_id, source_rack: 'Machine Rack 1 (BOT 1)', target_rack: 'Machine Rack 2 (BOT 2)' },
    ]);
    const file = join(rack.snapshots, `${ID}.json`);
    expect([statSync(file).mode & 0o777, statSync(rack.snapshots).mode & 0o777]).toEqual([0o600, 0o700]);
  }

  expect((await one.post('/api/revolt', body)).json).toEqual(answer.json);
  expect((await one.post('/api/revolt', { ...body, task_id: before[0]!.record.task_id })).status).toBe(409);
  expect([(await one.troopers()).length, (await two.troopers()).length]).toEqual([2, 4]);
});
