import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { namedBy, sectionOf } from './goals.ts';
import { measureLatency } from './latency.ts';
import { measureLookUp } from './lookup.ts';
import { scratchDirectory } from './measure.ts';
import { PEERS, type Peer } from './peers.ts';
import { installPackages } from './peers/install.ts';
import { type Report, type Section, machine, markdown, writeToPage } from './report.ts';
import { rows } from './rows.ts';
import { measureStart } from './start.ts';
import { type Lengths, measureRow } from './throughput.ts';
import { Weather } from './weather.ts';
import { measureEchoes, measureIdleSockets } from './websocket.ts';

/**
 * `npm run bench`: Reveille side by side with every proxy that is here, each goal beside what was reached. It prints markdown
 * and keeps it all in .test-results/bench.json. Runs take turns and medians are reported, because a shared machine drifts:
 * read the ratios, never the figures.
 *
 * `-- --write` also puts the tables into docs/performance.md, `-- --again` prints those of the last run without measuring.
 * BENCH_ONLY=small,upload and BENCH_PEERS=nginx,reveille choose, BENCH_ROUNDS and BENCH_SECONDS change the length.
 */
const RESULTS = '.test-results/bench.json';
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 4);
const WARM_UP_SECONDS = 2;

/** Those that the variable names; all where it is not set. */
function chosen<T>(variable: string, all: readonly T[], nameOf: (each: T) => string): readonly T[] {
  const names = process.env[variable]?.split(',');
  if (names === undefined) return all;
  const unknown = names.filter((name) => !all.some((each) => nameOf(each) === name));
  if (unknown.length > 0)
    throw new Error(`${variable}: there is no ${unknown.join(', ')}; there are ${all.map(nameOf).join(', ')}`);
  return all.filter((each) => names.includes(nameOf(each)));
}

type Kind = readonly [id: string, measure: (peers: readonly Peer[], directory: string) => Promise<Section>];

function kinds(directory: string): readonly Kind[] {
  const lengths = (row: string): Lengths => {
    const goalsName = (peer: string): boolean => namedBy(row, peer);
    return { rounds: ROUNDS, seconds: SECONDS, warmUpSeconds: WARM_UP_SECONDS, goalsName };
  };
  const full = rows(directory);
  const small = full.find(({ id }) => id === 'small');
  if (small === undefined) throw new Error('there is always a small GET');
  return [
    ...full.map((row): Kind => [
      row.id,
      async (peers) => sectionOf(row, await measureRow(row, peers, directory, lengths(row.id))),
    ]),
    ['echo', (peers) => measureEchoes(peers, directory, lengths('echo'))],
    ['idle', (peers) => measureIdleSockets(peers, directory, lengths('idle'))],
    ['latency', (peers) => measureLatency(small, peers, directory, lengths('latency'))],
    ['lookup', () => measureLookUp(small, directory, lengths('lookup'))],
    ['start', () => measureStart(directory, ROUNDS)],
  ];
}

/** What the other rows found is not lost with one. */
const unmeasured = (id: string, error: unknown): Section => ({
  id,
  verdicts: [],
  columns: [id],
  rows: [],
  note: null,
  faults: [error instanceof Error ? error.message : String(error)],
  runs: null,
});

async function measure(): Promise<Report> {
  for (const program of ['taskset', 'wrk', 'nginx'])
    if (spawnSync('which', [program]).status !== 0)
      throw new Error(`${program} is not installed: the bench cannot do without it`);
  const directory = scratchDirectory();
  const wanted = chosen('BENCH_PEERS', PEERS, ({ name }) => name);
  const packages = wanted.some(({ from }) => from === 'npm') ? await installPackages() : null;
  if (packages !== null) console.error(packages);
  const versions = new Map(wanted.map((peer) => [peer, packages !== null && peer.from === 'npm' ? null : peer.version()]));
  const peers = wanted.filter((peer) => versions.get(peer) !== null);
  const weather = new Weather();
  const sections: Section[] = [];
  for (const [id, measure] of chosen('BENCH_ONLY', kinds(directory), ([name]) => name)) {
    console.error(`measuring ${id} ...`);
    sections.push(await measure(peers, directory).catch((error: unknown) => unmeasured(id, error)));
  }
  return {
    date: new Date().toISOString(),
    machine: machine(),
    versions: Object.fromEntries(peers.map((peer) => [peer.name, versions.get(peer) ?? ''])),
    othersPercent: weather.othersPercent(),
    method: `Medians of up to ${ROUNDS} alternated runs of ${SECONDS} s after ${WARM_UP_SECONDS} s to warm up.`,
    absent: wanted.filter((peer) => !peers.includes(peer)).map(({ name }) => name),
    sections,
  };
}

const again = process.argv.includes('--again');
const report = again ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Report) : await measure();
if (!again) {
  mkdirSync('.test-results', { recursive: true });
  writeFileSync(RESULTS, `${JSON.stringify(report, null, 2)}\n`);
}
console.log(markdown(report));
if (process.argv.includes('--write')) writeToPage(markdown(report));
const faults = report.sections.flatMap((section) => section.faults.map((fault) => `${section.id}: ${fault}`));
for (const fault of faults) console.error(`FAILED ${fault}`);
if (faults.length > 0) process.exitCode = 1;
