import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Bus, connectBus } from '../../agents/world/bus.ts';
import { Memcached } from '../support/memcached.ts';
import { MemoryBus } from '../support/memory-bus.ts';

const key = fc.constantFrom('a', 'b');
const value = fc.constantFrom('', '1', 'ä');
type Ask = (bus: Bus, seen: ReadonlyMap<string, string>) => Promise<unknown>;
const ask: fc.Arbitrary<{ readonly said: string; readonly ask: Ask }> = fc
  .tuple(fc.constantFrom('get', 'getMany', 'gets', 'set', 'add', 'cas', 'delete'), key, value)
  .map(([call, k, v]) => ({ said: `${call} ${k} ${JSON.stringify(v)}`, ask: askFor(call, k, v) }));

function askFor(call: string, k: string, v: string): Ask {
  if (call === 'get') return (bus) => bus.get(k);
  if (call === 'getMany') return async (bus) => [...(await bus.getMany(['a', 'b']))];
  if (call === 'gets') return async (bus) => (await bus.gets(k))?.value ?? null;
  if (call === 'set') return (bus) => bus.set(k, v, 0);
  if (call === 'add') return (bus) => bus.add(k, v, 0);
  if (call === 'delete') return (bus) => bus.delete(k);
  return (bus, seen) => bus.cas(k, v, 0, seen.get(k) ?? '99999999');
}

it('the bus of the unit tests answers as memcached does, whatever is asked in whatever order', async () => {
  await using memcached = await Memcached.start();
  const real = connectBus(memcached.place);
  const run = async (bus: Bus, asks: readonly { readonly ask: Ask }[]): Promise<readonly unknown[]> => {
    for (const name of ['a', 'b']) await bus.delete(name);
    const seen = new Map<string, string>();
    const answers: unknown[] = [];
    for (const [index, { ask: one }] of asks.entries()) {
      // Versions are looked at now and then, so that some are stale when they are used.
      if (index % 3 === 0) for (const name of ['a', 'b']) seen.set(name, (await bus.gets(name))?.version ?? '99999999');
      answers.push(await one(bus, seen));
    }
    return answers;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(ask, { maxLength: 20 }), async (asks) => {
      expect(await run(new MemoryBus(), asks)).toEqual(await run(real, asks));
    }),
    { numRuns: 200 },
  );
  real.close();
});
