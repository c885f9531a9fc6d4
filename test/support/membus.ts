import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentProcess } from '../agents/agent-process.ts';

/** Environment of agents/membus beside its file and its ports. */
export type MembusEnvironment = Readonly<Record<string, string>>;

/** A real membus with a directory of its own. It keeps its file over `kill`, `stop` and `startAgain`, until it is disposed of. */
export class Membus implements AsyncDisposable {
  readonly host = '127.0.0.1';
  readonly directory: string;
  private readonly environment: MembusEnvironment;
  private running: AgentProcess;

  private constructor(directory: string, environment: MembusEnvironment, running: AgentProcess) {
    this.directory = directory;
    this.environment = environment;
    this.running = running;
  }

  /** Resolves once it listens. `port` 0 lets the system choose. */
  static async start(environment: MembusEnvironment = {}, port = 0): Promise<Membus> {
    const directory = mkdtempSync(join(tmpdir(), 'reveille-membus-'));
    return new Membus(directory, environment, await run(directory, environment, port));
  }

  get port(): number {
    return portOf(this.running);
  }

  get place(): { readonly host: string; readonly port: number } {
    return { host: this.host, port: this.port };
  }

  get file(): string {
    return fileIn(this.directory);
  }

  get pid(): number {
    return this.running.pid;
  }

  /** Where it speaks HTTP. */
  get url(): string {
    return this.running.url;
  }

  get lines(): readonly string[] {
    return this.running.lines;
  }

  /** SIGSTOP and SIGCONT: there, and silent. */
  signal(signal: NodeJS.Signals): void {
    this.running.signal(signal);
  }

  /** Resolves once it has ended. */
  async end(signal: NodeJS.Signals): Promise<{ readonly code: number | null }> {
    this.running.signal(signal);
    return this.running.exit;
  }

  /** On the same port and the same file; `more` is added to its environment. */
  async startAgain(more: MembusEnvironment = {}): Promise<void> {
    this.running = await run(this.directory, { ...this.environment, ...more }, this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const fileIn = (directory: string): string => join(directory, 'kept', 'membus.sqlite');

const run = (directory: string, environment: MembusEnvironment, port: number): Promise<AgentProcess> =>
  AgentProcess.start('../../agents/membus/main.ts', {
    HOST: '127.0.0.1',
    MEMBUS_PORT: String(port),
    MEMBUS_FILE: fileIn(directory),
    ...environment,
  });

function portOf({ lines }: AgentProcess): number {
  const line = lines.find((text) => text.includes('memcached listens'));
  return (JSON.parse(line ?? '{}') as { readonly port: number }).port;
}
