import { once } from 'node:events';
import { connect } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { expect, it, onTestFinished } from 'vitest';
import { BusError } from '../../agents/world/bus-error.ts';
import { serveWorld } from '../../agents/world/http.ts';

/** A world with one route that fails, one that makes a mistake, and one that takes 16 bytes; what it logs goes to `lines`. */
function worldTo(lines: string[]): FastifyInstance {
  const http = Fastify({ logger: { level: 'error', stream: { write: (line) => void lines.push(line) } } });
  serveWorld(http, (world) => {
    world.get('/away', () => Promise.reject(new BusError('gone')));
    world.get('/mistaken', () => Promise.reject(new Error('the key is under the mat')));
    world.post('/small', { bodyLimit: 16 }, async () => 'taken');
  });
  onTestFinished(() => http.close());
  return http;
}

/** Everything that comes back, with how the connection ended. */
async function answerTo(http: FastifyInstance, head: string, pieces: readonly string[]): Promise<string> {
  const { port } = new URL(await http.listen({ host: '127.0.0.1', port: 0 }));
  const socket = connect(Number(port), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  socket.on('error', (error) => (answer += `, then ${error.name}`));
  const closed = once(socket, 'close');
  socket.write(head);
  for (const piece of pieces) {
    await new Promise((sent) => setImmediate(sent));
    if (!socket.destroyed) socket.write(piece);
  }
  await closed;
  return answer;
}

it('a body that is too long is answered, though it is refused before the last of it has come', async () => {
  const piece = 'x'.repeat(65_536);
  const head = `POST /small HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${100 * piece.length}\r\n\r\n`;
  const answer = await answerTo(
    worldTo([]),
    head,
    Array.from({ length: 100 }, () => piece),
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 [^]*\{"error":"Request body is too large"\}$/);
});

it('a body that never ends is answered too, and its connection closed', async () => {
  const head = 'POST /small HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  const answer = await answerTo(worldTo([]), head, ['20\r\n', 'x'.repeat(32), '\r\n']);
  expect(answer).toMatch(/^HTTP\/1\.1 413 [^]*\{"error":"Request body is too large"\}$/);
});

it('while memcached is away the log says so once, however often somebody asks; each mistake it says', async () => {
  const lines: string[] = [];
  const http = worldTo(lines);
  for (let asked = 0; asked < 50; asked += 1) expect((await http.inject('/away')).statusCode).toBe(503);
  expect(lines).toHaveLength(1);
  for (let asked = 0; asked < 2; asked += 1) {
    expect((await http.inject('/mistaken')).json()).toEqual({ error: 'this part of the world made a mistake' });
  }
  expect(lines).toHaveLength(3);
});
