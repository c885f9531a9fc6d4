import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/**
 * WebSockets beside a Fastify server, on `ws` alone. @fastify/websocket was left out: it would bring a second way of
 * routing and hooks for what is one look-up by path here.
 */
export type OnSocket = (socket: WebSocket, request: IncomingMessage) => void;

export interface Sockets {
  readonly open: number;
  /** Serves upgrades to this exact path. */
  readonly serve: (path: string, onSocket: OnSocket) => void;
  /** Whether an upgrade request is one of ours. */
  readonly takes: (request: IncomingMessage) => boolean;
  /** To be called for every upgrade that was taken. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Says goodbye with 1001 and waits for the answers, at most {@link GOODBYE_MS}; then cuts. New upgrades get 503. */
  close(): Promise<void>;
}

const SOCKETS_MAX = 1000;
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** RFC 6455 section 7.4.1: "going away". */
const GOING_AWAY = 1001;
const GOODBYE_MS = 1000;

export function createSockets(): Sockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES_MAX });
  const paths = new Map<string, OnSocket>();
  let closing = false;

  return {
    get open() {
      return server.clients.size;
    },
    serve: (path, onSocket) => void paths.set(path, onSocket),
    takes: (request) => request.headers.upgrade?.toLowerCase() === 'websocket' && paths.has(pathOf(request)),
    upgrade: (request, socket, head) => {
      // Without a listener a reset while the 503 is written would end the process.
      socket.on('error', () => socket.destroy());
      const onSocket = paths.get(pathOf(request));
      if (onSocket === undefined || closing || server.clients.size >= SOCKETS_MAX) {
        socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      server.handleUpgrade(request, socket, head, (ws) => {
        // ws closes the socket itself after an error; the listener keeps it from ending the process.
        ws.on('error', () => undefined);
        onSocket(ws, request);
      });
    },
    close: async () => {
      closing = true;
      await Promise.all([...server.clients].map((socket) => sayGoodbye(socket)));
    },
  };
}

function sayGoodbye(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => socket.terminate(), GOODBYE_MS);
    socket.once('close', () => {
      clearTimeout(cut);
      resolve();
    });
    socket.close(GOING_AWAY, 'the agent is stopping');
  });
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}
