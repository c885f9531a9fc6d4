import { expect, test } from 'vitest';
import { readText } from '../house/tree.ts';
import { FUZZED } from '../support/lengths.ts';
import { ANSWER_REFUSALS } from './answer-refusals.ts';
import { runAnswers, runRequests } from './runs.ts';

/** A short run of what `npm run fuzz` does at length. FUZZ_SEED runs the same again. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(`an answer that is taken is read as llhttp reads it, and what llhttp refuses is refused (FUZZ_SEED=${SEED})`, () => {
  const { report, failures, tried, accepted } = runAnswers(SEED, 0, FUZZED.answers);
  console.log(report.join('\n'));
  expect(failures).toEqual([]);
  // Nonsense alone would prove little.
  expect(accepted / tried).toBeGreaterThan(0.3);
});

test(`what reaches the agent is what was admitted, and that is what the client sent (FUZZ_SEED=${SEED})`, async () => {
  const { report, failures, figures, reached } = await runRequests(SEED, FUZZED.requests, null);
  console.log(report.join('\n'));
  expect(failures).toEqual([]);
  expect(reached).toBeGreaterThan(figures.sent / 5);
});

test('every fault of the parser is on the list of what is refused, with its rule, and nothing else is', () => {
  const sources = ['response-head', 'chunked', 'response-parser']
    .map((name) => readText(`src/proxy/upstream/${name}.ts`))
    .join('');
  const faults = [...sources.matchAll(/(?:fault: |broken\()'([^']+)'/g)].map((match) => match[1]!);
  expect(faults.length).toBeGreaterThan(15);
  expect(new Set(ANSWER_REFUSALS.map(({ fault }) => fault))).toEqual(new Set(faults));
});

test('docs/http.md shows that list', () => {
  const page = readText('docs/http.md');
  const missing = ANSWER_REFUSALS.map(({ what, rule, isIn }) => `| ${what} | ${rule} | ${isIn === null ? 'yes' : 'no'} |`);
  expect(missing.filter((row) => !page.includes(row))).toEqual([]);
});
