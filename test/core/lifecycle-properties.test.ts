import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Life, action, coverage } from './life.ts';
import { STATE_KEYS } from './lifecycle-rows.ts';
import { TABLE } from './lifecycle-table.ts';

/** Whole lives of agents: {@link Life} checks the promises after every step. Prints its seed; FC_SEED runs it again. */
const SEED = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const EVENTS = Object.keys(TABLE.sleeping);

describe('whole lives of agents', () => {
  for (const kind of ['on-demand', 'always-on'] as const) {
    it(`A B C D H N O P: an ${kind} agent keeps its promises whatever callers, operators and the engine do (FC_SEED=${SEED})`, () => {
      fc.assert(
        fc.property(fc.array(action, { minLength: 20, maxLength: 120 }), (actions) => {
          const life = new Life(kind);
          for (const one of actions) life.do(one);
        }),
        { seed: SEED, numRuns: kind === 'on-demand' ? 12_000 : 2500 },
      );
    });
  }

  it('visits every cell of the table at least 100 times', () => {
    const thin = STATE_KEYS.flatMap((state) => EVENTS.map((event) => `${state} ${event}`)).filter(
      (cell) => (coverage.get(cell) ?? 0) < 100,
    );
    expect(thin).toEqual([]);
  });
});

afterAll(() => {
  const rows = [...coverage].sort(([a], [b]) => (a < b ? -1 : 1)).map(([cell, count]) => `${cell}: ${count}`);
  console.log(`coverage by cell, seed ${SEED}\n${rows.join('\n')}`);
});
