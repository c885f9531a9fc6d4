import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Admission } from '../../src/runtime/traffic.ts';
import { millisOf } from '../../src/std/time.ts';
import { Bench, bodyOf, problemOf, statusOf } from './support/bench.ts';
import { type RawConnection, headsIn, OK, settled, until, values } from './support/raw.ts';

/** Requests that wait for their agent, byte by byte: what is read of them meanwhile, how they leave, and how they go on. */
let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open({ script: (connection) => connection.socket.once('data', () => undefined) });
  sleep('hold');
});
afterEach(() => bench.close());

function sleep(mode: 'hold' | 'auto', bodyBufferMax = 64 * 1024): void {
  bench.agent.current = 'sleeping';
  bench.agent.sleepRules = { ...bench.agent.sleepRules, mode, bodyBufferMax };
}

const GET = 'GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: kai.test\r\n';
const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

const held = (count: number): Promise<void> => until(() => bench.agent.waiting.length === count, `${count} are held`);
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

async function waiting(request: string): Promise<RawConnection> {
  const before = bench.agent.waiting.length;
  const client = await bench.client();
  client.send(request);
  await held(before + 1);
  return client;
}

/** Turned away, all of them: the way a failed start does it. */
function turnAway(admission: Admission): void {
  for (const entry of bench.agent.waiting.splice(0)) entry.waiting.settled(admission);
}

describe('a request that waits', () => {
  test('is answered by the agent it waited for, and nothing is dialled before', async () => {
    const client = await waiting(GET);
    expect(bench.agent.wanted).toEqual(['request']);
    expect(bench.backend.connections).toEqual([]);
    bench.agent.wakeUp();
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    agent.send(OK);
    expect(statusOf(await client.until('ok'))).toBe(200);
    expect(bench.agent.open).toBe(0);
  });

  test('is handed over in order of arrival', async () => {
    for (const path of ['/1', '/2', '/3']) await waiting(`GET ${path} HTTP/1.1\r\nHost: kai.test\r\n\r\n`);
    bench.agent.wakeUp();
    await until(() => headsIn(bench.backend.received).length === 3, 'all three are there');
    expect(headsIn(bench.backend.received).map((head) => head.slice(0, 6))).toEqual(['GET /1', 'GET /2', 'GET /3']);
  });

  test('over HTTP/1.0 waits and is answered like any other', async () => {
    const client = await waiting('GET / HTTP/1.0\r\nHost: kai.test\r\n\r\n');
    bench.agent.wakeUp();
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    agent.send(OK);
    expect(bodyOf(await client.untilClosed())).toBe('ok');
  });

  test('frees its place when its client goes, with a body on its way and without', async () => {
    const clients = [
      await waiting(GET),
      await waiting(`${POST}Content-Length: 10\r\n\r\nhello`),
      await waiting(`${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
      await waiting(`${POST}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n`),
      await waiting(UPGRADE),
    ];
    for (const [index, { socket }] of clients.entries()) {
      if (index % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
      // Until it is known that it has not only ended its side.
      await turn();
      await bench.clock.advance(1000);
      await held(clients.length - 1 - index);
    }
    bench.agent.wakeUp();
    await turn();
    expect([bench.agent.admitted, bench.backend.connections.length]).toEqual([0, 0]);
  });

  test('frees its place when its client ends its side and is silent, and at once where it was to be a WebSocket', async () => {
    const client = await waiting(GET);
    client.socket.end();
    await turn();
    expect(bench.agent.waiting).toHaveLength(1);
    await bench.clock.advance(1000);
    await held(0);
    (await waiting(UPGRADE)).socket.end();
    await held(0);
  });

  test('whose body turns out to be nonsense is answered 400, and frees its place', async () => {
    const client = await waiting(`${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    client.send('nonsense\r\n');
    const answer = await client.untilClosed();
    expect([statusOf(answer), problemOf(answer)]).toEqual([400, 'bad-request']);
    expect(bench.agent.waiting).toEqual([]);
  });

  test('is not told to send its body before the agent wants it', async () => {
    const client = await waiting(`${POST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
    await turn();
    expect(client.received).toBe('');
    bench.agent.wakeUp();
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    expect(client.received).toBe('');
    agent.send('HTTP/1.1 100 Continue\r\n\r\n');
    await client.until('100 Continue\r\n\r\n');
    client.send('hello');
    await agent.until('\r\n\r\nhello');
    agent.send(OK);
    expect((await client.until('ok')).match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 200']);
  });

  test('lets those wait that were sent behind it, and answers come in order', async () => {
    const client = await bench.client();
    client.send(`${GET}${GET.replace('/', '/second')}`);
    await held(2);
    client.send('GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n');
    await turn();
    expect(client.received).toBe('');
    bench.agent.wakeUp();
    await until(() => headsIn(bench.backend.received).length === 2, 'both are there');
    const first = bench.backend.connections.findIndex(({ received }) => received.startsWith('GET / '));
    for (const [index, connection] of bench.backend.connections.entries())
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n${index === first ? 'first.' : 'second'}`);
    expect((await client.until('unknown-host')).match(/first\.|second|HTTP\/1\.1 404/g)).toEqual([
      'first.',
      'second',
      'HTTP/1.1 404',
    ]);
  });

  test('is told 503 draining when the daemon ends, upgrades too', async () => {
    const clients = [await waiting(GET), await waiting(`${POST}Content-Length: 10\r\n\r\nhello`), await waiting(UPGRADE)];
    const drained = bench.server.drain(millisOf(30_000));
    for (const client of clients) {
      const answer = await client.untilClosed();
      expect([statusOf(answer), problemOf(answer), values(answer, 'connection')]).toEqual([503, 'draining', ['close']]);
    }
    expect(bench.agent.waiting).toEqual([]);
    await drained;
  });

  test('counts no time against the limits of a request that was forwarded, nor is a client that waits for it cut', async () => {
    const client = await waiting(GET);
    await bench.clock.advance(3_600_000);
    await turn();
    expect([client.closed, bench.agent.waiting.length]).toEqual([false, 1]);
  });
});

describe('a request that waited and is turned away', () => {
  test.each<[string, Admission, number, RegExp, string[]]>([
    ['a failed start', { kind: 'asleep', state: 'stopping', retryAfterSeconds: 7 }, 503, /\{"status":"stopping"/, ['7']],
    ['the end of its time', { kind: 'refused', problem: 'wake-timeout', retryAfterSeconds: null }, 504, /wake-timeout/, []],
    ['an operator', { kind: 'refused', problem: 'kept-asleep', retryAfterSeconds: null }, 503, /kept-asleep/, []],
    ['no place', { kind: 'refused', problem: 'capacity', retryAfterSeconds: 9 }, 503, /capacity/, ['9']],
  ])('by %s gets it in plain HTTP, and its connection goes on', async (_, admission, status, says, retryAfter) => {
    const clients = [await waiting(GET), await waiting(`${POST}Content-Length: 5\r\n\r\nhello`)];
    turnAway(admission);
    for (const client of clients) {
      const answer = await client.until('}');
      expect(statusOf(answer)).toBe(status);
      expect(bodyOf(answer)).toMatch(says);
      expect(values(answer, 'retry-after')).toEqual(retryAfter);
      expect(values(answer, 'cache-control')).toEqual(['no-store']);
      client.received = '';
      client.send(GET);
    }
    await held(2);
  });

  test('with half of its body sent has its connection read on, so that the refusal arrives', async () => {
    const client = await waiting(`${POST}Content-Length: 10\r\n\r\nhello`);
    turnAway({ kind: 'asleep', state: 'stopping', retryAfterSeconds: 1 });
    expect(statusOf(await client.until('}'))).toBe(503);
    client.received = '';
    client.send(`world${GET}`);
    await held(1);
  });

  test('sees the page where it is a person who looks, and JSON where it is an upgrade', async () => {
    sleep('auto');
    bench.agent.sleepRules = { ...bench.agent.sleepRules, typicalStart: millisOf(100), preferHoldBelow: millisOf(2000) };
    const person = await waiting('GET / HTTP/1.1\r\nHost: kai.test\r\nAccept: text/html\r\n\r\n');
    const program = await waiting(GET);
    const socket = await waiting(UPGRADE);
    turnAway({ kind: 'asleep', state: 'stopping', retryAfterSeconds: 1 });
    const page = await person.until('</html>');
    expect([statusOf(page), values(page, 'content-type')]).toEqual([503, ['text/html; charset=utf-8']]);
    for (const other of [program, socket]) expect(bodyOf(await other.until('}'))).toContain('{"status":"stopping"');
    await socket.untilClosed();
  });
});

describe('the body of a request that waits', () => {
  const whole = randomBytes(1024 * 1024).toString('latin1');

  /** Everything that came behind the head, once it is there. */
  async function arrived(bytes: number): Promise<string> {
    const agent = await bench.backend.connection(0);
    await until(() => agent.received.length - agent.received.indexOf('\r\n\r\n') - 4 >= bytes, `${bytes} bytes of body`);
    await turn();
    return bodyOf(agent.received);
  }

  test.each([0, 1, 1000, 64 * 1024, 4 * 1024 * 1024])('of 900 KB arrives byte for byte with a buffer of %d', async (buffer) => {
    sleep('hold', buffer);
    const body = whole.slice(0, 900_000);
    const client = await waiting(`${POST}Content-Length: ${body.length}\r\n\r\n${body}`);
    await turn();
    bench.agent.wakeUp();
    expect((await arrived(body.length)) === body).toBe(true);
    const [agent] = bench.backend.connections;
    expect(values(agent?.received ?? '', 'content-length')).toEqual([String(body.length)]);
    agent?.send(OK);
    expect(statusOf(await client.until('ok'))).toBe(200);
    expect(bench.backend.connections).toHaveLength(1);
  });

  test('is whole where it was read to its end while it waited, in chunks or empty', async () => {
    for (const [body, framed] of [
      ['hello world', 'b\r\nhello world\r\n0\r\n\r\n'],
      ['', '0\r\n\r\n'],
    ] as const) {
      sleep('hold');
      const client = await waiting(`${POST}Transfer-Encoding: chunked\r\n\r\n${framed}`);
      await turn();
      const before = bench.backend.connections.length;
      bench.agent.wakeUp();
      const agent = await bench.backend.connection(before);
      await agent.until('\r\n\r\n');
      await turn();
      expect(bodyOf(agent.received)).toContain(body);
      agent.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
      expect(statusOf(await client.until('ok'))).toBe(200);
    }
  });

  test('beyond hold.max_body_buffer is left with its client', async () => {
    sleep('hold', 64 * 1024);
    const size = 64 * 1024 * 1024;
    const client = await waiting(`${POST}Content-Length: ${size}\r\n\r\n`);
    const piece = Buffer.alloc(1024 * 1024);
    for (let sent = 0; sent < size; sent += piece.length) client.socket.write(piece);
    await settled(() => client.socket.writableLength);
    // What the kernel and node keep of it by themselves is theirs.
    expect(client.socket.writableLength).toBeGreaterThan(size / 2);
    const taken = bench.metrics.values.get('proxied_bytes_total{agent="kai",direction="in"}');
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThanOrEqual(2 * 64 * 1024);
  });

  test('that pauses for limits.body_idle is given up with 408, and frees its place', async () => {
    const client = await waiting(`${POST}Content-Length: 10\r\n\r\nhello`);
    await turn();
    await bench.clock.advance(61_000);
    const answer = await client.untilClosed();
    expect([statusOf(answer), problemOf(answer)]).toEqual([408, 'request-timeout']);
    expect(bench.agent.waiting).toEqual([]);
  });
});

describe('an upgrade that waits', () => {
  test('is switched by the agent it waited for, and what came early comes after that', async () => {
    const client = await waiting(`${UPGRADE}early `);
    client.send('bytes');
    await turn();
    bench.agent.wakeUp();
    const agent = await bench.backend.connection(0);
    const head = await agent.until('\r\n\r\n');
    await turn();
    expect(head).not.toContain('early');
    agent.send(SWITCHING);
    expect(statusOf(await client.until('\r\n\r\n'))).toBe(101);
    await agent.until('\r\n\r\nearly bytes');
    agent.send('hello');
    await client.until('\r\n\r\nhello');
    expect([bench.agent.admitted, bench.agent.upgraded, bench.agent.open]).toEqual([1, 1, 1]);
  });
});
