import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../../src/ports/engine.ts';

/** Longest a test waits for something that has to come. It only bounds a failing test; no passing one depends on it. */
const PATIENCE_MS = 5_000;

/** Resolves once `condition` holds, looked at on every turn of the event loop; fails after {@link PATIENCE_MS}. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`it never came true: ${what}`);
    await sleep(1);
  }
}

/** Resolves with what `figure` says once it has not moved for a while: buffers are full, or empty. */
export async function settled(figure: () => number): Promise<number> {
  let before = Number.NaN;
  for (let same = 0; same < 4;) {
    await sleep(40);
    same = figure() === before ? same + 1 : 0;
    before = figure();
  }
  return before;
}

/** One TCP connection that keeps every byte it gets, as latin1 text. */
export class RawConnection {
  readonly socket: Socket;
  received = '';
  bytes = 0;
  ended = false;
  closed = false;
  failure: NodeJS.ErrnoException | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (this.received.length < 1_000_000) this.received += chunk.toString('latin1');
    });
    socket.on('end', () => (this.ended = true));
    socket.on('close', () => (this.closed = true));
    socket.on('error', (error) => (this.failure = error));
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Resolves with all that came so far, once it contains `part`. */
  async until(part: string): Promise<string> {
    await until(() => this.received.includes(part) || this.closed, `${JSON.stringify(part)} in ${JSON.stringify(this.received)}`);
    if (!this.received.includes(part)) throw new Error(`closed before ${JSON.stringify(part)}: ${JSON.stringify(this.received)}`);
    return this.received;
  }

  async untilClosed(): Promise<string> {
    await until(() => this.closed, `the end, after ${JSON.stringify(this.received)}`);
    return this.received;
  }
}

export async function dial(to: Address | string, allowHalfOpen = false): Promise<RawConnection> {
  const socket = typeof to === 'string' ? connect({ path: to }) : connect({ host: to.host, port: to.port, allowHalfOpen });
  const connection = new RawConnection(socket);
  await once(socket, 'connect');
  return connection;
}

/** A backend without any HTTP of its own: a script per connection, and every byte kept. */
export class RawBackend {
  readonly connections: RawConnection[] = [];
  address: Address = { host: '127.0.0.1', port: 0 };
  private readonly server: Server;

  constructor(script: (connection: RawConnection, index: number) => void) {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      const connection = new RawConnection(socket);
      this.connections.push(connection);
      socket.on('end', () => socket.end());
      script(connection, this.connections.length - 1);
    });
  }

  async open(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('no address');
    this.address = { host: '127.0.0.1', port: address.port };
    return this;
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** All bytes of all connections. */
  get received(): string {
    return this.connections.map((connection) => connection.received).join('');
  }

  /** Waits for the `index`th connection. */
  async connection(index: number): Promise<RawConnection> {
    await until(() => this.connections.length > index, `connection ${index} at the backend`);
    const connection = this.connections[index];
    if (connection === undefined) throw new Error('unreachable');
    return connection;
  }
}

/** Answers every complete head without a body with `answer`; keeps the connection unless told otherwise. */
export function answering(answer: string): (connection: RawConnection) => void {
  return (connection) => {
    let answered = 0;
    connection.socket.on('data', () => {
      const heads = connection.received.split('\r\n\r\n').length - 1;
      for (; answered < heads; answered += 1) connection.send(answer);
    });
  };
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Heads of all requests in `bytes`, for requests without bodies. */
export const headsIn = (bytes: string): string[] => bytes.split('\r\n\r\n').slice(0, -1);

/** The values of one header in a head, in order. */
export function values(head: string, name: string): string[] {
  return head
    .split('\r\n')
    .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    .map((line) => line.slice(name.length + 1).trim());
}
