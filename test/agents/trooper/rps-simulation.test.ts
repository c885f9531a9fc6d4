import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAULTS, type Fault, type Plan, RpsWorld, TARGETS } from './rps-world.ts';

const fault: fc.Arbitrary<Fault> = fc
  .record({
    target: fc.constantFrom(...TARGETS),
    nth: fc.nat({ max: 1000 }),
    kind: fc.constantFrom(...FAULTS),
    ms: fc.oneof(fc.nat({ max: 400 }), fc.nat({ max: 4000 }), fc.nat({ max: 30_000 })),
  })
  // Of what is written seldom the first few calls are the only ones.
  .map((each) => ({ ...each, nth: each.target === 'term' ? each.nth % 8 : each.target === 'any' ? each.nth : each.nth % 40 }));
const plan: fc.Arbitrary<Plan> = fc.record({
  seed: fc.nat(),
  faults: fc.array(fault, { maxLength: 25 }),
  intervalSeconds: fc.constantFrom(2, 3),
  skewMs: fc.constantFrom(0, 0, 1500, 600_000),
});

const PER_FURTHER_FAULT_MS = 800;
const RUN_MS = 40_000;
const RUNS = 40;

describe('publishers of two services that stall anywhere, lose the bus and die', () => {
  it('publish no round twice, in terms that never fall, and leave no gap while one of them is well', async () => {
    const seen = { publications: 0, terms: 0, unchecked: 0, checked: 0, longestGap: 0, deaths: 0 };
    await fc.assert(
      fc.asyncProperty(plan, async (plan) => {
        const world = new RpsWorld(plan, 2);
        await world.run(RUN_MS);
        const { publications } = world;
        const intervalMs = plan.intervalSeconds * 1000;
        const numbers = publications.map(({ round }) => round);
        expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(new Set(publications.map(({ at }) => at)).size).toBe(numbers.length);
        for (const [index, next] of publications.entries()) {
          const before = publications[index - 1];
          if (before === undefined) continue;
          expect(next.term).toBeGreaterThanOrEqual(before.term);
          expect(next.at > before.at).toBe(true);
          if (plan.skewMs === 0) expect(Date.parse(next.at) - Date.parse(before.at)).toBeGreaterThanOrEqual(intervalMs - 1);
          if (next.term > before.term) seen.terms += 1;
        }
        const times = [...publications.map(({ seenMs }) => seenMs), RUN_MS];
        for (const [index, time] of times.entries()) {
          const before = times[index - 1] ?? 0;
          if (world.hadHealthyManager(before, time)) {
            seen.checked += 1;
            // Each holder that fails is given up after some looks; two intervals have room for two of them.
            const roomMs = Math.max(0, world.faultsBetween(before, time) - 2) * PER_FURTHER_FAULT_MS;
            expect(time - before).toBeLessThanOrEqual(2 * intervalMs + roomMs);
            seen.longestGap = Math.max(seen.longestGap, (time - before) / intervalMs);
          } else seen.unchecked += 1;
        }
        seen.publications += publications.length;
        seen.deaths += world.tasks.filter(({ alive }) => !alive).length;
      }),
      { numRuns: RUNS },
    );
    console.info(seen);
  }, 60_000);
});
