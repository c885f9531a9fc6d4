import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { drained } from '../withstand/drained.ts';
import { valuesOf } from '../withstand/message-reader.ts';
import { patternPiece } from '../withstand/pattern.ts';
import { type SeenRequest, StrictBackend, breakOff, switchProtocols } from '../withstand/strict-backend.ts';

/**
 * An agent on bare sockets that does what it is asked to, faults included. It reads strictly, and says `MALFORMED` where the
 * daemon sent it something that can be read in two ways.
 */
const HEADS = {
  length: (bytes: number) => `Content-Length: ${bytes}\r\n`,
  chunked: () => 'Transfer-Encoding: chunked\r\n',
  close: () => 'Connection: close\r\n',
} as const;
const PIECE_BYTES = 32 * 1024;
const hashes = new WeakMap<SeenRequest, ReturnType<typeof createHash>>();

const backend = new StrictBackend({
  began: (request, socket) => {
    hashes.set(request, createHash('sha256'));
    const { path } = asked(request);
    if (valuesOf(request.lines, 'expect').length > 0) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    if (path === '/too-large') {
      void say(socket, 413, 'too large', 'Connection: close\r\n');
      socket.end();
    }
  },
  bodyCame: (request, socket, chunk) => {
    hashes.get(request)?.update(chunk);
    const { path, number } = asked(request);
    if (path !== '/sink' || number('slow') === 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), number('slow'));
  },
  whole: (request, socket) => {
    serve(request, socket).catch(() => socket.destroy());
  },
});

async function serve(request: SeenRequest, socket: Socket): Promise<void> {
  const { path, number, text } = asked(request);
  switch (path) {
    case '/api/health':
      return say(socket, 200, 'well');
    case '/bytes':
      return bytes(socket, number('body'), number('bytes'), text('framing') as keyof typeof HEADS, request.method === 'HEAD');
    case '/reset':
      return reset(socket, number('body'), number('bytes'), number('at'));
    case '/nonsense':
      return void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!');
    case '/sink':
      return say(socket, 200, JSON.stringify({ bytes: request.bodyBytes, sha256: hashes.get(request)?.digest('hex') }));
    case '/events':
      return events(socket, number('count'), number('every'));
    case '/echo':
      if (!request.isUpgrade) return say(socket, 426, 'an upgrade is wanted');
      switchProtocols(socket);
      socket.on('data', (chunk: Buffer) => {
        if (socket.write(chunk)) return;
        socket.pause();
        socket.once('drain', () => socket.resume());
      });
      return;
    case '/too-large':
      return;
    default:
      return say(socket, 404, 'nothing here');
  }
}

async function say(socket: Socket, status: number, body: string, lines = ''): Promise<void> {
  socket.write(`HTTP/1.1 ${status} Said\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${lines}\r\n${body}`);
}

async function bytes(socket: Socket, body: number, count: number, framing: keyof typeof HEADS, isHead: boolean): Promise<void> {
  socket.write(`HTTP/1.1 200 OK\r\n${HEADS[framing](count)}\r\n`);
  for (let at = 0; at < count && !isHead;) {
    const piece = patternPiece(body, at, Math.min(PIECE_BYTES, count - at));
    at += piece.length;
    if (framing === 'chunked') socket.write(`${piece.length.toString(16)}\r\n`);
    const goesOn = socket.write(piece);
    if (framing === 'chunked') socket.write('\r\n');
    if (!goesOn) await drained(socket);
    if (socket.destroyed) return;
  }
  if (framing === 'chunked' && !isHead) socket.write('0\r\n\r\n');
  if (framing === 'close') socket.end();
}

/** Says how much there is, and breaks off before. */
async function reset(socket: Socket, body: number, count: number, at: number): Promise<void> {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${count}\r\n\r\n`);
  for (let sent = 0; sent < at;) {
    const piece = patternPiece(body, sent, Math.min(PIECE_BYTES, at - sent));
    sent += piece.length;
    if (!socket.write(piece)) await drained(socket);
    if (socket.destroyed) return;
  }
  await pause(5);
  breakOff(socket, 'reset');
}

async function events(socket: Socket, count: number, everyMs: number): Promise<void> {
  socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
  for (let number = 1; number <= count && !socket.destroyed; number += 1) {
    const event = `data: ${number}\n\n`;
    socket.write(`${event.length.toString(16)}\r\n${event}\r\n`);
    await pause(everyMs);
  }
  socket.write('0\r\n\r\n');
}

function asked({ target }: SeenRequest): { path: string; number: (name: string) => number; text: (name: string) => string } {
  const { pathname, searchParams } = new URL(target, 'http://agent');
  return { path: pathname, number: (name) => Number(searchParams.get(name) ?? 0), text: (name) => searchParams.get(name) ?? '' };
}

await backend.open(Number(process.env['PORT']));
setInterval(() => {
  for (const what of backend.malformed.splice(0)) console.log(`MALFORMED ${what}`);
  backend.requests.length = 0;
}, 200);
process.once('SIGTERM', () => process.exit(0));
