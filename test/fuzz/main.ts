import { runAnswers, runRequests } from './runs.ts';

/**
 * `npm run fuzz`: our parser of answers against llhttp, and the front against llhttp on both of its sides. FUZZ_RESPONSES and
 * FUZZ_REQUESTS say how many (50,000 each), FUZZ_SEED which; FUZZ_ANSWER or FUZZ_CONVERSATION runs one of them alone. Both
 * are plain loops: a case hangs on the seed and its number, and a conversation besides on the connections to the agent that
 * those before it have left.
 */
const number = (name: string, otherwise: number): number => {
  const text = process.env[name];
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is a number of 0 or more, not ${JSON.stringify(text)}`);
  return value;
};
const seed = number('FUZZ_SEED', Math.floor(Math.random() * 2 ** 31));
const answer = number('FUZZ_ANSWER', -1);
const conversation = number('FUZZ_CONVERSATION', -1);
const isOne = answer !== -1 || conversation !== -1;

const runs = [];
if (answer !== -1) runs.push(() => runAnswers(seed, answer, answer + 1));
if (!isOne) runs.push(() => runAnswers(seed, 0, number('FUZZ_RESPONSES', 50_000)));
if (conversation !== -1) runs.push(() => runRequests(seed, 1, conversation));
if (!isOne) runs.push(() => runRequests(seed, number('FUZZ_REQUESTS', 50_000), null));

for (const run of runs) {
  const started = performance.now();
  const { report, failures } = await run();
  for (const failure of failures) console.log(failure);
  console.log(`${report.join('\n')}\n${String(Math.round((performance.now() - started) / 1000)).padStart(8)}  seconds`);
  if (failures.length > 0) process.exitCode = 1;
}
