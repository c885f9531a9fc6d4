import { readFileSync } from 'node:fs';
import { type Bus, connectBus } from '../../agents/world/bus.ts';
import { Membus } from '../support/membus.ts';
import { Memcached } from '../support/memcached.ts';

/**
 * `npm run bench:bus`: membus beside memcached, asked the same by the same client in turn, so that what the machine does
 * meanwhile happens to both. The ratio is what counts; the figures are this machine's, and the client's share is in them.
 */
const ROUNDS = 5;
const ROUND_MS = 1000;
const CALLERS = 20;

const VALUE = 'x'.repeat(200);
const LIST = 'x'.repeat(60_000);
const WORK: Readonly<Record<string, (bus: Bus, index: number) => Promise<unknown>>> = {
  'get 200 B': (bus, index) => bus.get(`small:${index % 100}`),
  'set 200 B': (bus, index) => bus.set(`small:${index % 100}`, VALUE, 60),
  'get 60 kB': (bus) => bus.get('list'),
  'set 60 kB': (bus) => bus.set('list', LIST, 60),
  'gets and cas': async (bus, index) => {
    const key = `small:${index % 100}`;
    const found = await bus.gets(key);
    if (found !== null) await bus.cas(key, VALUE, 60, found.version);
  },
  increment: (bus, index) => bus.increment(`number:${index % 100}`, 1, 1),
};

/** Calls a second, by twenty callers of whom each waits for its answer. */
async function speed(bus: Bus, work: (bus: Bus, index: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let calls = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - start < ROUND_MS) await work(bus, (calls += 1));
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return (calls / (performance.now() - start)) * 1000;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

await using memcached = await Memcached.start();
await using membus = await Membus.start();
const servers = { memcached, membus };
const buses = { memcached: connectBus(memcached.place), membus: connectBus(membus.place) };
console.log(`${CALLERS} callers on one connection, median of ${ROUNDS} rounds of ${ROUND_MS / 1000} s in turn\n`);
console.log('                memcached       membus    ratio');
for (const [name, work] of Object.entries(WORK)) {
  for (const bus of Object.values(buses)) {
    await bus.set('list', LIST, 60);
    for (let index = 0; index < 100; index += 1) await bus.set(`small:${index}`, VALUE, 60);
  }
  const seen: Record<keyof typeof buses, number[]> = { memcached: [], membus: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    seen.memcached.push(await speed(buses.memcached, work));
    seen.membus.push(await speed(buses.membus, work));
  }
  const [theirs, ours] = [median(seen.memcached), median(seen.membus)];
  console.log(
    `${name.padEnd(13)} ${theirs.toFixed(0).padStart(8)} /s ${ours.toFixed(0).padStart(9)} /s ${(ours / theirs).toFixed(2).padStart(8)}`,
  );
}
const rss = Object.entries(servers).map(([name, { pid }]) => `${name} ${residentMb(pid).toFixed(0)} MB`);
console.log(`\nresident: ${rss.join(', ')}`);
for (let index = 0; index < 60; index += 1)
  for (const bus of Object.values(buses)) await bus.set(`mega:${index}`, 'x'.repeat(1_000_000), 60);
const full = Object.entries(servers).map(([name, { pid }]) => `${name} ${residentMb(pid).toFixed(0)} MB`);
console.log(`with 60 values of 1 MB: ${full.join(', ')}`);
for (const bus of Object.values(buses)) bus.close();
