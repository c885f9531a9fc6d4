import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { WebSocket } from 'ws';

/** Requests as any client makes them: node:http to 127.0.0.1, the name in Host. */
export interface Call {
  /** Where to connect; 127.0.0.1 when nothing is said. */
  readonly address?: string;
  readonly port: number;
  readonly host?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** None: a connection of its own, closed afterwards. */
  readonly agent?: Agent;
  /** Called with the head, before the body has come. */
  readonly onHead?: () => void;
  /** Called with each piece of the body. False: enough, the connection is cut. */
  readonly onData?: (text: string) => boolean;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly text: string;
  /** The body as JSON; a test knows what it expects there. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any;
}

/** Resolves once the whole answer is there. Rejects when the connection is refused, reset, or ends before that. */
export function call(options: Call): Promise<Reply> {
  const { address = '127.0.0.1', port, host = address, method = 'GET', path = '/', body } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: address,
        port,
        method,
        path,
        agent: options.agent ?? false,
        headers: {
          host: `${host}:${port}`,
          ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
          ...options.headers,
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        options.onHead?.();
        incoming.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          if (options.onData?.(chunk.toString('utf8')) === false) outgoing.destroy(new Error('the test has seen enough'));
        });
        incoming.on('error', reject);
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            rawHeaders: incoming.rawHeaders,
            text,
            get json() {
              return JSON.parse(text);
            },
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A WebSocket that is open, and how it ends. */
export interface OpenSocket {
  readonly socket: WebSocket;
  readonly closed: Promise<Closed>;
  /** Sends a message and resolves to the one that comes back. */
  ask(message: string): Promise<string>;
}

/** Rejects with the status when the upgrade was answered by something else than 101. */
export function openSocket(port: number, host: string, path: string, address = '127.0.0.1'): Promise<OpenSocket> {
  const socket = new WebSocket(`ws://${address}:${port}${path}`, { headers: { host: `${host}:${port}` } });
  const closed = new Promise<Closed>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  return new Promise((resolve, reject) => {
    socket.once('unexpected-response', (_request, response) => {
      response.resume();
      reject(new Error(`upgrade answered with ${String(response.statusCode)}`));
    });
    socket.once('error', reject);
    socket.once('open', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      const ask = (message: string): Promise<string> =>
        new Promise((answered, lost) => {
          socket.once('message', (answer: Buffer) => answered(answer.toString()));
          void closed.then(({ code }) => lost(new Error(`the WebSocket closed with ${code}`)));
          socket.send(message);
        });
      resolve({ socket, closed, ask });
    });
  });
}
