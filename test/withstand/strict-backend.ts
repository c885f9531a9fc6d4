import { once } from 'node:events';
import { type Server, type Socket, createServer } from 'node:net';
import type { Address } from '../../src/ports/engine.ts';
import { type Line, Malformed, MessageReader, framingOf, valuesOf } from './message-reader.ts';

/** A backend that accounts for every byte it is sent, and takes none of them in good faith. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly lines: readonly Line[];
  readonly isUpgrade: boolean;
  bodyBytes: number;
  isWhole: boolean;
}

/** What it does at each point of a connection's life. All but `whole` may be left out. */
export interface Script {
  readonly accepted?: (socket: Socket) => void;
  /** Bytes came; so many in all on this connection. */
  readonly came?: (socket: Socket, bytes: number) => void;
  readonly began?: (request: SeenRequest, socket: Socket) => void;
  readonly bodyCame?: (request: SeenRequest, socket: Socket, chunk: Buffer) => void;
  readonly whole: (request: SeenRequest, socket: Socket) => void;
}

export class StrictBackend {
  /** Those whose head came, in order. */
  readonly requests: SeenRequest[] = [];
  /** What was wrong with what came. */
  readonly malformed: string[] = [];
  readonly sockets = new Set<Socket>();
  address: Address = { host: '127.0.0.1', port: 0 };
  /** May be changed at any time. */
  script: Script;
  private readonly server: Server;

  constructor(script: Script) {
    this.script = script;
    this.server = createServer({ noDelay: true }, (socket) => this.accepted(socket));
  }

  async open(port = 0): Promise<this> {
    this.server.listen({ host: '127.0.0.1', port, backlog: 1024 });
    await once(this.server, 'listening');
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('no address');
    this.address = { host: address.address, port: address.port };
    return this;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accepted(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
    let current: SeenRequest | null = null;
    let bytes = 0;
    const reader = new MessageReader({
      head: (startLine, lines) => {
        current = requestOf(startLine, lines);
        this.requests.push(current);
        this.script.began?.(current, socket);
        return framingOf(lines, 'none');
      },
      body: (chunk) => {
        if (current === null || over.has(socket)) return;
        current.bodyBytes += chunk.length;
        this.script.bodyCame?.(current, socket, chunk);
      },
      end: () => {
        if (current === null || over.has(socket)) return;
        current.isWhole = true;
        this.script.whole(current, socket);
      },
      malformed: (what) => {
        this.malformed.push(what);
        socket.destroy();
      },
    });
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      this.script.came?.(socket, bytes);
      if (!over.has(socket)) reader.read(chunk);
    });
    this.script.accepted?.(socket);
  }
}

/** What comes on these is not read any more: they were broken off, or speak another protocol. */
const over = new WeakSet<Socket>();

/** `end`: a FIN, as of a process that stops in order. */
export function breakOff(socket: Socket, by: 'reset' | 'end'): void {
  over.add(socket);
  if (by === 'reset') socket.resetAndDestroy();
  else socket.destroySoon();
}

/** Answers an upgrade with 101. From here on the connection's bytes are frames, and no requests. */
export function switchProtocols(socket: Socket): void {
  over.add(socket);
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
}

function requestOf(startLine: string, lines: readonly Line[]): SeenRequest {
  const [, method = '', target = ''] = /^([A-Z-]+) (\/[\x21-\x22\x24-\x7e]*) HTTP\/1\.1$/.exec(startLine) ?? [];
  if (method === '') throw new Malformed(`the request line ${JSON.stringify(startLine)}`);
  if (valuesOf(lines, 'host').length !== 1) throw new Malformed('not one Host');
  const isUpgrade = valuesOf(lines, 'upgrade').length > 0;
  return { method, target, lines, isUpgrade, bodyBytes: 0, isWhole: false };
}

/** An answer that says what it answers, so that whoever gets another's answer knows. */
export function answerTo({ method, target, lines }: SeenRequest, more = ''): string {
  const body = `${method} ${target} ${idOf(lines)}`;
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${method === 'HEAD' ? '' : body}`;
}

export const idOf = (lines: readonly Line[]): string => valuesOf(lines, 'x-request-id').join();
