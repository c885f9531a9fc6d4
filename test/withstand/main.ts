import { availableParallelism, cpus } from 'node:os';
import { openDaemon } from './front.ts';
import { Weather } from '../bench/weather.ts';
import { httpProxy } from './http-proxy.ts';
import { withstandOverload } from './overload.ts';
import { withstandPostFaults } from './posts.ts';
import { withstandResets } from './resets.ts';
import { type SmugglingFigures, withstandSmuggling } from './smuggling.ts';
import { withstandSlowReaders, withstandUploads } from './streams.ts';

/**
 * `npm run withstand`: the real daemon under what a hostile or broken world does to it, and a figure for each promise. Names
 * after `--` choose some of them; SEED repeats a run. Ends with 1 where a promise was broken.
 */
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const FAULTS = Number(process.env['WITHSTAND_FAULTS'] ?? 500);

/** Each prints its figures, and resolves to what was wrong. */
const FIGURES: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  resets: async () => {
    const { seen, shownAsSuccess, wrongBytes, others, ...figures } = await withstandResets(openDaemon, FAULTS, SEED);
    console.log(`${figures.resets} answers broken off at random bytes, ${figures.unbroken} left whole, seed ${figures.seed}`);
    console.log(`  truncations shown as success ${shownAsSuccess.length}, answers with a wrong byte ${wrongBytes.length}`);
    console.log(`  ${figures.bodyBytes} bytes of bodies compared; the clients saw ${listed(seen)}`);
    return [
      ...shownAsSuccess.map((what) => `shown as success: ${what}`),
      ...wrongBytes.map((what) => `wrong byte: ${what}`),
      ...others,
    ];
  },
  posts: async () => {
    const { byFault, executed, outcomes, twice, others, ...figures } = await withstandPostFaults(openDaemon, FAULTS, SEED);
    console.log(`${figures.faults} faults on POST, ${figures.kept} of them on kept connections, seed ${figures.seed}`);
    console.log(`  seen more than once ${twice.length}; carried out: ${listed(executed)}`);
    console.log(`  the clients saw ${listed(outcomes)}; faults: ${listed(byFault)}`);
    return [...twice.map((what) => `seen more than once: ${what}`), ...others];
  },
  smuggling: async () => {
    const figures = await withstandSmuggling(openDaemon);
    console.log(`${figures.payloads} smuggling payloads, each at ${figures.rounds} kinds of agents`);
    tell('the daemon', figures);
    const peer = await httpProxy();
    if (peer === null) console.log('  http-proxy cannot be installed and is left out');
    else tell('for comparison, http-proxy 1.18.1', await withstandSmuggling(peer));
    const { extra, ambiguous, poisoned, crashes } = figures;
    return [
      ...extra.map((what) => `extra: ${what}`),
      ...ambiguous.map((what) => `ambiguous: ${what}`),
      ...poisoned.map((what) => `wrong answer: ${what}`),
      ...crashes,
    ];
  },
  overload: withstandOverload,
  'slow-readers': withstandSlowReaders,
  upload: withstandUploads,
};

function tell(front: string, { requests, extra, ambiguous, poisoned, crashes }: SmugglingFigures): void {
  console.log(`  ${front}: agents saw ${requests} requests, of which ${extra.length} had not been admitted;`);
  console.log(`    ambiguous bytes ${ambiguous.length}, wrong answers to others ${poisoned.length}, crashes ${crashes.length}`);
}

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => FIGURES[name] === undefined);
if (unknown.length > 0) {
  console.error(`no figure is called ${unknown.join(', ')}; there are ${Object.keys(FIGURES).join(', ')}`);
  process.exit(2);
}
console.log(`${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown kind'}, node ${process.version}`);
let broken = 0;
for (const [name, measure] of Object.entries(FIGURES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n${name}`);
  const began = performance.now();
  const weather = new Weather();
  const complaints = await measure();
  broken += complaints.length;
  for (const complaint of complaints.slice(0, 20)) console.log(`  BROKEN ${complaint}`);
  if (complaints.length > 20) console.log(`  and ${complaints.length - 20} more`);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`  (${seconds} s, in which others took ${weather.othersPercent().toFixed(0)} % of the machine)`);
}
process.exitCode = broken === 0 ? 0 : 1;
