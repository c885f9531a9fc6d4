import { createHash } from 'node:crypto';
import { type ServerResponse, createServer } from 'node:http';

/**
 * An agent that counts what reaches it, and says what it was: each answer tells the bytes of the request's body and their
 * hash, and how many requests there were so far, health checks aside. `/stream` sends a line every 50 ms until somebody asks
 * for `/finish`; every WebSocket is an echo. It shares no code with the kit, and keeps connections for 5 s as node does.
 */
const { PORT, HOST } = process.env;
const LINE_EVERY_MS = 50;
const streams = new Set<ServerResponse>();
let requests = 0;

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://agent');
  if (pathname !== '/api/health') requests += 1;
  const hash = createHash('sha256');
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  request.on('end', () => {
    if (pathname === '/stream') {
      stream(response, request.headers.accept === 'text/event-stream');
      return;
    }
    if (pathname === '/finish') for (const open of streams) open.end('data: end\n\n');
    const told = { pid: process.pid, method: request.method, path: pathname, requests, bytes, sha256: hash.digest('hex') };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(told));
  });
});

function stream(response: ServerResponse, isEvents: boolean): void {
  streams.add(response);
  response.writeHead(200, { 'content-type': isEvents ? 'text/event-stream' : 'application/octet-stream' });
  let lines = 0;
  const timer = setInterval(() => response.write(`data: ${String((lines += 1))}\n\n`), LINE_EVERY_MS);
  response.on('close', () => {
    clearInterval(timer);
    streams.delete(response);
  });
}

// Loaded when somebody wants it: every start of this program would wait for it otherwise.
server.on('upgrade', (request, socket, head) => {
  void import('ws').then(({ WebSocketServer }) => {
    new WebSocketServer({ noServer: true }).handleUpgrade(request, socket, head, (open) => {
      open.on('message', (message, binary) => open.send(message, { binary }));
    });
  });
});

server.listen(Number(PORT), HOST);
