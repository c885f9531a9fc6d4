import { randomInt, randomUUID } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { readOpenIds } from '../../agents/trooper/revolt/handoffs.ts';
import { readSize } from '../../agents/trooper/size.ts';
import { KEYS } from '../../agents/world/keys.ts';
import { CRASH_SHARE } from '../support/lengths.ts';
import { type Rack, it } from './two-racks.ts';

/**
 * A revolt for each step at which a trooper of either rack can die or a message be lost, several at once in the same two
 * worlds and back and forth, so that neither fills up. After each batch every rack has exactly the troopers it is to have.
 */
// Three at least stay on each: a world all of whose tasks have died sleeps, and that is another matter.
const TROOPERS = 7;
const AT_ONCE = 4;
/** For a machine that has much else to do. */
const LIMIT_MS = 900_000;
const FIRST = Number(process.env['CRASH_FIRST'] ?? randomInt(CRASH_SHARE));
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
  'whichever trooper dies at whatever step, and whatever message is lost, every rack has exactly the troopers it is to have',
  { timeout: LIMIT_MS },
  async ({ racks }) => {
    const { one, two } = await racks(TROOPERS);
    // Nothing else is to happen meanwhile.
    for (const { bus } of [one, two]) await bus.set(KEYS.rpsInterval, '120', 3600);
    let runs = 0;
    let moved = 0;
    let [from, to] = [one, two];
    const all = mixed(SOURCE, TARGET, NETWORK);
    const tried = all.filter((_, index) => index % CRASH_SHARE === FIRST);
    console.log(`${tried.length} of ${all.length} points (CRASH_FIRST=${FIRST})`);
    for (const points of batches(tried, AT_ONCE)) {
      const [here, there] = [await namesOn(from), await namesOn(to)];
      const leaving = (await from.troopers()).slice(-points.length).map(({ record }) => record);
      const hits = points.map((point) => ({ point, hit: arm(point, from, to) }));
      const answers = await Promise.all(
        leaving.map(({ task_id }) => {
          const body = { service: 'world', task_id, snapshot_id: randomUUID() };
          // Its trooper may die over the answer.
          return from.post('/api/revolt', body).catch(() => null);
        }),
      );
      await untilClosed(one, two);
      await Promise.all([one.heal(), two.heal()]);
      expect(hits.filter(({ hit }) => !hit()).map(({ point }) => point)).toEqual([]);

      const arrived = await namesOn(to);
      const gone = leaving.flatMap(({ trooper }, index) => {
        if (trooper !== null && arrived.includes(trooper)) return [trooper];
        expect(answers[index]?.status).not.toBe(202);
        return [];
      });
      expect(arrived).toEqual([...there, ...gone].toSorted());
      expect(await namesOn(from)).toEqual(here.filter((name) => !gone.includes(name)));
      for (const rack of [from, to]) {
        const size = (await readSize(rack.bus, 'world'))?.replicas ?? TROOPERS;
        expect(size).toBe((await rack.troopers()).length);
      }
      runs += points.length;
      moved += gone.length;
      [from, to] = [to, from];
    }
    console.log(
      `revolts with a trooper dying or a message lost at each step: ${runs} runs, ${moved} went over, 0 lost, 0 doubled, 0 recruits too many`,
    );
  },
);

/** One of each kind after the other, so that a batch has some of all. */
function mixed(...kinds: readonly (readonly string[])[]): readonly string[] {
  const placed = kinds.flatMap((kind) => kind.map((point, index) => ({ point, at: (index + 0.5) / kind.length })));
  return placed.toSorted((first, second) => first.at - second.at).map(({ point }) => point);
}

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

const namesOn = async (rack: Rack): Promise<readonly string[]> =>
  (await rack.troopers()).map(({ record }) => record.trooper ?? '').toSorted();

/** No handoff is open on either rack, and nobody stands still. */
async function untilClosed(...racks: readonly Rack[]): Promise<void> {
  for (;;) {
    const open = (await Promise.all(racks.map(({ bus }) => readOpenIds(bus)))).flat();
    const troopers = (await Promise.all(racks.map((rack) => rack.troopers()))).flat();
    if (open.length === 0 && troopers.every(({ record }) => record.departing === null)) return;
    await pause(30);
  }
}
