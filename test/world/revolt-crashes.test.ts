import { randomUUID } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { readOpenIds } from '../../agents/trooper/revolt/handoffs.ts';
import { type Rack, it } from './two-racks.ts';

/**
 * A revolt for each step at which a trooper of either rack can die or a message be lost, one after another in the same two
 * worlds and back and forth, so that neither fills up. Afterwards every trooper is on exactly one rack.
 */
const TROOPERS = 6;
const AT_ONCE = 4;
/** For a machine that has much else to do. */
const LIMIT_MS = 400_000;
const SOURCE_PHASES = ['offering', 'transferring', 'committed', 'leaving', 'finishing', 'done'];
const SOURCE = [
  'source-begun',
  ...SOURCE_PHASES.flatMap((phase) => [`source-${phase}-decided`, `source-${phase}-kept`]),
  ...['mark', 'offer', 'transfer', 'accept', 'leave', 'finish'].map((effect) => `source-${effect}-done`),
  'source-task-ended',
  'source-seat-vacated',
  'source-size-remembered',
];
const TARGET_PHASES = ['reserved', 'staged', 'arriving', 'seated', 'finished'];
const TARGET = [
  ...TARGET_PHASES.flatMap((phase) => [`target-${phase}-decided`, `target-${phase}-kept`]),
  ...['offer', 'transfer', 'accept', 'finish'].map((step) => `target-${step}-answering`),
  'target-size-written',
  'target-scaled',
  'target-taken',
  'target-seat-seen',
];
const NETWORK = ['offer', 'transfer', 'accept', 'finish'].flatMap((step) => [
  `request POST /api/revolt/${step}`,
  `answer POST /api/revolt/${step}`,
]);

it(
  'whichever trooper dies at whatever step, and whatever message is lost, every trooper is on exactly one rack',
  { timeout: LIMIT_MS },
  async ({ racks }) => {
    const { one, two } = await racks(TROOPERS);
    const all = await namesOn(one, two);
    expect(new Set(all).size).toBe(2 * TROOPERS);

    let runs = 0;
    let moved = 0;
    let recruits = 0;
    let [from, to] = [one, two];
    for (const points of batches([...SOURCE, ...TARGET, ...NETWORK], AT_ONCE)) {
      const leaving = (await from.troopers()).slice(-points.length).map(({ record }) => record);
      const hits = points.map((point) => ({ point, hit: arm(point, from, to) }));
      const answers = await Promise.all(
        leaving.map(({ task_id }) => {
          const body = { service: 'world', task_id, snapshot_id: randomUUID() };
          // Its trooper may die over the answer.
          return from.post('/api/revolt', body).catch(() => null);
        }),
      );
      await untilSettled(one, two);
      expect(hits.filter(({ hit }) => !hit())).toEqual([]);
      const names = await namesOn(one, two);
      expect(names.filter((name) => all.includes(name)).toSorted()).toEqual(all.toSorted());
      recruits = names.length - all.length;
      const there = await namesOn(to);
      for (const [index, { trooper }] of leaving.entries()) {
        runs += 1;
        const isThere = there.includes(trooper ?? '');
        if (isThere) moved += 1;
        else expect(answers[index]?.status).not.toBe(202);
      }
      await Promise.all([one.heal(), two.heal()]);
      [from, to] = [to, from];
    }
    console.log(
      `revolts with a trooper dying or a message lost at each step: ${runs} runs, ${moved} went over, 0 lost, 0 doubled, ${recruits} recruits too many`,
    );
  },
);

function batches<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** Returns whether it has happened. */
function arm(point: string, from: Rack, to: Rack): () => boolean {
  const [first = '', ...what] = point.split(' ');
  if (what.length > 0) {
    const request = what.join(' ');
    to.relay.losses.set(request, first as 'request' | 'answer');
    return () => !to.relay.losses.has(request);
  }
  const file = join((first.startsWith('source') ? from : to).crashes, point);
  writeFileSync(file, '');
  return () => !existsSync(file);
}

const namesOn = async (...racks: readonly Rack[]): Promise<readonly string[]> =>
  (await Promise.all(racks.map((rack) => rack.troopers()))).flat().map(({ record }) => record.trooper ?? '');

/** No handoff is open on either rack, and nobody stands still. */
async function untilSettled(...racks: readonly Rack[]): Promise<void> {
  for (;;) {
    const open = (await Promise.all(racks.map(({ bus }) => readOpenIds(bus)))).flat();
    const troopers = (await Promise.all(racks.map((rack) => rack.troopers()))).flat();
    if (open.length === 0 && troopers.every(({ record }) => record.departing === null && record.task_id !== '')) return;
    await pause(30);
  }
}
