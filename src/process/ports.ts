import { randomInt } from 'node:crypto';
import { type ListenOptions, type Server, createServer } from 'node:net';
import { type Outcome, done, failed } from '../std/outcome.ts';

/**
 * Ports for tasks. They come from below the range that Linux gives to outgoing connections (32768 and up): a port from in
 * there can be taken by any connection between the test here and the moment the agent listens. Two daemons of one machine
 * never give away the same one: each holds an abstract Unix socket of the port's name, which like the port belongs to the
 * network namespace and ends with its process. Another program may still be quicker than the agent; listener.ts finds out.
 */
const FIRST = 20_000;
const LAST = 32_767;
const TRIES = 100;

/** Ports that are somebody's already, whether or not anybody listens there now. */
export interface ReservedPorts {
  /** The daemon's: no task may get one. */
  readonly own: ReadonlySet<number>;
  /** Those that the config gives to an agent: its own tasks get them, and nobody else's. */
  readonly fixed: ReadonlySet<number>;
}

export class PortPool {
  private readonly host: string;
  private readonly reserved: () => ReservedPorts;
  /** Written here only: ports of tasks of which something is left, each with what keeps other daemons off. */
  private readonly held = new Map<number, Server | null>();

  constructor(host: string, reserved: () => ReservedPorts) {
    this.host = host;
    this.reserved = reserved;
  }

  /** Holds a port until {@link free}: `fixed`, or any. Nobody listens on it by then. */
  async take(fixed: number | null): Promise<Outcome<number, string>> {
    const reserved = this.reserved();
    if (fixed !== null) {
      if (reserved.own.has(fixed) || this.held.has(fixed))
        return failed(`port ${fixed} is held by another task or by the daemon itself`);
      return (await this.hold(fixed)) ? done(fixed) : failed(`port ${fixed} is taken by another process`);
    }
    const start = randomInt(FIRST, LAST + 1);
    const count = LAST - FIRST + 1;
    let tries = 0;
    for (let step = 0; step < count && tries < TRIES; step += 1) {
      const port = FIRST + ((start - FIRST + step) % count);
      if (reserved.own.has(port) || reserved.fixed.has(port) || this.held.has(port)) continue;
      tries += 1;
      if (await this.hold(port)) return done(port);
    }
    return failed(`no free port found in ${tries} tries between ${FIRST} and ${LAST}`);
  }

  free(port: number): void {
    this.held.get(port)?.close();
    this.held.delete(port);
  }

  private async hold(port: number): Promise<boolean> {
    // Before it is tried: two starts at once must not try the same one.
    this.held.set(port, null);
    const claimed = await claim(port);
    if (claimed !== 'taken') this.held.set(port, claimed);
    // In this order: to listen for a moment on a port that another daemon has given away would disturb its agent's start.
    if (claimed !== 'taken' && (await canListen(this.host, port))) return true;
    this.free(port);
    return false;
  }
}

/** Null: there is no such thing here, and daemons may meet. */
async function claim(port: number): Promise<Server | 'taken' | null> {
  if (process.platform !== 'linux') return null;
  const claimed = await listening({ path: `\0reveille task port ${port}` });
  if (claimed.ok) return claimed.value.unref();
  return claimed.failure === 'EADDRINUSE' ? 'taken' : null;
}

async function canListen(host: string, port: number): Promise<boolean> {
  const tried = await listening({ host, port, exclusive: true });
  if (tried.ok) await new Promise((resolve) => tried.value.close(resolve));
  return tried.ok;
}

function listening(where: ListenOptions): Promise<Outcome<Server, string | undefined>> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error: NodeJS.ErrnoException) => {
      resolve(failed(error.code));
    });
    server.listen(where, () => {
      resolve(done(server));
    });
  });
}
