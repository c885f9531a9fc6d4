import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { Bench, bodyOf, problemOf, statusOf } from './support/bench.ts';
import { type RawConnection, settled, until, values } from './support/raw.ts';

/** Upgrades and what comes after them (RFC 6455, contract section 2). */
let bench: Bench;
afterEach(() => bench.close());

const UPGRADE =
  'GET /ws HTTP/1.1\r\nHost: kai.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a2V5\r\nSec-WebSocket-Version: 13\r\n\r\n';
const SWITCHING =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: accept\r\n\r\n';
const switching = (connection: RawConnection) => connection.socket.once('data', () => connection.send(SWITCHING));
const CLOSE_1001 = '\x88\x02\x03\xe9';

/** An open tunnel, both ends in hand. */
async function open(
  script: (connection: RawConnection) => void = switching,
): Promise<{ client: RawConnection; agent: RawConnection }> {
  bench = await Bench.open({ script });
  const client = await bench.client(true);
  await client.send(UPGRADE).until('\r\n\r\n');
  const agent = await bench.backend.connection(0);
  client.received = '';
  agent.received = '';
  return { client, agent };
}

/** Turns of real I/O, each followed by simulated time. */
async function pass(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 100) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    await bench.clock.advance(100);
  }
}

describe('the upgrade', () => {
  test('"Connection: keep-alive, Upgrade" works; extensions, subprotocols and keys pass untouched', async () => {
    bench = await Bench.open({
      script: (connection) =>
        connection.socket.once('data', () =>
          connection.send(SWITCHING.replace('\r\n\r\n', '\r\nSec-WebSocket-Protocol: b\r\n\r\n')),
        ),
    });
    const client = await bench.client();
    const answer = await client
      .send(UPGRADE.replace('\r\n\r\n', '\r\nSec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: x; y=1\r\n\r\n'))
      .until('\r\n\r\n');
    const head = bench.backend.received;
    expect(values(head, 'connection')).toEqual(['Upgrade']);
    expect(values(head, 'upgrade')).toEqual(['websocket']);
    expect(values(head, 'sec-websocket-key')).toEqual(['a2V5']);
    expect(values(head, 'sec-websocket-protocol')).toEqual(['a, b']);
    expect(values(head, 'sec-websocket-extensions')).toEqual(['x; y=1']);
    expect(values(head, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(statusOf(answer)).toBe(101);
    expect(values(answer, 'sec-websocket-accept')).toEqual(['accept']);
    expect(values(answer, 'sec-websocket-protocol')).toEqual(['b']);
    expect(values(answer, 'connection')).toEqual(['Upgrade']);
    expect(bench.agent.upgraded).toBe(1);
    expect(bench.metrics.values.get('requests_total{agent="kai",class="1xx"}')).toBe(1);
  });

  test('hop-by-hop lines of a 101 are dropped like those of any answer (Caddy CVE-2026-55458)', async () => {
    bench = await Bench.open({
      script: (connection) =>
        connection.socket.once('data', () =>
          connection.send(
            SWITCHING.replace('Connection: Upgrade', 'Connection: Upgrade, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 2'),
          ),
        ),
    });
    const client = await bench.client();
    const answer = await client.send(UPGRADE).until('\r\n\r\n');
    expect(values(answer, 'x-secret')).toEqual([]);
    expect(values(answer, 'keep-alive')).toEqual([]);
  });

  test('bytes behind the upgrade request are held until the 101, then passed first (Pingora CVE-2026-2833)', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client();
    client.send(`${UPGRADE}GET /secret HTTP/1.1\r\nHost: kai.test\r\n\r\n`);
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    client.send('more');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(agent.received).not.toContain('/secret');
    agent.received = '';
    agent.send(`${SWITCHING}hi`);
    await client.until('\r\n\r\nhi');
    expect(await agent.until('more')).toBe('GET /secret HTTP/1.1\r\nHost: kai.test\r\n\r\nmore');
  });

  test('bytes behind a refused upgrade reach nobody, and the connection ends', async () => {
    bench = await Bench.open({
      script: (connection) =>
        connection.socket.once('data', () => connection.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')),
    });
    const answer = await bench.exchange(`${UPGRADE}GET /secret HTTP/1.1\r\nHost: kai.test\r\n\r\n`);
    expect(answer).not.toContain('HTTP/1.1 200');
    expect(bench.backend.received).not.toContain('/secret');
  });

  test.each([200, 302, 403, 426])(
    'a %i to an upgrade is passed on as a plain answer, never as a tunnel (Envoy CVE-2024-23326)',
    async (status) => {
      bench = await Bench.open({
        script: (connection) =>
          connection.socket.once('data', () =>
            connection.send(`HTTP/1.1 ${status} X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n`),
          ),
      });
      const answer = await bench.exchange(UPGRADE);
      expect(statusOf(answer)).toBe(status);
      expect(values(answer, 'connection')).toEqual(['close']);
      expect(bodyOf(answer)).toBe('2\r\nno\r\n0\r\n\r\n');
      expect(bench.agent.upgraded).toBe(0);
      expect(bench.agent.open).toBe(0);
    },
  );

  test('a 101 to something else than websocket is 502 upstream-invalid', async () => {
    bench = await Bench.open({
      script: (connection) => connection.socket.once('data', () => connection.send(SWITCHING.replace('websocket', 'h2c'))),
    });
    expect(problemOf(await bench.exchange(UPGRADE))).toBe('upstream-invalid');
  });

  test('an upgrade whose agent is out of reach is 502 upstream-refused', async () => {
    bench = await Bench.open();
    await bench.backend.close();
    expect(problemOf(await bench.exchange(UPGRADE))).toBe('upstream-refused');
  });

  test('an upgrade pipelined behind an unfinished request ends the connection: its 101 would overtake the answer', async () => {
    bench = await Bench.open({ script: () => undefined });
    expect(await bench.exchange(`GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n${UPGRADE}`)).toBe('');
    expect(bench.agent.upgraded).toBe(0);
    await until(() => bench.agent.open === 0, 'the end of the first request');
  });

  test('a client that ends before the 101 ends the request to the agent', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client();
    client.send(UPGRADE);
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    client.socket.end();
    await until(() => agent.closed && bench.agent.open === 0, 'the end of it all');
  });
});

describe('the tunnel', () => {
  test('bytes pass both ways untouched, and only heads of data frames are activity', async () => {
    const { client, agent } = await open();
    const frames = '\x82\x03abc\x89\x00\x8a\x00\x81\x7e\x00\x80' + 'x'.repeat(128) + '\x88\x00';
    for (const byte of frames) client.send(byte);
    expect(await agent.until('\x88\x00')).toBe(frames);
    expect(bench.agent.touched).toBe(2);
    agent.send(frames);
    expect(await client.until('\x88\x00')).toBe(frames);
    expect(bench.agent.touched).toBe(4);
    expect(bench.metrics.values.get('proxied_bytes_total{agent="kai",direction="in"}')).toBe(frames.length);
  });

  test('32 MiB pass at the pace of a slow reader, byte for byte', async () => {
    const { client, agent } = await open();
    const block = randomBytes(1024 * 1024);
    const hash = createHash('sha256');
    client.socket.on('data', (chunk: Buffer) => hash.update(chunk));
    client.socket.pause();
    const wanted = createHash('sha256');
    const before = client.bytes;
    for (let round = 0; round < 32; round += 1) {
      agent.socket.write(block);
      wanted.update(block);
    }
    await settled(() => agent.socket.writableLength);
    // Held back at the agent, not piled up in between.
    expect(agent.socket.writableLength).toBeGreaterThan(0);
    client.socket.resume();
    await until(() => client.bytes - before === 32 * block.length, 'all of it');
    expect(hash.digest('hex')).toBe(wanted.digest('hex'));
  });

  test.each(['client', 'agent'] as const)(
    'when the %s ends, what was read is delivered, the other is ended, and it counts no more',
    async (first) => {
      const ends = await open();
      const other = first === 'client' ? ends.agent : ends.client;
      ends[first].socket.end('last words', 'latin1');
      await other.until('last words');
      await until(() => other.ended, 'the end of the other side');
      await until(() => bench.agent.open === 0, 'the end of the work');
    },
  );

  test("there is no half-close: a side that will not end is gone within 2 s of the other's end", async () => {
    bench = await Bench.open({ script: switching });
    const client = await bench.client(true);
    await client.send(UPGRADE).until('\r\n\r\n');
    const agent = await bench.backend.connection(0);
    agent.socket.end();
    await until(() => client.ended, 'the end of the client side');
    client.send('x');
    await pass(1_000);
    expect(client.closed).toBe(false);
    await pass(1_000);
    // Nobody is there any more to take it: the first write is answered with a reset, the second fails.
    await until(() => client.send('x').closed, 'the end of the tunnel');
  });

  test.each(['client', 'agent'] as const)('when the %s is reset, the other is ended', async (first) => {
    const ends = await open();
    const other = first === 'client' ? ends.agent : ends.client;
    ends[first].socket.resetAndDestroy();
    await until(() => other.ended || other.closed, 'the end of the other side');
    expect(bench.agent.open).toBe(0);
  });

  test('cut puts a Close 1001 in at the frame boundary, both ways, masked towards the agent', async () => {
    const { client, agent } = await open();
    client.send('\x81\x01a');
    await agent.until('\x81\x01a');
    for (const cut of [...bench.agent.cuts]) cut();
    await until(() => client.ended && agent.ended, 'both ends');
    expect(client.received).toBe(CLOSE_1001);
    const close = Buffer.from(agent.received.slice(3), 'latin1');
    expect([...close.subarray(0, 2)]).toEqual([0x88, 0x82]);
    const key = close.subarray(2, 6);
    expect([...close.subarray(6)].map((byte, at) => byte ^ (key[at] ?? 0))).toEqual([0x03, 0xe9]);
    expect(bench.agent.open).toBe(0);
  });

  test('inside a frame the tunnel is just ended', async () => {
    const { client, agent } = await open();
    agent.send('\x81\x05abc');
    await client.until('abc');
    client.send('\x81');
    await agent.until('\x81');
    for (const cut of [...bench.agent.cuts]) cut();
    await until(() => client.ended && agent.ended, 'both ends');
    expect(client.received).toBe('\x81\x05abc');
    expect(agent.received).toBe('\x81');
  });

  test('a real WebSocket library talks through it: echo, subprotocol, compression, close code', async () => {
    const http = createServer();
    const agents = new WebSocketServer({ server: http, perMessageDeflate: true, handleProtocols: () => 'chat' });
    agents.on('connection', (socket) => {
      socket.on('message', (message: Buffer, isBinary) => {
        if (message.toString() === 'bye') socket.close(4321, 'done');
        else socket.send(message, { binary: isBinary });
      });
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const address = http.address();
    if (address === null || typeof address === 'string') throw new Error('no address');
    bench = await Bench.open();
    bench.agent.target = { key: 'ws', address: { host: '127.0.0.1', port: address.port } };
    const socket = new WebSocket(`ws://127.0.0.1:${bench.address.port}/`, ['chat'], { headers: { host: 'kai.test' } });
    await once(socket, 'open');
    expect(socket.protocol).toBe('chat');
    expect(socket.extensions).toContain('permessage-deflate');
    const large = 'y'.repeat(300_000);
    socket.send(large);
    expect(String((await once(socket, 'message'))[0])).toBe(large);
    socket.send('bye');
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(4321);
    await until(() => bench.agent.open === 0, 'the end of the work');
    agents.close();
    http.close();
  });
});
