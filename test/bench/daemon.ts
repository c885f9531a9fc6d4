import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { once } from 'node:events';

/** A real daemon to be measured from outside: its ports, what it tells of its agents, and when. All marks are on one clock. */
const TOKEN = 'bench';

interface Mark {
  readonly what: string;
  /** Milliseconds since 1970, with fractions where the source has them. */
  readonly at: number;
}

export const now = (): number => performance.timeOrigin + performance.now();

/** Marks in the order in which they are heard of. Who waits for one gives up after half a minute. */
export class Marks {
  private readonly heard: Mark[] = [];
  private readonly waiting = new Set<() => void>();

  add(what: string, at: number): void {
    this.heard.push({ what, at });
    for (const look of [...this.waiting]) look();
  }

  since(from: number): readonly Mark[] {
    return this.heard.filter(({ at }) => at >= from);
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

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly retryAfterSeconds: number;
  readonly headAt: number;
}

/** Where it runs, if not here. */
export interface Place {
  readonly prefix: readonly string[];
  readonly address: string;
}

export const HERE: Place = { prefix: [], address: '127.0.0.1' };

export class BenchDaemon {
  /** Events of agents, as `<type> <agent>`, and whatever else the bench has heard. */
  readonly marks = new Marks();
  readonly host: string;
  private readonly child: ChildProcess;
  private readonly directory: string;
  private readonly place: Place;
  private readonly ports: readonly [number, number];

  private constructor(child: ChildProcess, directory: string, place: Place, ports: readonly [number, number]) {
    this.child = child;
    this.directory = directory;
    this.host = place.address;
    this.place = place;
    this.ports = ports;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Null while it runs. */
  get ended(): string | null {
    return this.child.signalCode ?? (this.child.exitCode === null ? null : `exit code ${this.child.exitCode}`);
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: this.host, port: this.ports[0] };
  }

  /** `onLog`: given each line of its log. */
  static async start(settings: object, place: Place, onLog: ((line: string) => void) | null = null): Promise<BenchDaemon> {
    const directory = mkdtempSync(join(tmpdir(), 'reveille-wake-'));
    const file = join(directory, 'orchestrator.yaml');
    writeFileSync(file, configOf(settings, place));
    const entry = resolve(import.meta.dirname, '../../src/cli/main.ts');
    const command = [...place.prefix, process.execPath, '--max-semi-space-size=16', entry, 'serve', '--config', file];
    const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    if (onLog === null) child.stdout.resume();
    else createInterface(child.stdout).on('line', onLog);
    let said = '';
    for await (const line of createInterface(child.stderr)) {
      said += `${line}\n`;
      if (line.startsWith('  token ')) break;
    }
    child.stderr.resume();
    const port = (pattern: RegExp): number => Number(pattern.exec(said)?.[1]);
    const ports = [port(/^ {2}try +http:\/\/[^/]+:(\d+)\/$/m), port(/^ {2}admin +http:\/\/[^/]+:(\d+)\//m)] as const;
    const daemon = new BenchDaemon(child, directory, place, ports);
    await daemon.follow();
    return daemon;
  }

  /** A request on the public port, to `<agent>.test`. */
  call(agent: string, path = '/'): Promise<Reply> {
    return this.ask(this.ports[0], `${agent}.test`, path, 'GET');
  }

  order(agent: string, what: 'sleep' | 'wake'): Promise<Reply> {
    return this.admin(`/admin/agents/${agent}/${what}`, 'POST');
  }

  /** A request on the internal port. */
  admin(path: string, method = 'GET'): Promise<Reply> {
    return this.ask(this.ports[1], 'localhost', path, method);
  }

  /** Takes another config file, all but what only a start can change. */
  reload(settings: object): Promise<Reply> {
    writeFileSync(join(this.directory, 'orchestrator.yaml'), configOf(settings, this.place));
    return this.admin('/admin/reload', 'POST');
  }

  async end(): Promise<void> {
    this.child.kill('SIGTERM');
    if (this.ended === null) await once(this.child, 'exit');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private ask(port: number, host: string, path: string, method: string): Promise<Reply> {
    return new Promise((resolved, rejected) => {
      const headers = { host, authorization: `Bearer ${TOKEN}` };
      request({ host: this.host, port, path, method, headers, agent: false }, (response) => {
        const headAt = now();
        const retryAfterSeconds = Number(response.headers['retry-after'] ?? 0);
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => resolved({ status: response.statusCode ?? 0, text, retryAfterSeconds, headAt }));
      })
        .on('error', rejected)
        .end();
    });
  }

  private follow(): Promise<void> {
    const headers = { authorization: `Bearer ${TOKEN}` };
    return new Promise((resolved) => {
      get({ host: this.host, port: this.ports[1], path: '/admin/events', headers }, (response) => {
        resolved();
        const lines = createInterface(response);
        lines.on('error', () => undefined);
        lines.on('line', (line) => {
          if (!line.startsWith('data: ')) return;
          const event = JSON.parse(line.slice('data: '.length)) as { readonly type: string; readonly agent?: string };
          this.marks.add(`${event.type} ${event.agent ?? ''}`, now());
        });
      }).on('error', () => undefined);
    });
  }
}

function configOf(settings: object, place: Place): string {
  const listen = place.address === HERE.address ? '127.0.0.1:0' : '0.0.0.0:0';
  return JSON.stringify({ listen, admin_listen: listen, admin_token: TOKEN, state_dir: 'state', ...settings });
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
