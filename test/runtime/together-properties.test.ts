import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { plot } from './together-acts.ts';
import { Together } from './together.ts';
import { coverage, lookOn, wrapRunners } from './together-watch.ts';

/**
 * No interleaving breaks a promise: {@link Together} checks them after every act. Prints its seed; FC_SEED runs it again, and
 * FC_RUNS says how many runs.
 */
const SEED = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = Number(process.env['FC_RUNS'] ?? 200);

describe('agents together', () => {
  let unwrap: () => void;
  const seen = { acts: 0, served: 0, frozen: 0, evictions: 0 };
  beforeAll(() => void (unwrap = wrapRunners()));
  afterAll(() => {
    lookOn(null);
    unwrap();
    const rows = [...coverage].sort(([a], [b]) => (a < b ? -1 : 1)).map(([cell, count]) => `${cell}: ${count}`);
    console.log(`${RUNS} runs, seed ${SEED}: ${JSON.stringify(seen)}\ncoverage by cell\n${rows.join('\n')}`);
  });

  it(`A B C D H L M N O P Q: no interleaving breaks a promise (FC_SEED=${SEED} FC_RUNS=${RUNS})`, async () => {
    await fc.assert(
      fc.asyncProperty(plot, async (told) => {
        const together = new Together(told);
        await together.open();
        for (const act of told.acts) await together.do(act);
        await together.settleDown();
        seen.acts += told.acts.length;
        seen.served += together.served;
        seen.frozen += together.promises.frozen;
        seen.evictions += together.promises.evictions;
      }),
      { seed: SEED, numRuns: RUNS },
    );
  }, 3_600_000);
});
