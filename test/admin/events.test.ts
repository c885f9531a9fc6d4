import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { ADMIN_TOKEN } from './support/fake-control.ts';
import { expectProblem, injected, listening } from './support/port.ts';
import { dial, exchange, readUntil } from './support/raw.ts';

const REQUEST = `GET /admin/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`;
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the event stream', () => {
  let port: Awaited<ReturnType<typeof listening>>;
  beforeEach(async () => {
    port = await listening();
  });
  afterEach(async () => {
    await port.close();
    expect(port.control.readers.size, 'no reader is left behind').toBe(0);
    expect(port.clock.pending, 'no alarm is left behind').toBe(0);
  });

  /** A reader whose head has come: from now on it misses nothing. */
  async function reader(): Promise<{ readonly socket: Socket; readonly head: string }> {
    const socket = await dial(port.port);
    socket.write(REQUEST);
    return { socket, head: await readUntil(socket, '\r\n\r\n') };
  }
  const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve));

  it('begins with its head at once, uncached and unbuffered, before anything has happened', async () => {
    const { socket, head } = await reader();
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head.toLowerCase()).toContain('content-type: text/event-stream');
    expect(head.toLowerCase()).toContain('cache-control: no-store');
    expect(head.toLowerCase()).toContain('x-accel-buffering: no');
    expect(head.toLowerCase()).toMatch(/x-request-id: [0-9a-f-]{36}/);
    socket.destroy();
    await closed(socket);
  });

  it('sends each event with id, event and data, in order, to every reader', async () => {
    const readers = [await reader(), await reader()];
    const texts = readers.map(({ socket }) => readUntil(socket, 'id: 2\nevent: agent.ready\n'));
    port.control.publish('agent.starting', 'kai', { from: 'sleeping', to: 'starting' });
    port.control.publish('agent.ready', 'kai', { from: 'starting', to: 'ready', ms: 12 });
    for (const text of await Promise.all(texts)) {
      expect(text).toContain(
        'id: 1\nevent: agent.starting\ndata: {"id":1,"type":"agent.starting","agent":"kai","at":"2026-01-01T00:00:00.000Z","from":"sleeping","to":"starting"}\n\n',
      );
      expect(text.indexOf('id: 1\n')).toBeLessThan(text.indexOf('id: 2\n'));
    }
    for (const { socket } of readers) socket.destroy();
    await Promise.all(readers.map(({ socket }) => closed(socket)));
  });

  it('says that it is still there every 15 s', async () => {
    const { socket } = await reader();
    for (let round = 0; round < 3; round += 1) {
      const comment = readUntil(socket, ': still here\n\n');
      await port.clock.advance(15_000);
      await comment;
    }
    socket.destroy();
    await closed(socket);
  });

  it('a reader that goes away is forgotten', async () => {
    const { socket } = await reader();
    expect(port.control.readers.size).toBe(1);
    socket.destroy();
    while (port.control.readers.size > 0) await turn();
    port.control.publish('agent.ready', 'kai');
    await turn();
  });

  it('a reader that does not read is dropped at a limit, told so if it reads after all, and others feel nothing', async () => {
    const { socket: slow } = await reader();
    const { socket: quick } = await reader();
    slow.pause();
    let seen = 0;
    quick.on('data', (chunk: Buffer) => (seen += chunk.length));
    // The kernel holds some megabytes for a reader before anything waits with us.
    let published = 0;
    while (port.control.readers.size === 2 && published < 4000) {
      port.control.publish('agent.ready', 'kai', { filler: 'x'.repeat(16_000) });
      published += 1;
      if (published % 8 === 0) await turn();
    }
    expect(port.control.readers.size).toBe(1);
    expect(port.log.lines.map(({ message }) => message)).toContain('a slow event reader was dropped');
    const rest = readUntil(slow, 'event: dropped\ndata: {"type":"dropped"');
    slow.resume();
    await rest;
    await closed(slow);
    port.control.publish('agent.sleep', 'kai', { reason: 'idle' });
    await readUntil(quick, 'event: agent.sleep');
    expect(seen).toBeGreaterThan(published * 16_000);
    quick.destroy();
    await closed(quick);
  });

  it('a dropped reader that takes nothing is cut off after 5 s', async () => {
    const { socket } = await reader();
    socket.pause();
    for (let published = 0; port.control.readers.size > 0 && published < 4000; published += 1) {
      port.control.publish('agent.ready', 'kai', { filler: 'x'.repeat(16_000) });
      if (published % 8 === 0) await turn();
    }
    await port.clock.advance(4_999);
    expect(port.clock.pending).toBe(1);
    await port.clock.advance(1);
    // What the kernel holds is still delivered; what waited with us, the notice last, is not.
    const notice = readUntil(socket, 'event: dropped');
    socket.resume();
    await expect(notice).rejects.toThrow('closed before');
  });

  it('one reader too many is told so', async () => {
    port.control.readersMax = 1;
    const { socket } = await reader();
    const second = await exchange(port.port, 'GET /admin/events', { authorization: `Bearer ${ADMIN_TOKEN}` });
    expectProblem({ statusCode: second.status, headers: second.headers, body: second.body }, 'reader-limit');
    socket.destroy();
    await closed(socket);
  });

  it('ends when the daemon closes, without waiting for the reader', async () => {
    const { socket } = await reader();
    const ended = readUntil(socket, '0\r\n\r\n').catch(() => 'closed');
    const over = closed(socket);
    await port.server.close(millisOf(60_000));
    await Promise.all([ended, over]);
  });

  it('has no HEAD, which would have no end', async () => {
    const port = await injected();
    expectProblem(await port.ask('GET', '/admin/events', { token: '' }), 'unauthorized');
    const answer = await port.app.inject({
      method: 'HEAD',
      url: '/admin/events',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    expect(answer.statusCode).toBe(405);
    await port.app.close();
  });
});
