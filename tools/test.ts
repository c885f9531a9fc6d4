import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { endLeftovers, marked, newMark } from './leftovers.ts';
import { type Count, type Report, count } from './test-count.ts';

/**
 * `npm test`: every suite, or those that are named. It ends with one line that adds them up, and nothing is skipped in
 * silence: what did not run, and what still runs when all is over, counts as failed.
 *
 * Suites that mostly wait share the time: the lanes of a stage run beside each other, the suites of a lane one after another.
 * `unit`, which computes, has the machine to itself. Two lanes wait for a Swarm, each for one of its own, and the third takes
 * what CPU they leave: managers that hear nothing of each other for seconds elect another, and nothing in the third minds.
 */
const STAGES = [[['unit']], [['swarm'], ['stack', 'two-nodes'], ['blackbox', 'prometheus', 'browser', 'world']]] as const;
type Suite = (typeof STAGES)[number][number][number];
const SUITES: readonly Suite[] = STAGES.flat(2);
/** What a suite is run by, where vitest alone will not do. */
const LAB = ['node', 'test/lab/run.ts', '--'] as const;
const YIELDING = ['nice', '-n', '5'] as const;
const WRAPPERS: Readonly<Record<Suite, readonly string[]>> = {
  unit: [],
  ...{ swarm: LAB, stack: LAB, 'two-nodes': LAB },
  ...{ blackbox: YIELDING, prometheus: YIELDING, browser: YIELDING, world: YIELDING },
};
const RESULTS = '.test-results';

/** Test files lie in test/<suite>/; those in any other folder are of the suite `unit`. */
function filesOf(suite: Suite): readonly string[] {
  const owner = (folder: string): Suite => SUITES.find((name) => name === folder) ?? 'unit';
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && owner(path.split('/')[0] ?? '') === suite)
    .map((path) => resolve('test', path))
    .sort();
}

/** What was written is shown when the suite is over where others run beside it: two at once could not be read. */
async function run(suite: Suite, mark: string, alone: boolean): Promise<Count> {
  const reportFile = join(RESULTS, `${suite}.json`);
  rmSync(reportFile, { force: true });
  const vitest = [
    'vitest',
    'run',
    `--project=${suite}`,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
  ];
  const exitCode = await new Promise<number | null>((resolved, rejected) => {
    const wrapper = WRAPPERS[suite];
    const [program = '', ...args] = [...wrapper, ...vitest];
    // The channel closes when this process ends, in whatever way, and the lab ends then too. Vitest gets none: it would take
    // itself for one of its own workers.
    const channel = wrapper === LAB ? 'ipc' : 'ignore';
    const output = alone ? 'inherit' : 'pipe';
    const child = spawn(program, args, { stdio: ['ignore', output, output, channel], env: marked(mark) });
    const written: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => written.push(chunk));
    child.on('error', rejected);
    child.on('close', (code) => {
      process.stdout.write(Buffer.concat(written));
      resolved(code);
    });
  });
  return count({ suite, report: read(reportFile), files: filesOf(suite), exitCode });
}

function read(reportFile: string): Report | null {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8')) as Report;
  } catch {
    return null;
  }
}

const named = process.argv.slice(2);
const unknown = named.filter((name) => !(SUITES as readonly string[]).includes(name));
if (unknown.length > 0) {
  console.error(`There is no suite ${unknown.join(', ')}; there are ${SUITES.join(', ')}.`);
  process.exit(2);
}
mkdirSync(RESULTS, { recursive: true });

const mark = newMark();
const counts: Count[] = [];
for (const stage of STAGES) {
  const lanes = stage.map((lane) => lane.filter((suite) => named.length === 0 || named.includes(suite)));
  const alone = lanes.filter(({ length }) => length > 0).length === 1;
  await Promise.all(
    lanes.map(async (lane) => {
      for (const suite of lane) {
        if (!alone) console.log(`${suite} began; what it writes follows when it is over`);
        counts.push(await run(suite, mark, alone));
      }
    }),
  );
}
const left = await endLeftovers(mark);
if (left === null) console.log('Processes left behind were not looked for: this system has no /proc.');
const strays = (left ?? []).map(({ pid, command }) => `A process was left behind, and is ended now: ${pid} ${command}`);
counts.push({ passed: 0, failed: strays.length, complaints: strays });

for (const { complaints } of counts) for (const complaint of complaints) console.log(complaint);
const passed = counts.reduce((sum, each) => sum + each.passed, 0);
const failed = counts.reduce((sum, each) => sum + each.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
