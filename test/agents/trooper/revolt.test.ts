import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type SourceHandoff, isClosed } from '../../../agents/trooper/revolt/handoff.ts';
import { TwoRacks } from './revolt-rig.ts';

const RUNS = 5000;

// Most of it goes well, or no handoff would get far enough to be broken.
const deed = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('tick source', 'tick target') },
  { weight: 16, arbitrary: fc.record({ what: fc.constant('deliver'), which: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('double', 'lose'), which: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('take', 'take', 'take', 'replace'), which: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constantFrom('source forgets', 'target forgets', 'sweep') },
);
const step = fc.record({
  deed,
  dies: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(2) }),
  passes: fc.oneof({ weight: 60, arbitrary: fc.nat(200) }, { weight: 1, arbitrary: fc.nat(40_000) }),
});

function perform(racks: TwoRacks, what: unknown): void {
  if (what === 'tick source') return racks.tickSource();
  if (what === 'tick target') return racks.tickTarget();
  if (what === 'sweep') return racks.sweep();
  // Memcached starts anew; troopers write their seats back, so what is lost is the handoffs.
  if (what === 'source forgets') return void (racks.source.bus = null);
  if (what === 'target forgets') return void (racks.target.bus = null);
  const { what: kind, which } = what as { readonly what: string; readonly which: number };
  if (kind === 'take') return racks.take(which);
  if (kind === 'replace') return racks.replace(which);
  const index = racks.messages.length === 0 ? -1 : which % racks.messages.length;
  const message = racks.messages[index];
  if (message === undefined) return;
  if (kind !== 'double') racks.messages.splice(index, 1);
  if (kind !== 'lose') racks.deliver(message);
}

/** Nobody dies any more, and messages arrive. */
function untilQuiet(racks: TwoRacks): void {
  for (let turn = 0; turn < 200; turn += 1) {
    racks.now += 500;
    racks.tickSource();
    racks.tickTarget();
    racks.take(0);
    racks.take(1);
    for (let count = 0; racks.messages.length > 0 && count < 100; count += 1) racks.deliver(racks.messages.shift()!);
    racks.sweep();
  }
}

const isOver = (handoff: SourceHandoff | TwoRacks['target']['bus']): boolean => handoff === null || isClosed(handoff);

it('whatever is lost, doubled or late, whoever dies at whatever write, the trooper ends on exactly one rack', () => {
  let runs = 0;
  let moved = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
      const racks = new TwoRacks();
      for (const { deed: what, dies, passes } of steps) {
        racks.now += passes;
        racks.dying(dies, () => perform(racks, what));
        // At every moment, not only in the end: somebody has it, and nobody has it twice.
        expect(racks.away.filter(Boolean).length).toBeLessThanOrEqual(1);
      }
      untilQuiet(racks);
      const there = racks.away.filter(Boolean).length;
      expect((racks.home === null ? 0 : 1) + there).toBe(1);
      expect(racks.home?.departing ?? false).toBe(false);
      expect([isOver(racks.source.bus), isOver(racks.target.bus)]).toEqual([true, true]);
      runs += 1;
      moved += there;
    }),
    { numRuns: RUNS },
  );
  console.log(`handoffs between two racks: ${runs} runs, ${moved} went over, 0 lost, 0 doubled`);
  // Enough of both, or the net would be too coarse.
  expect(Math.min(moved, runs - moved)).toBeGreaterThan(RUNS / 20);
});
