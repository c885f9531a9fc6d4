import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../../src/ports/engine.ts';
import { RequestReader, type ReadRequest, valueOf } from './request-reading.ts';
import { EARLY, SWITCH } from './requests.ts';

/** A request as it came to the agent. */
export interface Reached {
  readonly request: ReadRequest;
  /** What came behind an upgrade that was agreed to. */
  readonly behind: () => string;
}

/**
 * An agent that answers everything it can read, with what it has read, and keeps its connections. It reads with llhttp, and
 * says so when llhttp finds something that is no request: then it was sent what no front may send.
 */
export class RecordingAgent {
  /** By X-Request-Id, which the front makes: everything that came under it. */
  readonly reached = new Map<string, Reached[]>();
  /** What was no request, or had no id. */
  readonly nonsense: string[] = [];
  wholeRequests = 0;
  address: Address = { host: '127.0.0.1', port: 0 };
  private readonly sockets = new Set<Socket>();
  private readonly server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.connected(socket));

  async open(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('no address');
    this.address = { host: '127.0.0.1', port: address.port };
    return this;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private connected(socket: Socket): void {
    this.sockets.add(socket);
    const answered = new Set<ReadRequest>();
    const answer = (request: ReadRequest, text: string): void => {
      answered.add(request);
      socket.write(text, 'latin1');
    };
    const reader: RequestReader = new RequestReader(
      ({ url }) => url.includes(SWITCH),
      (request) => {
        this.wholeRequests += 1;
        if (!answered.has(request)) answer(request, answerTo(request, reader));
      },
      (request) => {
        const id = valueOf(request, 'x-request-id');
        if (id === null) this.nonsense.push(`a request without an id: ${JSON.stringify(request)}`);
        else this.note(id, { request, behind: () => reader.rest });
        if (valueOf(request, 'expect') === null) return;
        if (request.url.includes(EARLY))
          answer(request, 'HTTP/1.1 417 Expectation Failed\r\nX-Agent: 1\r\nContent-Length: 0\r\n\r\n');
        else socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      },
    );
    let bytes = '';
    socket.on('data', (chunk) => {
      bytes = (bytes + chunk.toString('latin1')).slice(-10_000);
      const refused = reader.feed(chunk);
      if (refused === null) return;
      this.nonsense.push(`no request, ${refused}: ${JSON.stringify(bytes)}`);
      socket.destroy();
    });
    socket.on('end', () => socket.end());
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.sockets.delete(socket);
      reader.end();
    });
  }

  private note(id: string, reached: Reached): void {
    const known = this.reached.get(id);
    if (known === undefined) this.reached.set(id, [reached]);
    else known.push(reached);
  }
}

/** What the agent says of a request, so that an answer can be told from those to others. */
export const echo = ({ method, url, body }: ReadRequest): string => `${method} ${url} ${body.length}`;

function answerTo(request: ReadRequest, { isSwitched, isDeclined }: RequestReader): string {
  if (isSwitched)
    return 'HTTP/1.1 101 Switching Protocols\r\nX-Agent: 1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n';
  const text = echo(request);
  const body = request.method === 'HEAD' ? '' : text;
  const chosen = text.length % 4;
  if (chosen === 0)
    return `HTTP/1.1 200 OK\r\nX-Agent: 1\r\nTransfer-Encoding: chunked\r\n\r\n${body && `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`}`;
  const hints = chosen === 1 ? 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' : '';
  const status = isDeclined ? '403 Forbidden' : '200 OK';
  return `${hints}HTTP/1.1 ${status}\r\nX-Agent: 1\r\nContent-Length: ${text.length}\r\n\r\n${body}`;
}
