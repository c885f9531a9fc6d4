import { availableParallelism, cpus } from 'node:os';
import { openDaemon } from './front.ts';
import { withstandOverload } from './overload.ts';
import { withstandPostFaults } from './posts.ts';
import { withstandResets } from './resets.ts';
import { withstandSmuggling } from './smuggling.ts';
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
    console.log(`  carried out more than once ${twice.length}; carried out: ${listed(executed)}`);
    console.log(
      `  their head came twice, but none of the body ${figures.headsTwice}: the first time on a kept connection that broke`,
    );
    console.log(`  the clients saw ${listed(outcomes)}; faults: ${listed(byFault)}`);
    return [...twice.map((what) => `more than once: ${what}`), ...others];
  },
  smuggling: async () => {
    const { extra, ambiguous, poisoned, crashes, ...figures } = await withstandSmuggling(openDaemon);
    console.log(`${figures.payloads} smuggling payloads, each at ${figures.rounds} kinds of agents`);
    console.log(`  requests that agents saw ${figures.requests}, of which the front had not admitted ${extra.length}`);
    console.log(
      `  ambiguous bytes at an agent ${ambiguous.length}, wrong answers to others ${poisoned.length}, crashes ${crashes.length}`,
    );
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
  const complaints = await measure();
  broken += complaints.length;
  for (const complaint of complaints.slice(0, 20)) console.log(`  BROKEN ${complaint}`);
  if (complaints.length > 20) console.log(`  and ${complaints.length - 20} more`);
  console.log(`  (${((performance.now() - began) / 1000).toFixed(1)} s)`);
}
process.exitCode = broken === 0 ? 0 : 1;
