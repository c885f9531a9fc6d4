import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vacant } from '../../../agents/trooper/memory.ts';
import { type Round, ROUNDS_KEPT, after, bookIn, bookText } from '../../../agents/trooper/rps/book.ts';
import { CHOICES, played, pointsOf } from '../../../agents/trooper/rps/game.ts';
import { intervalIn, roundTtl } from '../../../agents/trooper/rps/interval.ts';
import { type LeaseSeen, leaseIn, leaseMove } from '../../../agents/trooper/rps/lease.ts';
import { Player } from '../../../agents/trooper/rps/player.ts';
import { claimLease, publish } from '../../../agents/trooper/rps/publisher.ts';
import { NOTHING_SEEN, seeing, untilDue } from '../../../agents/trooper/rps/sight.ts';
import { BusError } from '../../../agents/world/bus-error.ts';
import { KEYS } from '../../../agents/world/keys.ts';
import type { TrooperRecord } from '../../../agents/world/values.ts';
import { MemoryBus } from '../../support/memory-bus.ts';

const AT = 1_700_000_000_000;
const round = (number: number, facts: Partial<Round> = {}): Round => ({
  round: number,
  term: 1,
  at: new Date(AT + number * 2000).toISOString(),
  choice: 'rock',
  from: 'world.1',
  task_id: 'leader',
  ...facts,
});
const rounds = (first: number, last: number): readonly Round[] =>
  Array.from({ length: last - first + 1 }, (_, index) => round(first + index));
const seated = (facts: Partial<TrooperRecord> = {}): TrooperRecord => ({
  ...vacant('me'),
  trooper: 't',
  last_round: round(4).at,
  ...facts,
});
const SEAT = { taskId: 'me', manages: false, sawNone: false };

describe('a round and a player', () => {
  it('each choice beats one, loses to one and draws with itself; stone is rock', () => {
    const table = CHOICES.map((mine) => CHOICES.map((theirs) => pointsOf(mine, theirs)));
    expect(table).toEqual([
      [0, -1, 1],
      [1, 0, -1],
      [-1, 1, 0],
    ]);
    expect(CHOICES.map((mine) => pointsOf(mine, 'stone'))).toEqual(CHOICES.map((mine) => pointsOf(mine, 'rock')));
  });

  it('what was missed is played, each round for one point at most, and nothing twice', () => {
    expect(played(seated(), rounds(2, 7), SEAT, () => 'paper')).toMatchObject({ score: 3, last_round: round(7).at });
    expect(played(seated(), rounds(2, 7), SEAT, () => 'scissors')).toMatchObject({ score: -3 });
    expect(played(seated(), rounds(1, 4), SEAT, () => 'paper')).toBeNull();
    expect(played(seated(), rounds(1, 3), SEAT, () => 'paper')).toBeNull();
    expect(played(seated(), [], SEAT, () => 'paper')).toBeNull();
  });

  it('who manages takes note of rounds and gets no points, and nobody plays a round of his own', () => {
    const noted = { score: 0, last_round: round(7).at };
    expect(played(seated(), rounds(2, 7), { ...SEAT, manages: true }, () => 'paper')).toMatchObject(noted);
    const mixed = [round(5, { task_id: 'me' }), round(6), round(7, { task_id: 'me' })];
    expect(played(seated(), mixed, SEAT, () => 'paper')).toMatchObject({ score: 1, last_round: round(7).at });
  });

  it('a recruit does not play what was published before it came, and plays the first round of a world', () => {
    const recruit = seated({ last_round: null });
    expect(played(recruit, rounds(1, 3), SEAT, () => 'paper')).toMatchObject({ score: 0, last_round: round(3).at });
    expect(played(recruit, rounds(1, 1), { ...SEAT, sawNone: true }, () => 'paper')).toMatchObject({ score: 1 });
  });

  it('a record that is not the task’s own, or is on its way elsewhere, is left alone', () => {
    const others = [
      null,
      seated({ task_id: 'other' }),
      seated({ trooper: null }),
      seated({ departing: 'snapshot' }),
      seated({ move: { from: 1, to: 2 } }),
    ];
    for (const record of others) expect(played(record, rounds(2, 7), SEAT, () => 'paper')).toBeNull();
  });

  it('a player at its bus: waits until it is in its seat, plays once, shows it by task, and catches up after leave', async () => {
    const bus = new MemoryBus();
    const player = new Player({ bus, service: 'world', slot: 2, taskId: 'me' }, () => 'paper');
    const key = KEYS.trooper('world', 2);
    const read = async () => JSON.parse((await bus.get(key)) ?? 'null') as TrooperRecord | null;
    await player.turn(rounds(1, 5), false);
    expect(await read()).toBeNull();
    await bus.set(key, JSON.stringify(seated()));
    await player.turn(rounds(1, 5), null);
    expect((await read())?.score).toBe(0);
    for (let turn = 0; turn < 3; turn += 1) await player.turn(rounds(1, 5), false);
    expect(await read()).toMatchObject({ score: 1, last_round: round(5).at });
    expect(await bus.get(KEYS.score('me'))).toBe('1');
    expect(await bus.get(KEYS.lastSeen('me'))).toBe(round(5).at);
    await bus.set(key, JSON.stringify(seated({ score: 1, last_round: round(5).at, departing: 's' })));
    await player.turn(rounds(1, 7), false);
    expect((await read())?.score).toBe(1);
    await bus.set(key, JSON.stringify(seated({ score: 1, last_round: round(5).at })));
    await player.turn(rounds(1, 8), false);
    expect((await read())?.score).toBe(4);
    await new Player({ bus, service: 'world', slot: 2, taskId: 'me' }).turn(rounds(1, 8), false);
    expect((await read())?.score).toBe(4);
  });
});

describe('the book of rounds', () => {
  it('shows the newest in the words of the original, and keeps the last ten', () => {
    const text = bookText(rounds(1, 14), 20);
    expect(JSON.parse(text)).toMatchObject({ choice: 'rock', from: 'world.1', at: round(14).at, publisher: 'leader-manager' });
    expect(bookIn(text)?.recent).toEqual(rounds(15 - ROUNDS_KEPT, 14));
    expect(bookIn(bookText([], 20))?.recent).toEqual([]);
    for (const odd of [null, '', 'x', '[]', '{}', '{"recent":[1],"ttl_seconds":20}']) expect(bookIn(odd)).toBeNull();
  });

  it('numbers and ids rise, whatever the clocks of publishers say', () => {
    expect(after(null, AT)).toEqual({ round: 1, at: new Date(AT).toISOString() });
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 * AT }), { minLength: 2 }), (clocks) => {
        const marks = clocks.reduce<{ round: number; at: string }[]>((all, ms) => [...all, after(all.at(-1) ?? null, ms)], []);
        for (const [index, mark] of marks.entries()) {
          expect(mark.round).toBe(index + 1);
          if (index > 0) expect(mark.at > marks[index - 1]!.at).toBe(true);
        }
      }),
    );
  });

  it('the interval is a whole number from 2 to 120, else 10, and a round is kept beyond the next one', () => {
    expect([null, '', 'x', '-3', '2.5', '1e3'].map(intervalIn)).toEqual([10, 10, 10, 10, 10, 10]);
    expect(['0', '1', '2', '77', '120', '500'].map(intervalIn)).toEqual([2, 2, 2, 77, 120, 120]);
    expect([2, 10, 11, 120].map(roundTtl)).toEqual([20, 20, 22, 240]);
  });
});

describe('what others have put where the rounds are', () => {
  const desk = (bus: MemoryBus) => ({ bus, taskId: 'me', taskName: 'world.1', service: 'world' });
  const edition = { isDue: true, intervalSeconds: 2, wallMs: () => AT, choose: () => 'rock' as const };
  const lease = { task_id: 'me', service: 'world', term: null, beat: 0 };
  const far = '+275760-09-13T00:00:00.000Z';
  const planted: readonly (readonly [key: string, value: unknown])[] = [
    ...['abc', '-1', '18446744073709551615'].map((count) => [KEYS.rpsTerm, count] as const),
    ...[far, '9999-12-31T23:59:59.999Z', 'then'].map((at) => [KEYS.rpsMark, { round: 5, at }] as const),
    [KEYS.rpsMark, { round: 1e308, at: round(1).at }],
    ...[{ at: far }, { term: 1e308 }, { round: 1e308 }].map(
      (facts) => [KEYS.rpsState, { recent: [round(1, facts)], ttl_seconds: 20 }] as const,
    ),
    [KEYS.rpsLease, { ...lease, beat: 1e308 }],
    [KEYS.rpsLease, { ...lease, term: 1e308 }],
  ];

  it.each(planted)('a round is published in spite of %s being %j', async (key, value) => {
    const bus = new StrictBus();
    await bus.set(KEYS.rpsLease, JSON.stringify(lease));
    await bus.set(key, typeof value === 'string' ? value : JSON.stringify(value));
    // As a trooper does at one turn after another: claims what nobody can read, opens the book, publishes.
    const published = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const text = await bus.get(KEYS.rpsLease);
      if (leaseIn(text) === null) await claimLease(desk(bus), text);
      const newest = bookIn(await bus.get(KEYS.rpsState))?.recent.at(-1);
      published.push(await publish(desk(bus), { ...edition, afterId: newest?.at ?? null }));
    }
    expect(published.slice(-2)).toEqual(['published', 'published']);
    expect(bookIn(await bus.get(KEYS.rpsState))?.recent.length).toBeGreaterThanOrEqual(2);
  });
});

/** Counts as memcached does, and as agents/world/bus.ts takes it. */
class StrictBus extends MemoryBus {
  override async increment(key: string, by: number, first: number): Promise<number> {
    const before = (await this.get(key)) ?? '0';
    if (!Number.isSafeInteger(by) || !/^[0-9]+$/.test(before)) throw new BusError('CLIENT_ERROR');
    if (!Number.isSafeInteger(Number(before) + by)) throw new BusError('the number has become too large');
    return super.increment(key, by, first);
  }
}

describe('when a round is due', () => {
  const glance = { id: null, beganMs: 100, endedMs: 120, wallMs: AT, intervalMs: 2000 };
  const idAgo = (ms: number): string => new Date(AT - ms).toISOString();

  it('counts from its id, but from no earlier than the look at which it was not there, and no later than now', () => {
    const before = { ...NOTHING_SEEN, id: idAgo(9000), bornMs: -500, lookedMs: 50 };
    const born = (ms: number) => seeing(before, { ...glance, id: idAgo(ms) }).bornMs;
    expect([born(30), born(5000), born(-600_000)]).toEqual([90, 50, 120]);
    expect(seeing(before, { ...glance, id: 'no time' }).bornMs).toBe(120);
    expect(untilDue(seeing(before, { ...glance, id: idAgo(30) }), 1000, 2000)).toBe(1090);
    expect(untilDue(seeing(before, { ...glance, id: idAgo(30) }), 2090, 2000)).toBe(0);
  });

  it('a newcomer believes the id for one interval at most, and knows that it has not seen it', () => {
    const born = (ms: number) => seeing(NOTHING_SEEN, { ...glance, id: idAgo(ms) });
    expect(born(500)).toMatchObject({ bornMs: -380, isWitnessed: false });
    expect(born(600_000).bornMs).toBe(-1880);
    expect(born(-600_000).bornMs).toBe(120);
    const seen = seeing(born(500), { ...glance, beganMs: 400, endedMs: 410, id: idAgo(5) });
    expect(seen).toMatchObject({ bornMs: 405, isWitnessed: true });
  });

  it('a round that is gone from the bus still keeps its distance, and where none was ever seen one is due', () => {
    const seen = seeing(NOTHING_SEEN, { ...glance, id: idAgo(500) });
    expect(seeing(seen, glance)).toMatchObject({ id: idAgo(500), bornMs: -380 });
    expect(untilDue(NOTHING_SEEN, 0, 2000)).toBe(0);
  });
});

describe('who takes the lease', () => {
  const lease = (taskId: string, service = 'world') => ({ task_id: taskId, service, term: 3, beat: 9 });
  const seen = (facts: Partial<LeaseSeen>): LeaseSeen => ({
    lease: null,
    looksBefore: 0,
    isDue: false,
    isWitness: true,
    taskId: 'me',
    service: 'world',
    manages: true,
    ...facts,
  });

  it('only who manages takes one; who has it keeps it, also while nobody knows who manages', () => {
    expect(leaseMove(seen({}))).toBe('claim');
    for (const manages of [false, null]) {
      expect(leaseMove(seen({ manages }))).toBe('wait');
      expect(leaseMove(seen({ manages, lease: lease('other') }))).toBe('wait');
      expect(leaseMove(seen({ manages, lease: lease('other', 'world-b'), looksBefore: 99 }))).toBe('wait');
      expect(leaseMove(seen({ manages, lease: lease('me') }))).toBe('renew');
    }
  });

  it('from its own service at once, if it knows when the next round is due', () => {
    expect(leaseMove(seen({ lease: lease('other') }))).toBe('claim');
    expect(leaseMove(seen({ lease: lease('other'), isWitness: false }))).toBe('wait');
    expect(leaseMove(seen({ lease: lease('other'), isWitness: false, looksBefore: 4 }))).toBe('claim');
  });

  it('from another service only when it is left behind, sooner while a round is due', () => {
    const other = lease('other', 'world-b');
    const moves = (isDue: boolean) => [1, 2, 3, 4].map((looksBefore) => leaseMove(seen({ lease: other, looksBefore, isDue })));
    expect(moves(false)).toEqual(['wait', 'wait', 'wait', 'claim']);
    expect(moves(true)).toEqual(['wait', 'claim', 'claim', 'claim']);
  });
});
