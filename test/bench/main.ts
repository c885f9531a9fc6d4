import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Figures, type Running, load, median, startBackend, startServer } from './measure.ts';
import { type Peer, backend, caddy, haproxy, nginx, reveille } from './peers.ts';
import { type StartFigures, measureStart } from './start.ts';

/**
 * `npm run bench`: small proxied GETs side by side with the peers that are installed, then start and rest of the daemon. The
 * runs alternate A B C A B C and medians are reported, because a shared machine drifts: read the ratios, never the figures.
 */
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5);
const WARM_UP_SECONDS = 2;

async function throughput(): Promise<ReadonlyMap<string, readonly Figures[]>> {
  const directory = mkdtempSync(join(tmpdir(), 'reveille-bench-'));
  const running: Running[] = [];
  const results = new Map<string, Figures[]>();
  try {
    running.push(await startBackend(backend(directory)));
    const peers: readonly Peer[] = [nginx, haproxy, caddy, reveille].map((make) => make(directory));
    const servers: Running[] = [];
    for (const peer of peers) {
      if (peer.command === null) {
        console.log(`${peer.name} is not installed and is left out`);
        continue;
      }
      const server = await startServer(peer);
      servers.push(server);
      running.push(server);
    }
    for (const server of servers) await load(server, WARM_UP_SECONDS);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const server of servers) {
        const figures = await load(server, SECONDS);
        results.set(server.peer.name, [...(results.get(server.peer.name) ?? []), figures]);
      }
    }
    return results;
  } finally {
    for (const one of running) await one.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function table(results: ReadonlyMap<string, readonly Figures[]>): string {
  const of = (name: string, key: keyof Figures): number => median((results.get(name) ?? []).map((figures) => figures[key]));
  const base = of('nginx', 'requestsPerSecond');
  const rows = [...results.keys()].map((name) => {
    const rate = of(name, 'requestsPerSecond');
    const ratio = Number.isNaN(base) ? '-' : (rate / base).toFixed(2);
    const cells = [
      rate.toFixed(0),
      of(name, 'cpuMicrosPerRequest').toFixed(1),
      ratio,
      of(name, 'p50Ms').toFixed(2),
      of(name, 'p99Ms').toFixed(2),
      of(name, 'errors').toFixed(0),
    ];
    return `| ${[name, ...cells].join(' | ')} |`;
  });
  const head =
    '| small GET, one core | requests/s | CPU us/request | against nginx | p50 ms | p99 ms | errors |\n|---|---|---|---|---|---|---|';
  return [head, ...rows].join('\n');
}

function startTable(figures: readonly StartFigures[]): string {
  const rows = figures.map(
    ({ agents, toListeningMs, residentMb, idleCpuPercent }) =>
      `| ${agents} | ${toListeningMs.toFixed(0)} | ${residentMb.toFixed(0)} | ${idleCpuPercent.toFixed(1)} |`,
  );
  return [
    '| agents, all asleep | start to listening, ms | RSS at rest, MB | idle CPU, % of a core |\n|---|---|---|---|',
    ...rows,
  ].join('\n');
}

const results = await throughput();
const starts: StartFigures[] = [];
for (const agents of [1, 100, 1000]) {
  const runs: StartFigures[] = [];
  for (let round = 0; round < 3; round += 1) runs.push(await measureStart(agents));
  const by = (key: keyof StartFigures): number => median(runs.map((run) => run[key]));
  starts.push({ agents, toListeningMs: by('toListeningMs'), residentMb: by('residentMb'), idleCpuPercent: by('idleCpuPercent') });
}
const [cpu] = cpus();
console.log(
  `\n${cpus().length} x ${cpu?.model ?? 'unknown'}, node ${process.versions.node}, ${ROUNDS} rounds of ${SECONDS} s, medians\n`,
);
console.log(`${table(results)}\n\n${startTable(starts)}`);
mkdirSync('.test-results', { recursive: true });
writeFileSync('.test-results/bench.json', JSON.stringify({ results: Object.fromEntries(results), starts }, null, 2));
