import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { endLeftovers, marked, newMark } from './leftovers.ts';
import type { Report } from './test-count.ts';

/**
 * `npm run breaks`: does each promise have a test that notices when it is broken? test/breaks/<letter>.patch breaks one, and
 * its first line names the test that proves it:
 *
 *     # test: test/core/wake.test.ts :: A: any number of requests order one start
 *
 * In a scratch copy the test has to pass, and with the patch it has to fail: as a test, not by failing to load.
 */
interface Break {
  readonly letter: string;
  readonly patch: string;
  readonly file: string;
  /** Part of the test's full name. */
  readonly title: string;
}

const FOLDER = 'test/breaks';
const HEADER = /^# test: (?<file>\S+) :: (?<title>.+)$/;
/** What is not copied: results, and the packages, which are linked to. */
const LEFT_OUT = new Set(['.git', '.reveille', '.test-results', 'coverage', 'dist', 'node_modules']);
const RUN_MAX_MS = 180_000;

function readBreak(name: string): Break {
  const patch = resolve(FOLDER, name);
  const [first = ''] = readFileSync(patch, 'utf8').split('\n');
  const { file, title } = HEADER.exec(first)?.groups ?? {};
  if (file === undefined || title === undefined) throw new Error(`${name} does not begin with "# test: <file> :: <title>"`);
  return { letter: basename(name, '.patch'), patch, file, title: title.trim() };
}

function makeScratch(): string {
  const scratch = mkdtempSync(join(tmpdir(), 'reveille-breaks-'));
  cpSync('.', scratch, { recursive: true, filter: (source) => !LEFT_OUT.has(relative('.', source)) });
  symlinkSync(resolve('node_modules'), join(scratch, 'node_modules'), 'dir');
  return scratch;
}

type Outcome = 'passes' | 'fails' | 'does not load' | 'is not there';

async function run(scratch: string, { file, title }: Break): Promise<Outcome> {
  const mark = newMark();
  const report = join(scratch, 'breaks-report.json');
  rmSync(report, { force: true });
  const pattern = title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  spawnSync('vitest', ['run', file, '--testNamePattern', pattern, '--reporter=json', `--outputFile=${report}`], {
    cwd: scratch,
    env: marked(mark),
    stdio: 'ignore',
    timeout: RUN_MAX_MS,
    killSignal: 'SIGKILL',
  });
  // A broken daemon may well leave agents behind.
  await endLeftovers(mark);
  return outcomeOf(report);
}

function outcomeOf(report: string): Outcome {
  let results: Report['testResults'];
  try {
    results = (JSON.parse(readFileSync(report, 'utf8')) as Report).testResults;
  } catch {
    return 'does not load';
  }
  const statuses = results.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
  if (statuses.includes('failed')) return 'fails';
  if (statuses.includes('passed')) return 'passes';
  return results.some(({ status }) => status === 'failed') ? 'does not load' : 'is not there';
}

const git = (scratch: string, ...args: readonly string[]) =>
  spawnSync('git', ['apply', ...args], {
    cwd: scratch,
    encoding: 'utf8',
    env: { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() },
  });

/** Null when the break is noticed, else what is wrong. */
async function judge(scratch: string, each: Break): Promise<string | null> {
  const without = await run(scratch, each);
  if (without !== 'passes') return `without the patch the test ${without}`;
  const applied = git(scratch, each.patch);
  if (applied.status !== 0) return `the patch does not apply: ${applied.stderr.trim().split('\n')[0] ?? ''}`;
  const broken = await run(scratch, each);
  const reverted = git(scratch, '--reverse', each.patch);
  if (reverted.status !== 0) throw new Error(`${each.patch} could not be taken back: ${reverted.stderr}`);
  return broken === 'fails' ? null : `with the patch the test ${broken}`;
}

const wanted = process.argv.slice(2);
const breaks = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.patch'))
  .sort()
  .map(readBreak)
  .filter(({ letter }) => wanted.length === 0 || wanted.includes(letter));
if (breaks.length === 0) throw new Error(`there is no such patch in ${FOLDER}`);

const scratch = makeScratch();
let unnoticed = 0;
try {
  for (const each of breaks) {
    const wrong = await judge(scratch, each);
    if (wrong !== null) unnoticed += 1;
    console.log(`${each.letter.padEnd(4)}${wrong === null ? 'noticed  ' : 'UNNOTICED'}  ${each.file} :: ${each.title}`);
    if (wrong !== null) console.log(`    ${wrong}`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${breaks.length - unnoticed} of ${breaks.length} breaks are noticed`);
process.exitCode = unnoticed === 0 ? 0 : 1;
