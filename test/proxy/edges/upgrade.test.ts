import { afterEach, describe, expect, test } from 'vitest';
import { Bench, bodyOf, problemOf, statusOf } from '../support/bench.ts';
import { DeafListener } from '../support/deaf-listener.ts';
import { OK, type RawConnection, settled, until, values } from '../support/raw.ts';
import { once, SWITCHING, UPGRADE } from '../support/switched.ts';
import { inShort, readWire } from '../support/wire.ts';

/** The way from an upgrade's first byte to its tunnel, and what may go wrong on it (RFC 9110 section 7.8, RFC 6455 section 4). */
let bench: Bench;
afterEach(() => bench.close());

const silent = (): void => undefined;
const HELLO = '\x81\x05hello';

/** What was sent before this has been read once it resolves, since somebody else's request behind it has been answered. */
async function read(): Promise<void> {
  const other = bench.traffic.hosts.has('mia.test') ? null : await bench.addBackend(once(OK));
  if (other !== null) bench.addAgent('mia', other.address);
  await bench.exchange('GET / HTTP/1.1\r\nHost: mia.test\r\nConnection: close\r\n\r\n');
}

/** Each byte in a packet of its own, as far as that can be asked for. */
async function dribble(connection: RawConnection, bytes: string): Promise<void> {
  for (const byte of bytes) {
    connection.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the seam between HTTP and frames', () => {
  test('RFC 6455 section 4: heads that come byte by byte, with frames right behind them, lose nothing', async () => {
    bench = await Bench.open({ script: silent });
    const client = await bench.client();
    await dribble(client, UPGRADE + HELLO);
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    agent.received = '';
    await dribble(agent, SWITCHING + HELLO);
    expect(bodyOf(await client.until(HELLO))).toBe(HELLO);
    expect(await agent.until(HELLO)).toBe(HELLO);
  });

  test.each([1, 2, 3, 4, 5, 6, 11])(
    'frames right behind a 101 that is cut %i bytes before their end are not lost',
    async (left) => {
      const bytes = SWITCHING + HELLO;
      bench = await Bench.open({ script: once(bytes.slice(0, -left)) });
      const client = await bench.client();
      client.send(UPGRADE);
      await until(() => bench.backend.received.includes('\r\n\r\n'), 'the upgrade');
      await read();
      (await bench.backend.connection(0)).send(bytes.slice(-left));
      expect(bodyOf(await client.until(HELLO))).toBe(HELLO);
    },
  );

  test('RFC 9110 section 15.2: 103 goes ahead of a 101', async () => {
    bench = await Bench.open({ script: once(`HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n${SWITCHING}${HELLO}`) });
    const client = await bench.client();
    const answer = await client.send(UPGRADE).until(HELLO);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 103', 'HTTP/1.1 101']);
  });

  test('an upgrade behind whole requests on one connection is one, and its agent sees them in order', async () => {
    bench = await Bench.open({
      script: (connection) =>
        connection.socket.on('data', (chunk: Buffer) => {
          connection.send(chunk.includes('websocket') ? SWITCHING : OK);
        }),
    });
    const client = await bench.client();
    await client.send('POST /1 HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 2\r\n\r\nhi').until('ok');
    client.send(`${UPGRADE}${HELLO}`);
    await client.until('101');
    await until(() => bench.backend.received.endsWith(HELLO), 'the frame');
    const wires = bench.backend.connections.map(({ received }) => readWire(received));
    expect(wires.flatMap(({ requests }) => requests.map(inShort))).toEqual(['POST /1 2', 'GET /ws 0']);
    expect(wires.map(({ left }) => left).join('')).toBe(HELLO);
  });
});

describe('what is not for the daemon to judge', () => {
  test.each([
    ['a version that nobody speaks', 'Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: a2V5\r\n'],
    ['no version', 'Sec-WebSocket-Key: a2V5\r\n'],
    ['no key', 'Sec-WebSocket-Version: 13\r\n'],
    ['a key that is none', 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ~\r\n'],
    ['two keys', 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Key: b\r\n'],
  ])('RFC 6455 section 4.4: %s reaches the agent as sent, and its 426 the client', async (_what, lines) => {
    const refusal =
      'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nno';
    bench = await Bench.open({ script: once(refusal) });
    const answer = await bench.exchange(
      `GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n${lines}\r\n`,
    );
    for (const name of ['Sec-WebSocket-Version', 'Sec-WebSocket-Key'])
      expect(values(bench.backend.received, name)).toEqual(values(lines, name));
    expect(statusOf(answer)).toBe(426);
    expect(values(answer, 'sec-websocket-version')).toEqual(['13, 8']);
    expect(bodyOf(answer)).toBe('no');
    expect(bench.agent.upgraded).toBe(0);
  });

  test('an upgrade is believed and told on exactly as a request is: Origin, cookies, who is calling (CVE-2026-133111)', async () => {
    bench = await Bench.open();
    const lines =
      'Origin: https://evil.test\r\nCookie: a=1\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n' +
      'X_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nCF-Connecting-IP: 6.6.6.6\r\nX-Twice: 1\r\nX-Twice: 2\r\n' +
      'X-Tenant: evil\r\nProxy-Authorization: x\r\nKeep-Alive: 9\r\n__proto__: 1\r\n';
    await bench.exchange(`GET /ws HTTP/1.1\r\nHost: kai.test\r\nConnection: close, X-Tenant, X-Forwarded-For\r\n${lines}\r\n`);
    await bench.exchange(
      `GET /ws HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade, X-Tenant, X-Forwarded-For\r\nUpgrade: websocket\r\n${lines}\r\n`,
    );
    const [plain, upgrade] = bench.backend.connections
      .flatMap(({ received }) => readWire(received).requests)
      .map((request) =>
        request.lines.filter(([name]) => !/^(?:connection|upgrade|x-request-id)$/i.test(name)).map((line) => line.join(': ')),
      );
    expect(upgrade).toEqual(plain);
    expect(upgrade).toContain('Origin: https://evil.test');
    expect(upgrade).toContain('X-Forwarded-For: 127.0.0.1');
    expect(upgrade!.join()).not.toMatch(/6\.6\.6\.6|X-Tenant|Proxy-|Keep-Alive/i);
  });
});

describe('a 101 that is none', () => {
  test.each([
    ['that says to what it does not switch', SWITCHING.replace('Upgrade: websocket\r\n', '')],
    ['whose Connection does not say so', SWITCHING.replace('Connection: Upgrade', 'Connection: close')],
    ['to one of two protocols', SWITCHING.replace('websocket', 'websocket, h2c')],
    ['to another protocol', SWITCHING.replace('websocket', 'h2c')],
    ['cut off', SWITCHING.slice(0, -4)],
  ])('%s is a 502, and never a tunnel (RFC 9110 section 7.8)', async (_what, bytes) => {
    bench = await Bench.open({ script: (connection) => void connection.socket.once('data', () => connection.socket.end(bytes)) });
    const answer = await bench.exchange(UPGRADE + HELLO);
    expect(statusOf(answer)).toBe(502);
    expect(problemOf(answer)).toMatch(/^upstream-(?:invalid|broken)$/);
    expect(bench.backend.received).not.toContain(HELLO);
    expect([bench.agent.upgraded, bench.agent.open]).toEqual([0, 0]);
    const agent = await bench.backend.connection(0);
    await until(() => agent.closed, 'the end of the connection to the agent');
  });
});

test('Envoy CVE-2024-23326: a refusal of 24 MiB goes at the pace of its client, whole, and then the connection ends', async () => {
  const size = 24 * 1024 * 1024;
  bench = await Bench.open({
    script: ({ socket }) =>
      void socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        const piece = Buffer.alloc(1024 * 1024, 'x');
        for (let sent = 0; sent < size; sent += piece.length) socket.write(piece);
      }),
  });
  const client = await bench.client();
  client.socket.pause();
  client.send(UPGRADE + HELLO);
  const agent = await bench.backend.connection(0);
  await agent.until('\r\n\r\n');
  expect(await settled(() => agent.socket.writableLength)).toBeGreaterThan(size / 4);
  client.socket.resume();
  const answer = await client.untilClosed();
  expect([statusOf(answer), values(answer, 'connection')]).toEqual([200, ['close']]);
  expect(client.bytes - answer.indexOf('\r\n\r\n') - 4).toBe(size);
  expect([bench.agent.upgraded, bench.backend.received.includes(HELLO)]).toEqual([0, false]);
});

describe('clients that do not wait', () => {
  test('@fastify/http-proxy CVE-2026-130647: a thousand upgrades in one packet are one, and the rest waits like any bytes', async () => {
    bench = await Bench.open({ script: silent });
    const client = await bench.client();
    client.send(UPGRADE.repeat(1000));
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    await read();
    expect(readWire(agent.received).requests.map(inShort)).toEqual(['GET /ws 0']);
    expect(readWire(agent.received).left).toBe('');
    expect([bench.agent.admitted, bench.backend.connections.length]).toEqual([1, 1]);
  });

  test('64 KiB that come early are held; beyond that the client is not read, and all of it passes after the 101', async () => {
    bench = await Bench.open({ script: silent });
    const client = await bench.client();
    client.send(UPGRADE);
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    agent.received = '';
    agent.bytes = 0;
    const size = 32 * 1024 * 1024;
    const piece = Buffer.alloc(1024 * 1024, 'x');
    for (let sent = 0; sent < size; sent += piece.length) client.socket.write(piece);
    // The kernels' buffers are not ours to limit.
    expect(await settled(() => client.socket.writableLength)).toBeGreaterThan(size / 2);
    expect(agent.bytes).toBe(0);
    agent.send(SWITCHING);
    await until(() => agent.bytes === size, 'all of it');
  });
});

describe('a client that resets its upgrade takes nothing down with it (CVE-2026-129500, CVE-2022-39386)', () => {
  test('while it waits for its agent to wake', async () => {
    bench = await Bench.open();
    bench.agent.current = 'sleeping';
    bench.agent.sleepRules = { ...bench.agent.sleepRules, mode: 'hold' };
    const client = await bench.client();
    client.send(UPGRADE);
    await until(() => bench.agent.waiting.length === 1, 'it waits');
    client.socket.resetAndDestroy();
    await until(() => bench.agent.waiting.length === 0, 'its place is free');
  });

  test.each(['request', 'upgrade'])('while its %s connects: nothing is dialled on', async (path) => {
    bench = await Bench.open();
    const deaf = await DeafListener.open();
    try {
      bench.agent.target = { key: 'deaf', address: { host: '127.0.0.1', port: deaf.port } };
      const client = await bench.client();
      client.send(path === 'upgrade' ? UPGRADE : 'GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n');
      await until(() => bench.agent.open === 1, 'the request');
      client.socket.resetAndDestroy();
      await until(() => bench.agent.open === 0 && bench.upstream.connections === 0, 'the end of it all');
    } finally {
      deaf.close();
    }
  });

  test.each([
    ['before an answer', ''],
    ['within the head of an answer', 'HTTP/1.1 101 Swi'],
    ['within a refusal', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nno'],
  ])('%s', async (_when, answer) => {
    bench = await Bench.open({ script: silent });
    const client = await bench.client();
    client.send(UPGRADE + HELLO);
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    agent.send(answer);
    await (answer.includes('403') ? client.until('no') : read());
    client.socket.resetAndDestroy();
    await until(() => agent.closed && bench.agent.open === 0, 'the end of it all');
    expect(bench.agent.upgraded).toBe(0);
  });

  test('as its agent switches', async () => {
    bench = await Bench.open({ script: silent });
    const client = await bench.client();
    client.send(UPGRADE);
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    agent.send(SWITCHING + HELLO);
    client.socket.resetAndDestroy();
    await until(() => (agent.closed || agent.ended) && bench.agent.open === 0, 'the end of it all');
  });
});
