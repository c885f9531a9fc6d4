import { describe, expect, it } from 'vitest';
import { Bench } from '../proxy/support/bench.ts';
import type { Admitted, OpenFront } from './front.ts';
import { PAYLOADS } from './payloads.ts';
import { withstandPostFaults } from './posts.ts';
import { withstandResets } from './resets.ts';
import { withstandSmuggling } from './smuggling.ts';

/** Small numbers of what `npm run withstand` does to the real daemon, at the public port alone. */
const openBench: OpenFront = async (backends) => {
  const bench = await Bench.open();
  for (const [name, address] of Object.entries(backends)) bench.addAgent(name, address);
  return {
    address: bench.address,
    get admitted() {
      const ended = bench.log.lines.filter(({ message }) => message === 'request ended');
      return new Map(ended.map(({ facts }) => [String(facts['requestId']), facts as unknown as Admitted]));
    },
    ended: () => null,
    close: () => bench.close(),
  };
};

const SEED = Date.now() % 1_000_000;

describe(`the public port withstands (seed ${SEED})`, () => {
  it('60 agents that break off at random bytes: nobody takes what came for the whole, and no byte is wrong', async () => {
    const { shownAsSuccess, wrongBytes, others, bodyBytes } = await withstandResets(openBench, 60, SEED);
    expect({ shownAsSuccess, wrongBytes, others }).toEqual({ shownAsSuccess: [], wrongBytes: [], others: [] });
    expect(bodyBytes).toBeGreaterThan(0);
  });

  it('64 faults on POST: none is carried out twice, and each has its answer', async () => {
    const { twice, others, executed } = await withstandPostFaults(openBench, 64, SEED);
    expect({ twice, others }).toEqual({ twice: [], others: [] });
    expect(executed['once']).toBeGreaterThan(0);
  });

  it(`${PAYLOADS.length} smuggling payloads: an agent sees no request that was not admitted`, async () => {
    const { extra, ambiguous, poisoned, crashes, requests } = await withstandSmuggling(openBench);
    expect({ extra, ambiguous, poisoned, crashes }).toEqual({ extra: [], ambiguous: [], poisoned: [], crashes: [] });
    expect(requests).toBeGreaterThan(PAYLOADS.length);
  });
});
