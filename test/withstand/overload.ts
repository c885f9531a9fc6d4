import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { BenchDaemon, quantile } from '../bench/daemon.ts';
import { cpuSeconds } from '../bench/measure.ts';
import type { LoadFigures, LoadOrder } from './load-generator.ts';
import { ResidentWatch } from './resident.ts';

/**
 * Ten times of what limits.in_flight lets through, at one agent that takes a second for each answer, while somebody asks another
 * agent. The daemon has core 0; load, backends and this program share core 1.
 */
const IN_FLIGHT = Number(process.env['OVERLOAD_IN_FLIGHT'] ?? 100);
const SECONDS = Number(process.env['OVERLOAD_SECONDS'] ?? 60);
const QUIET_SECONDS = Math.max(5, Math.round(SECONDS / 4));
const ANSWER_AFTER_MS = 1000;
const TIMES = 10;
const OTHER_PER_SECOND = 200;
const REFUSED_WITHIN_MS = 50;
const RESIDENT_GROWTH_MAX_MB = 128;

export async function withstandOverload(): Promise<readonly string[]> {
  // Threads too: V8's take part in what a loop costs.
  spawnSync('taskset', ['-acp', '1', String(process.pid)]);
  const slow = createServer((_, response) => void setTimeout(() => response.end('slow'), ANSWER_AFTER_MS));
  const quick = createServer((_, response) => response.end('quick'));
  const ports: number[] = [];
  for (const server of [slow, quick]) {
    await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
    ports.push((server.address() as AddressInfo).port);
  }
  const agent = (name: string, port: number | undefined): object => ({
    hostname: `${name}.test`,
    policy: 'unmanaged',
    backend: `http://127.0.0.1:${port}`,
  });
  const settings = {
    limits: { in_flight: IN_FLIGHT },
    agents: { slow: agent('slow', ports[0]), quick: agent('quick', ports[1]) },
  };
  const daemon = await BenchDaemon.start(settings, { prefix: ['taskset', '-c', '0'], address: '127.0.0.1' });
  try {
    const { port } = daemon.address;
    const other = (seconds: number): Promise<LoadFigures> =>
      generate({ port, hostname: 'quick.test', perSecond: OTHER_PER_SECOND, seconds, connections: 20 });
    await other(3);
    const before = await other(QUIET_SECONDS);
    const perSecond = (IN_FLIGHT * TIMES * 1000) / ANSWER_AFTER_MS;
    const watch = new ResidentWatch(daemon.pid);
    const spent = cpuSeconds([daemon.pid]);
    const [load, during] = await Promise.all([
      generate({ port, hostname: 'slow.test', perSecond, seconds: SECONDS, connections: IN_FLIGHT * 4 }),
      other(SECONDS),
    ]);
    watch.stop();
    const corePercent = ((cpuSeconds([daemon.pid]) - spent) / SECONDS) * 100;
    const after = await other(QUIET_SECONDS);
    console.log(`  the daemon used ${corePercent.toFixed(0)} % of its core under the load`);
    return told(load, before, during, after, watch, daemon.ended);
  } finally {
    await daemon.end();
    for (const server of [slow, quick]) server.close().closeAllConnections();
  }
}

function told(
  load: LoadFigures,
  before: LoadFigures,
  during: LoadFigures,
  after: LoadFigures,
  watch: ResidentWatch,
  ended: string | null,
): readonly string[] {
  const complaints: string[] = ended === null ? [] : [`the daemon has ended: ${ended}`];
  const { '200': served = [], '503': refused = [], ...strange } = load.took;
  const quiet = [...(before.took['200'] ?? []), ...(after.took['200'] ?? [])];
  const loaded = during.took['200'] ?? [];
  const ms = (values: readonly number[], share: number): string => `${quantile(values, share).toFixed(2)} ms`;
  console.log(
    `${load.sent} requests in ${SECONDS} s at an agent that may have ${IN_FLIGHT} at a time for ${ANSWER_AFTER_MS} ms each: ${TIMES} times too many`,
  );
  console.log(`  served ${served.length}, refused ${refused.length}, broken ${load.broken}, without an answer ${load.open}`);
  console.log(`  refused within ${ms(refused, 0.5)} (p50), ${ms(refused, 0.99)} (p99), ${ms(refused, 1)} (longest)`);
  console.log(`  ${watch.told}; in the second half it moved by ${watch.slope(SECONDS * 500).toFixed(0)} KB a minute`);
  console.log(
    `  another agent at ${OTHER_PER_SECOND} requests/s: p99 ${ms(quiet, 0.99)} without the load, ${ms(loaded, 0.99)} with it`,
  );
  console.log(
    `    (p50 ${ms(quiet, 0.5)} and ${ms(loaded, 0.5)}; before ${ms(before.took['200'] ?? [], 0.99)}, after ${ms(after.took['200'] ?? [], 0.99)})`,
  );
  console.log(
    `  the load itself was late by ${ms(load.late, 0.5)} (p50), ${ms(load.late, 0.99)} (p99), and out of connections ${load.starved} times`,
  );
  if (quantile(refused, 0.99) >= REFUSED_WITHIN_MS) complaints.push(`the excess is refused only after ${ms(refused, 0.99)}`);
  if (quantile(loaded, 0.99) >= 2 * quantile(quiet, 0.99))
    complaints.push("the other agent's p99 is more than twice what it is without the load");
  if (watch.growthMegabytes > RESIDENT_GROWTH_MAX_MB) complaints.push(`grew by ${watch.growthMegabytes.toFixed(0)} MB`);
  if (load.broken + load.open + during.broken + during.open > 0) complaints.push('requests without an answer');
  for (const [status, values] of Object.entries(strange)) complaints.push(`${values.length} answers with ${status}`);
  return complaints;
}

async function generate(order: LoadOrder): Promise<LoadFigures> {
  const program = join(import.meta.dirname, 'load-generator.ts');
  const child = spawn('taskset', ['-c', '1', process.execPath, program, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await new Promise((resolve) => child.once('close', resolve));
  return JSON.parse(text) as LoadFigures;
}
