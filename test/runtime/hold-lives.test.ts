import { expect, test } from 'vitest';
import type { Hostname } from '../../src/contract/hostname.ts';
import type { Held, Work } from '../../src/runtime/traffic.ts';
import { type Prng, prng } from '../../src/std/prng.ts';
import { type House, house } from './harness.ts';

/** Days of callers who wait, with an engine and an operator of moods. Prints its seed; FC_SEED runs the same days again. */
const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const DAYS = 15;
const TURNS = 120;
const MAX_WAIT_MS = 2000;
const MOST = 6;

interface Caller {
  readonly name: string;
  readonly since: number;
  /** Which caller of this agent it is. */
  readonly number: number;
  held: Held | null;
  told: string | null;
  hasLeft: boolean;
}

class Day {
  readonly callers: Caller[] = [];
  readonly works: Work[] = [];
  private readonly lastServed = new Map<string, number>();
  private readonly open: House;
  private readonly random: Prng;

  constructor(open: House, random: Prng) {
    this.open = open;
    this.random = random;
  }

  private any<T>(of: readonly T[]): T {
    return of[this.random.below(of.length)]!;
  }

  private call(name: string): void {
    const { open } = this;
    const caller: Caller = { name, since: open.clock.now(), number: this.callers.length, held: null, told: null, hasLeft: false };
    const destination = open.fleet.lookup(`${name}.test` as Hostname);
    if (destination === null) return;
    const admission = destination.admit('request', () => undefined);
    if (admission.kind === 'admitted') this.works.push(admission.work);
    if (admission.kind !== 'asleep') return;
    let isAsked = false;
    const asked = destination.hold(
      'request',
      null,
      {
        settled: (settled) => {
          // Once, later, and never to somebody who has left.
          expect([isAsked, caller.told, caller.hasLeft]).toEqual([true, null, false]);
          caller.told = settled.kind;
          expect(open.clock.now() - caller.since).toBeLessThanOrEqual(MAX_WAIT_MS);
          if (settled.kind !== 'admitted') return;
          this.works.push(settled.work);
          expect(caller.number).toBeGreaterThan(this.lastServed.get(name) ?? -1);
          this.lastServed.set(name, caller.number);
        },
      },
      () => undefined,
    );
    isAsked = true;
    if (asked.kind === 'admitted') this.works.push(asked.work);
    if (asked.kind !== 'held') return;
    caller.held = asked;
    this.callers.push(caller);
  }

  get waiting(): readonly Caller[] {
    return this.callers.filter(({ told, hasLeft }) => told === null && !hasLeft);
  }

  async turn(names: readonly string[]): Promise<void> {
    const { open, random } = this;
    const name = this.any(names);
    switch (random.below(12)) {
      case 0: {
        const leaving = this.waiting.at(random.below(Math.max(1, this.waiting.length)));
        if (leaving === undefined) break;
        leaving.hasLeft = true;
        leaving.held?.leave();
        break;
      }
      case 1:
        open.control.sleep(name, { force: random.below(2) === 0 });
        break;
      case 2:
        open.engine.scriptStart(name, random.below(2) === 0 ? { exits: 'exit code 3' } : { startMs: random.below(3000) });
        break;
      case 3:
        open.engine.failNext(
          this.any(['scale', 'freeze', 'thaw', 'observe'] as const),
          this.any(['refused', 'unavailable'] as const),
        );
        break;
      case 4:
        open.probe.wellness = this.any(['well', 'well', 'ill', 'hangs'] as const);
        break;
      case 5:
        for (const work of this.works.splice(0)) work.end();
        break;
      default:
        for (let more = random.below(4); more >= 0; more -= 1) this.call(name);
    }
    await open.clock.advance(this.any([0, 1, 7, 50, 400, 1500]));
    this.check(names);
  }

  check(names: readonly string[]): void {
    const { open } = this;
    const held = names.map((name) => open.runner(name).holds.size);
    expect(open.fleet.heldInAll.count).toBe(this.waiting.length);
    expect(held.reduce((sum, count) => sum + count, 0)).toBe(this.waiting.length);
    expect(Math.max(...held)).toBeLessThanOrEqual(MOST);
    expect(this.waiting.length).toBeLessThanOrEqual(2 * MOST - 2);
    for (const { since } of this.waiting) expect(open.clock.now() - since).toBeLessThan(MAX_WAIT_MS);
  }
}

test(`L: every caller who waits is settled once, in order of arrival and in time, on ${DAYS} days of all sorts (FC_SEED=${SEED})`, async () => {
  const random = prng(SEED);
  const ends = new Map<string, number>();
  for (let day = 0; day < DAYS; day += 1) {
    const agent = {
      idle: { timeout: '1s', freeze_after: random.below(2) === 0 ? '300ms' : null, min_awake: '100ms', drain_timeout: '1s' },
      hold: { max_wait: `${MAX_WAIT_MS}ms`, max_requests: MOST },
      health: { startup_timeout: '1500ms', check_interval: '500ms', timeout: '200ms' },
    };
    const names = ['kai', 'lea', 'mia'];
    const file = { hold_max_requests: 2 * MOST - 2, max_ready_agents: random.below(3) };
    const open = await house({ agents: Object.fromEntries(names.map((name) => [name, agent])), file });
    const life = new Day(open, random);
    for (let turn = 0; turn < TURNS; turn += 1) await life.turn(names);
    await open.clock.advance(MAX_WAIT_MS);
    expect(life.waiting).toEqual([]);
    life.check(names);
    for (const { told, hasLeft } of life.callers) {
      const end = hasLeft ? 'left' : (told ?? '');
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    for (const work of life.works) work.end();
    await open.close();
  }
  console.log(`seed ${SEED}: ${[...ends].map(([end, count]) => `${count} ${end}`).join(', ')}`);
  for (const end of ['admitted', 'asleep', 'refused', 'left']) expect(ends.get(end) ?? 0).toBeGreaterThan(20);
});
