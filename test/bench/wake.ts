import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { type Lab, lab } from '../lab/lab.ts';

/**
 * `npm run bench:wake`: what a wake on a real Swarm takes, split where it changes hands, and what of it is the daemon's own. All
 * marks are on one clock, because the lab is one machine. Then the other way: how long until nothing is left, when the daemon
 * puts the agent to sleep and when somebody only scales the service to 0.
 */
const WAKES = Number(process.env['BENCH_WAKES'] ?? 20);
const ROUNDS_BY_HAND = 5;
const PORT = 8080;
const TOKEN = 'bench';
/** Answers from the moment it listens, and says when that was. */
const AGENT = `
  const server = require('node:http').createServer((request, response) => response.end(String(server.since)));
  server.listen(${PORT}, '0.0.0.0', () => { server.since = performance.timeOrigin + performance.now(); });
  process.once('SIGTERM', () => process.exit(0));`;

interface Mark {
  readonly what: string;
  /** Milliseconds since 1970, with fractions where the source has them. */
  readonly at: number;
}

const now = (): number => performance.timeOrigin + performance.now();
const run = promisify(execFile);
const docker = async (...args: readonly string[]): Promise<string> => (await run('docker', [...args])).stdout.trim();

/** Marks in the order in which they are heard of. Who waits for one gives up after half a minute. */
class Marks {
  private readonly heard: Mark[] = [];
  private readonly waiting = new Set<() => void>();

  add(what: string, at: number): void {
    this.heard.push({ what, at });
    for (const look of [...this.waiting]) look();
  }

  first(what: string, after: number): Promise<number> {
    return new Promise((resolved, rejected) => {
      const limit = setTimeout(() => rejected(new Error(`no ${what} within 30 s`)), 30_000);
      const look = (): void => {
        const mark = this.heard.find((each) => each.what === what && each.at >= after);
        if (mark === undefined) return;
        clearTimeout(limit);
        this.waiting.delete(look);
        resolved(mark.at);
      };
      this.waiting.add(look);
      look();
    });
  }
}

function followDocker(marks: Marks): ChildProcess {
  const child = spawn('docker', ['events', '--format', '{{json .}}'], { stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface(child.stdout).on('line', (line) => {
    const event = JSON.parse(line) as {
      Type: string;
      Action: string;
      timeNano: number;
      Actor: { Attributes: Record<string, string> };
    };
    const { name = '' } = event.Actor.Attributes;
    if (name === 'bench' || name.startsWith('bench.')) marks.add(`${event.Type} ${event.Action}`, event.timeNano / 1e6);
  });
  return child;
}

function followDaemon(marks: Marks, host: string): void {
  get({ host, port: 9180, path: '/admin/events', headers: { authorization: `Bearer ${TOKEN}` } }, (response) => {
    createInterface(response).on('line', (line) => {
      if (!line.startsWith('data: ')) return;
      const event = JSON.parse(line.slice('data: '.length)) as { type: string; at: string };
      marks.add(event.type, now());
    });
  }).on('error', () => undefined);
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headAt: number;
}

function call(host: string, port: number, path: string, method = 'GET'): Promise<Reply> {
  return new Promise((resolved, rejected) => {
    const headers = { host: 'bench.test', authorization: `Bearer ${TOKEN}` };
    request({ host, port, path, method, headers, agent: false }, (response) => {
      const headAt = now();
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolved({ status: response.statusCode ?? 0, text, headAt }));
    })
      .on('error', rejected)
      .end();
  });
}

async function startDaemon({ foothold, network }: Lab, directory: string): Promise<ChildProcess> {
  const file = join(directory, 'orchestrator.yaml');
  const bench = {
    hostname: 'bench.test',
    container: { name: 'bench' },
    backend: `http://tasks.bench:${PORT}`,
    health: { path: '/' },
  };
  const settings = { listen: '0.0.0.0:8080', admin_listen: '0.0.0.0:9180', admin_token: TOKEN, state_dir: 'state' };
  writeFileSync(file, JSON.stringify({ ...settings, engine: 'swarm', swarm: { network }, agents: { bench } }));
  const command = [...foothold.prefix, process.execPath, resolve(import.meta.dirname, '../../src/cli/main.ts')];
  const child = spawn(command[0] ?? '', [...command.slice(1), 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  for await (const line of createInterface(child.stderr)) if (line.startsWith('  token ')) break;
  child.stderr.resume();
  return child;
}

/** In milliseconds, by what it is. */
type Split = Readonly<Record<string, number>>;

async function wake(host: string, marks: Marks): Promise<Split> {
  const asked = now();
  await call(host, 8080, '/');
  const ready = await marks.first('agent.ready', asked);
  const { text, headAt } = await call(host, 8080, '/');
  const [update, create, start] = await Promise.all(
    ['service update', 'container create', 'container start'].map((what) => marks.first(what, asked)),
  );
  const listening = Number(text);
  return {
    'request -> update': update! - asked,
    'update -> container created': create! - update!,
    'created -> started': start! - create!,
    "started -> listening (the agent's own boot)": listening - start!,
    "listening -> seen healthy (the daemon's own share)": ready - listening,
    'seen healthy -> first byte': headAt - ready,
    'in all': headAt - asked,
  };
}

async function sleepByDaemon(host: string, marks: Marks): Promise<number> {
  const asked = now();
  await call(host, 9180, '/admin/agents/bench/sleep', 'POST');
  return (await marks.first('agent.sleep', asked)) - asked;
}

/** What Swarm takes by itself. The daemon watches, and does not help. */
async function sleepByHand(marks: Marks): Promise<number> {
  const asked = now();
  await docker('service', 'scale', '--detach', 'bench=0');
  return (await marks.first('agent.sleep', asked)) - asked;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function row(what: string, values: readonly number[]): string {
  const cells = [0.5, 0.9].map((share) => quantile(values, share).toFixed(1).padStart(9));
  return `| ${what.padEnd(52)} | ${cells.join(' | ')} |`;
}

async function main(): Promise<void> {
  const here = lab();
  const directory = mkdtempSync(join(tmpdir(), 'reveille-wake-'));
  const marks = new Marks();
  const service = [
    '--name',
    'bench',
    '--network',
    here.network,
    '--replicas',
    '0',
    '--endpoint-mode',
    'dnsrr',
    '--no-resolve-image',
  ];
  await docker('service', 'create', '--detach', '--quiet', ...service, '--init', here.images.base, 'node', '--eval', AGENT);
  const events = followDocker(marks);
  const daemon = await startDaemon(here, directory);
  const host = here.foothold.address;
  followDaemon(marks, host);
  try {
    const splits: Split[] = [];
    const asleepAfter: number[] = [];
    const asleepByHand: number[] = [];
    for (let round = 0; round < WAKES; round += 1) {
      splits.push(await wake(host, marks));
      const byHand = round % Math.ceil(WAKES / ROUNDS_BY_HAND) === 0;
      if (byHand) asleepByHand.push(await sleepByHand(marks));
      else asleepAfter.push(await sleepByDaemon(host, marks));
    }
    console.log(`\n${WAKES} wakes on a Swarm of one node, in milliseconds`);
    console.log(`| ${'from -> to'.padEnd(52)} | ${'median'.padStart(9)} | ${'p90'.padStart(9)} |`);
    console.log(`|${'-'.repeat(54)}|----------:|----------:|`);
    for (const what of Object.keys(splits[0] ?? {}))
      console.log(
        row(
          what,
          splits.map((split) => split[what] ?? Number.NaN),
        ),
      );
    console.log(row('told to sleep -> gone, by the daemon', asleepAfter));
    console.log(row('scaled to 0 by hand -> gone, by Swarm alone', asleepByHand));
  } finally {
    for (const child of [daemon, events]) {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    }
    await docker('service', 'rm', 'bench');
    rmSync(directory, { recursive: true, force: true });
  }
}

await main();
