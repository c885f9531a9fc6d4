import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bag } from '../../src/std/bag.ts';

/** What comes and goes with every request is kept in one of these. */
const member = (name: number): { readonly name: number; place: number } => ({ name, place: -1 });

test('it holds what a Set would hold, in whatever order members come, come again and go', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (acts) => {
      const members = Array.from({ length: 10 }, (_, name) => member(name));
      const bag = new Bag<(typeof members)[number]>();
      const set = new Set<(typeof members)[number]>();
      for (const [comes, which] of acts) {
        const one = members[which]!;
        for (const either of [bag, set]) {
          if (comes) either.add(one);
          else either.delete(one);
        }
        expect(bag.size).toBe(set.size);
      }
      for (const one of members) expect(bag.has(one)).toBe(set.has(one));
      expect([...bag].map(({ name }) => name).sort()).toEqual([...set].map(({ name }) => name).sort());
    }),
  );
});

test('members may go while they are walked, and those who stay are all met', () => {
  const members = Array.from({ length: 6 }, (_, name) => member(name));
  const bag = new Bag<(typeof members)[number]>();
  for (const one of members) bag.add(one);
  const met = new Set<number>();
  for (const one of bag) {
    met.add(one.name);
    if (one.name === 4) for (const gone of [members[0]!, members[4]!, members[5]!]) bag.delete(gone);
  }
  expect([1, 2, 3].every((name) => met.has(name))).toBe(true);
  expect(bag.size).toBe(3);
});
