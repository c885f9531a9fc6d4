import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import type { SwarmView } from '../../agents/world/views.ts';
import { readText } from '../house/tree.ts';
import { docker } from '../lab/engine.ts';
import { lab } from '../lab/lab.ts';
import type { Reply } from '../support/call.ts';
import { type Deployed, PORT, until } from './deployed.ts';

/** One deployment of world.yml, called by its hostname through the daemon, as anybody would. */
export class WorldStack {
  readonly host: string;
  private readonly stack: Deployed;
  private readonly service: string;

  constructor(stack: Deployed, name: string, host: string) {
    this.stack = stack;
    this.host = host;
    this.service = `${name}_world`;
  }

  get(path: string): Promise<Reply> {
    return this.stack.awake(this.host, path);
  }

  post(path: string, body: unknown): Promise<Reply> {
    const headers = { 'content-type': 'application/json' };
    return this.stack.call(this.host, path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  async swarm(): Promise<SwarmView> {
    return (await this.get('/api/swarm')).json;
  }

  /** Resolves to what /api/swarm says as soon as it will do. */
  swarmWhere(what: string, holds: (view: SwarmView) => boolean): Promise<SwarmView> {
    return until(`${this.host}: ${what}`, async () => {
      const view = await this.swarm();
      return holds(view) ? view : null;
    });
  }

  /** Resolves once so many troopers have answered: each takes traffic once its own health check has passed. */
  async serving(troopers: number): Promise<void> {
    const seen = new Set<string>();
    await until(`${troopers} troopers of ${this.host} answer`, async () => {
      seen.add((await this.get('/api/whoami')).json.task_id);
      return seen.size >= troopers ? true : null;
    });
  }

  async kill(taskId: string): Promise<void> {
    const label = `label=com.docker.swarm.task.id=${taskId}`;
    const container = await docker(lab().engine, 'ps', '--quiet', '--filter', label);
    await docker(lab().engine, 'kill', container);
  }

  /** The badge of its page, which comes with the live stream. */
  async label(): Promise<string> {
    const cut = new AbortController();
    const headers = { host: this.host };
    return new Promise((resolve, reject) => {
      const asked = request({ port: PORT, path: '/api/live', headers, signal: cut.signal }, (stream) => {
        let text = '';
        stream.on('error', () => undefined);
        stream.setEncoding('utf8').on('data', (part: string) => {
          text += part;
          const label = /"label":"([^"]*)"/.exec(text)?.[1];
          if (label === undefined) return;
          resolve(label);
          cut.abort();
        });
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  /** Text of the files of a directory in the containers, whichever of them has it. */
  async snapshots(): Promise<string> {
    const filter = `label=com.docker.swarm.service.name=${this.service}`;
    const [container = ''] = (await docker(lab().engine, 'ps', '--quiet', '--filter', filter)).split('\n');
    return docker(lab().engine, 'exec', container, 'sh', '-c', 'cat /var/lib/world/snapshots/*.json');
  }
}

const CHECKOUT = resolve(import.meta.dirname, '../..');

/** The stack files in a directory of their own, changed as docs/deploy-swarm.md says for two worlds behind one daemon. */
export function filesForTwoWorlds(scratch: string): string {
  const directory = mkdtempSync(join(scratch, 'racks-'));
  for (const path of ['stack.yml', 'world.yml', 'deploy'])
    cpSync(join(CHECKOUT, path), join(directory, path), { recursive: true });
  const [agents = '', aliases = ''] = yamlBlocks('docs/deploy-swarm.md', "Bob's World");
  const file = join(directory, 'deploy/orchestrator.swarm.yaml');
  const config = parse(readFileSync(file, 'utf8'));
  config.agents.world.hostnames = /and `hostnames: (\[rack-1\])` for `world`/.exec(agents) === null ? [] : ['rack-1'];
  Object.assign(config.agents, parse(agents));
  writeFileSync(file, stringify(config));
  writeFileSync(join(directory, 'racks.yml'), aliases);
  return directory;
}

function yamlBlocks(page: string, section: string): readonly string[] {
  const text = readText(page).split(`\n## ${section}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...text.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, block = '']) => block);
}
