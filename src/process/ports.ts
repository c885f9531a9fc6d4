import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { type Outcome, done, failed } from '../std/outcome.ts';

/**
 * Ports for tasks. They come from below the range that Linux gives to outgoing connections (32768 and up): a port from in
 * there can be taken by any connection between the test here and the moment the agent listens. Another program may still be
 * quicker; then the agent ends with EADDRINUSE and its next start gets another port.
 */
const FIRST = 20_000;
const LAST = 32_767;
const TRIES = 100;

export class PortPool {
  private readonly host: string;
  private readonly reserved: () => ReadonlySet<number>;
  /** Written here only: ports of tasks of which something is left. */
  private readonly held = new Set<number>();

  /** `reserved` is what must never be given away: the daemon's own ports. */
  constructor(host: string, reserved: () => ReadonlySet<number>) {
    this.host = host;
    this.reserved = reserved;
  }

  /** Holds a port until {@link free}: `fixed`, or any that nobody listens on. */
  async take(fixed: number | null): Promise<Outcome<number, string>> {
    const reserved = this.reserved();
    if (fixed !== null) {
      if (reserved.has(fixed) || this.held.has(fixed))
        return failed(`port ${fixed} is held by another task or by the daemon itself`);
      this.held.add(fixed);
      return done(fixed);
    }
    const start = randomInt(FIRST, LAST + 1);
    const count = LAST - FIRST + 1;
    let tries = 0;
    for (let step = 0; step < count && tries < TRIES; step += 1) {
      const port = FIRST + ((start - FIRST + step) % count);
      if (reserved.has(port) || this.held.has(port)) continue;
      tries += 1;
      // Held before it is tried: two starts at once must not try the same one.
      this.held.add(port);
      if (await canListen(this.host, port)) return done(port);
      this.held.delete(port);
    }
    return failed(`no free port found in ${tries} tries between ${FIRST} and ${LAST}`);
  }

  free(port: number): void {
    this.held.delete(port);
  }
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
