import { setTimeout as pause } from 'node:timers/promises';
import { type Prng, prng } from '../../src/std/prng.ts';
import { BenchDaemon, HERE } from '../bench/daemon.ts';
import { openFiles } from '../withstand/resident.ts';
import { Causes } from './causes.ts';
import { KINDS, type Kind, PACED } from './kinds.ts';
import { Ledger } from './ledger.ts';
import { WOKEN, settingsOf, trouble } from './troubles.ts';
import { Clients } from './visit.ts';

/**
 * `npm run soak`: the real daemon and agents of every kind under mixed traffic, while agents are killed, put to sleep, frozen,
 * stopped, removed and added. The program knows what it does to whom and when, so a failure that nothing explains is the
 * daemon's. Ends with 1 where there was one. SOAK_MINUTES, SOAK_CLIENTS and SEED change the run.
 */
const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 30);
const CLIENTS = Number(process.env['SOAK_CLIENTS'] ?? 24);
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const SAMPLE_EVERY_MS = 10_000;
/** Connections to agents are kept for 4 s, and what has been closed is gone a moment later. */
const REST_MS = 8000;
const THINK_MS = 60;
const RECENT_MAX = 500;
const SHOWN_BEFORE_MS = 3000;

console.log(`${MINUTES} minutes, ${CLIENTS} clients, seed ${SEED}`);
const logged: string[] = [];
/** What the daemon said lately, to be read beside a failure that nothing explains. */
const recent: { readonly at: number; readonly line: string }[] = [];
const daemon = await BenchDaemon.start(settingsOf(0), HERE, (line) => {
  if (/MALFORMED|"level":"(?:error|fatal)"/.test(line)) logged.push(line);
  recent.push({ at: performance.now(), line });
  if (recent.length > RECENT_MAX) recent.shift();
});
const clients = new Clients(daemon.address);
const causes = new Causes();

async function rest(): Promise<ReturnType<typeof openFiles>> {
  clients.close();
  for (const name of WOKEN) {
    const { status, text } = await daemon.admin(`/admin/agents/${name}/wake?wait=60s`, 'POST');
    if (status !== 200) throw new Error(`${name} was not woken: ${status} ${text}`);
  }
  await pause(REST_MS);
  return openFiles(daemon.pid);
}

const filesAtStart = await rest();
const ledger = new Ledger(daemon.pid);
const end = performance.now() + MINUTES * 60_000;
const isOver = (): boolean => performance.now() >= end || daemon.ended !== null;

async function visit(kind: Kind, random: Prng): Promise<void> {
  const began = performance.now();
  try {
    const visited = await kind.run(clients, random);
    const explained = visited.wrong === null ? null : (visited.cause ?? causes.of(visited.agent, began, visited.wrong));
    ledger.count(kind.name, visited, explained);
    if (visited.wrong !== null && explained === null) showAround(visited.agent, began);
  } catch (error) {
    ledger.complain(`${kind.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    await pause(100);
  }
}

/** All that was said of the agent while the request was open, and shortly before. */
function showAround(agent: string, began: number): void {
  const from = began - SHOWN_BEFORE_MS;
  console.log(`    open for ${(performance.now() - began).toFixed(0)} ms`);
  for (const { at, line } of recent)
    if (at >= from && line.includes(`"${agent}"`)) console.log(`    ${(at - began).toFixed(0)} ms: ${line}`);
  for (const { what, at } of daemon.marks.since(performance.timeOrigin + from))
    if (what.endsWith(` ${agent}`)) console.log(`    ${(at - performance.timeOrigin - began).toFixed(0)} ms: ${what}`);
}

async function mixed(random: Prng): Promise<void> {
  const weights = KINDS.reduce((sum, { weight }) => sum + weight, 0);
  while (!isOver()) {
    let left = random.below(weights);
    const kind = KINDS.find(({ weight }) => (left -= weight) < 0) ?? KINDS[0]!;
    await visit(kind, random);
    await pause(random.below(THINK_MS));
  }
}

async function paced({ kind, everyMs }: (typeof PACED)[number], random: Prng): Promise<void> {
  while (!isOver()) {
    await visit(kind, random);
    await pause(everyMs(random));
  }
}

async function look(): Promise<void> {
  for (let looks = 1; !isOver(); looks += 1) {
    await pause(Math.min(SAMPLE_EVERY_MS, Math.max(0, end - performance.now())));
    if (daemon.ended !== null) break;
    const { text } = await daemon.admin('/metrics');
    const megabytes = (name: string): number =>
      Number(new RegExp(`^(?:reveille_)?nodejs_${name}_bytes (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN) / 1024 / 1024;
    ledger.sample(megabytes('heap_size_used'), megabytes('external_memory'));
    for (const line of logged.splice(0)) ledger.complain(`the log says ${line}`);
    if (looks % 6 === 0) console.log(ledger.line);
  }
}

await Promise.all([
  ...Array.from({ length: CLIENTS }, (_, at) => mixed(prng(SEED + at))),
  ...PACED.map((each, at) => paced(each, prng(SEED + 1000 + at))),
  trouble(daemon, causes, prng(SEED + 2000), isOver).catch((error: unknown) => ledger.complain(`trouble: ${String(error)}`)),
  look(),
]);
if (daemon.ended !== null) {
  ledger.complain(`the daemon has ended: ${daemon.ended}`);
} else {
  await daemon.reload(settingsOf(0));
  const filesAtEnd = await rest();
  console.log(`\n${ledger.table(filesAtStart, filesAtEnd, causes.counts)}`);
}
await daemon.end();
if (daemon.ended !== 'exit code 0') ledger.complain(`the daemon ended with ${daemon.ended}`);
process.exitCode = ledger.unexplained.length === 0 ? 0 : 1;
