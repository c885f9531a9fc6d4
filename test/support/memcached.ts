import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A real memcached on a port of its own. Ended, by force if need be, when it is disposed of. */
export class Memcached implements AsyncDisposable {
  readonly host = '127.0.0.1';
  readonly port: number;
  private readonly child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.child = child;
  }

  static async start(options: readonly string[] = [], port?: number): Promise<Memcached> {
    for (let attempt = 0; ; attempt += 1) {
      const started = await Memcached.at(port ?? (await freePort()), options);
      if (started !== null) return started;
      // Somebody else has taken the port meanwhile; memcached cannot be told to choose one and say which.
      if (attempt === 5 || port !== undefined) throw new Error('memcached does not start: is it installed, is the port free?');
    }
  }

  private static async at(port: number, options: readonly string[]): Promise<Memcached | null> {
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    const args = ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', '64', '-I', '2m', ...user, ...options];
    const child = spawn('memcached', args, { stdio: 'ignore' });
    // A program that is not there tells it by an error, and has neither.
    child.on('error', () => undefined);
    while (!(await accepts(port))) {
      await pause(5);
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    }
    return new Memcached(port, child);
  }

  get place(): { readonly host: string; readonly port: number } {
    return { host: this.host, port: this.port };
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** SIGSTOP and SIGCONT: there, and silent. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
    // A stop takes each thread where it is, and one that still ran would answer.
    while (signal === 'SIGSTOP' && this.threadStates().some((state) => state !== 'T')) continue;
  }

  private threadStates(): readonly string[] {
    const tasks = `/proc/${this.pid}/task`;
    return readdirSync(tasks).map((task) => / ([A-Z]) /.exec(readFileSync(`${tasks}/${task}/stat`, 'utf8'))?.[1] ?? '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
