import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

/**
 * `npm run check`: everything that can be known without running the daemon. All steps run even when one fails, so that one
 * run tells all; only the output of those that failed is printed, since what is well needs no words.
 */
interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const CACHE = 'node_modules/.cache';

// The slowest first: the others fit beside it. Each keeps what it found last time and looks again at what has changed since.
// For the linter that is not all: a file that stayed the same may be wrong since a type elsewhere changed. The compiler sees
// most of that, and a clean clone, as CI has it, the rest.
const STEPS: readonly Step[] = [
  {
    name: 'lint',
    command: ['eslint', '--max-warnings=0', '--cache', '--cache-strategy=content', `--cache-location=${CACHE}/eslint/`, '.'],
  },
  { name: 'types', command: ['tsc', '--project', '.', '--incremental', '--tsBuildInfoFile', `${CACHE}/check.tsbuildinfo`] },
  // The page runs in a browser, so it is checked against what one has.
  {
    name: 'types of the page',
    command: ['tsc', '--project', 'agents/trooper/page/src', '--incremental', '--tsBuildInfoFile', `${CACHE}/page.tsbuildinfo`],
  },
  { name: 'format', command: ['prettier', '--check', '--log-level=warn', '--cache', '--cache-strategy=content', '.'] },
  { name: 'rooms', command: ['node', 'tools/check-rooms.ts'] },
  { name: 'docs', command: ['node', 'tools/docs.ts', '--check'] },
  { name: 'house style', command: ['vitest', 'run', '--project=unit', 'test/house'] },
];

/** Resolves with everything the step wrote, in order; null when it ended well. */
function run({ command: [program = '', ...args] }: Step): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const written: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => written.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => written.push(chunk));
    child.on('error', (error) => {
      resolve(`${error.message}\nRun it through npm, which puts the tools on the path: npm run check\n`);
    });
    child.on('close', (code) => {
      resolve(code === 0 ? null : Buffer.concat(written).toString());
    });
  });
}

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const began = performance.now();
const waiting = [...STEPS];
const failed: string[] = [];
async function work(): Promise<void> {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    const start = performance.now();
    const output = await run(step);
    console.log(`${output === null ? 'ok    ' : 'FAILED'}  ${step.name} (${seconds(start)})`);
    if (output === null) continue;
    failed.push(step.name);
    process.stdout.write(`\n${output}\n`);
  }
}
await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work));

console.log(failed.length === 0 ? `all well (${seconds(began)})` : `not well: ${failed.join(', ')} (${seconds(began)})`);
process.exitCode = failed.length === 0 ? 0 : 1;
