import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { instantOf, millisOf } from '../../src/std/time.ts';
import { Answer } from '../../src/proxy/answer.ts';
import type { ClientConnection } from '../../src/proxy/connection.ts';
import type { Front } from '../../src/proxy/front.ts';
import type { RequestHead } from '../../src/proxy/head.ts';
import { readResponseHead } from '../../src/proxy/upstream/response-head.ts';
import type { PutOff } from '../../src/proxy/turn-end.ts';
import { SimClock } from '../support/sim-clock.ts';
import { Bench, LIMITS, NO_RULES, problemOf, statusOf } from './support/bench.ts';
import { DeafListener } from './support/deaf-listener.ts';
import { answering, OK, type RawConnection, settled, until } from './support/raw.ts';

/** Limits of number and time: at one all is well, and one over is one clear answer. Those of size: edges/sizes.test.ts. */
let bench: Bench;
afterEach(() => bench.close());

const silent = (): void => undefined;
const GET = 'GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n';

/** Lets real I/O happen between steps of simulated time. */
async function advance(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += ms / 10) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    await bench.clock.advance(ms / 10);
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
}

test('one connection may have 100 requests open; with one more it is ended, and the agent is let go of', async () => {
  bench = await Bench.open({ script: silent });
  const client = await bench.client();
  client.send(GET.repeat(100));
  await until(() => bench.agent.open === 100, '100 requests at the agent');
  client.send(GET.repeat(1000));
  await client.untilClosed();
  await until(() => bench.agent.open === 0, 'nothing is left at the agent');
  expect(bench.agent.admitted).toBe(100);
});

test('connections: the last allowed one is served, the next is 503 connection-limit; one that ends makes room', async () => {
  bench = await Bench.open({ limits: { connections: 2 } });
  const first = await bench.client();
  const second = await bench.client();
  await first.send(GET).until('ok');
  await second.send(GET).until('ok');
  const over = await bench.exchange(GET);
  expect(statusOf(over)).toBe(503);
  expect(problemOf(over)).toBe('connection-limit');
  expect(bench.metrics.values.get('refused_total{problem="connection-limit"}')).toBe(1);
  first.socket.destroy();
  await until(() => first.closed, 'the end of the first');
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(statusOf(await bench.get())).toBe(200);
});

describe('times', () => {
  test('first_byte: at the limit the agent is still waited for, after it the answer is 504', async () => {
    bench = await Bench.open({ script: silent, limits: { first_byte: millisOf(10_000) } });
    const client = await bench.client();
    client.send(GET);
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    await advance(9_900);
    expect(client.received).toBe('');
    await advance(300);
    const answer = await client.until('}');
    expect(statusOf(answer)).toBe(504);
    expect(problemOf(answer)).toBe('upstream-timeout');
    await until(() => agent.closed, 'the end of the connection to the agent');
    expect(bench.agent.open).toBe(0);
  });

  test('first_byte counts from the last byte of the upload: a long honest one is not cut', async () => {
    bench = await Bench.open({ script: silent, limits: { first_byte: millisOf(10_000), body_idle: millisOf(60_000) } });
    const client = await bench.client();
    client.send('POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 5\r\n\r\n');
    for (const byte of 'hello') {
      await advance(8_000);
      client.send(byte);
      await until(() => bench.backend.received.endsWith(byte), 'the byte');
    }
    (await bench.backend.connection(0)).send(OK);
    await client.until('ok');
  });

  test('connect: an agent that takes no connection is waited for until limits.connect, then it is 504', async () => {
    bench = await Bench.open({ limits: { connect: millisOf(2_000) } });
    const deaf = await DeafListener.open();
    try {
      bench.agent.target = { key: 'deaf', address: { host: '127.0.0.1', port: deaf.port } };
      const client = await bench.client();
      client.send(GET);
      await until(() => bench.agent.open === 1, 'the request');
      await advance(1_900);
      expect(client.received).toBe('');
      await advance(300);
      expect(problemOf(await client.until('}'))).toBe('upstream-timeout');
      expect(bench.agent.open).toBe(0);
    } finally {
      deaf.close();
    }
  });

  test('body_idle: an upload that pauses longer than that is 408, and the agent is let go', async () => {
    bench = await Bench.open({ script: silent, limits: { body_idle: millisOf(10_000) } });
    const client = await bench.client();
    client.send('POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 10\r\n\r\nabc');
    const agent = await bench.backend.connection(0);
    await agent.until('abc');
    await advance(9_900);
    client.send('d');
    await agent.until('abcd');
    await advance(9_900);
    expect(client.received).toBe('');
    await advance(300);
    const answer = await client.untilClosed();
    expect(statusOf(answer)).toBe(408);
    expect(problemOf(answer)).toBe('request-timeout');
    await until(() => agent.closed, 'the end of the connection to the agent');
    expect(bench.agent.open).toBe(0);
  });

  test('body_idle: waiting for a slow agent is not the pause of a client', async () => {
    bench = await Bench.open({
      script: (connection: RawConnection) => connection.socket.pause(),
      limits: { body_idle: millisOf(10_000) },
    });
    const client = await bench.client();
    client.send(`POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`);
    const block = Buffer.alloc(1024 * 1024);
    for (let sent = 0; sent < 64; sent += 1) client.socket.write(block);
    await bench.backend.connection(0);
    expect(await settled(() => client.socket.writableLength)).toBeGreaterThan(0);
    await advance(30_000);
    expect(client.closed).toBe(false);
    expect(bench.agent.open).toBe(1);
  });

  test('body_idle: a client that takes no byte of what waits for it is cut; one that takes some is not', async () => {
    const flood = (connection: RawConnection): void =>
      void connection.socket.once('data', () => {
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n');
        const block = Buffer.alloc(1024 * 1024);
        for (let sent = 0; sent < 64; sent += 1) connection.socket.write(block);
      });
    bench = await Bench.open({ script: flood, limits: { body_idle: millisOf(10_000) } });
    const client = await bench.client();
    client.send(GET);
    await client.until('200 OK');
    const agent = await bench.backend.connection(0);
    client.socket.pause();
    await settled(() => agent.socket.writableLength);
    await advance(9_000);
    expect(bench.agent.open).toBe(1);
    const before = client.bytes;
    client.socket.resume();
    await until(() => client.bytes > before + 8 * 1024 * 1024, 'some of it');
    client.socket.pause();
    await settled(() => agent.socket.writableLength);
    await advance(9_000);
    expect(bench.agent.open).toBe(1);
    await advance(2_000);
    expect(bench.agent.open).toBe(0);
    client.socket.resume();
    await client.untilClosed();
  });

  test('body_idle: the rest of a body that nobody wants is dropped for so long, then the connection ends', async () => {
    bench = await Bench.open({ limits: { body_idle: millisOf(10_000) } });
    bench.agent.current = 'sleeping';
    const client = await bench.client();
    client.send('POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 100\r\n\r\nabc');
    await client.until('"agent"');
    await advance(9_800);
    expect(client.closed).toBe(false);
    await advance(400);
    await client.untilClosed();
  });

  test('body_idle: once the rest of a body that nobody wants has come, its connection is kept like any other', async () => {
    bench = await Bench.open({ limits: { body_idle: millisOf(10_000) } });
    bench.agent.current = 'sleeping';
    const client = await bench.client();
    await client.send('POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 6\r\n\r\nabc').until('"agent"');
    client.send('def');
    await advance(60_000);
    expect(client.closed).toBe(false);
    expect(bench.clock.pending).toBe(0);
  });

  test('body_idle: an idle kept connection is none of its business', async () => {
    bench = await Bench.open({ limits: { body_idle: millisOf(10_000) } });
    const client = await bench.client();
    await client.send('POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 2\r\n\r\nhi').until('ok');
    await client.send(GET).until('ok');
    await advance(60_000);
    expect(client.closed).toBe(false);
  });

  test('body_idle: taking part of one large chunk is taking some', () => {
    const queue = { writeQueueSize: 60_000 };
    const clock = new SimClock();
    const socket = { writableLength: 65_536, _handle: queue };
    const response = { writableEnded: true, socket };
    const answer = new Answer(
      { clock } as unknown as Front,
      { socket } as unknown as ClientConnection,
      response as unknown as ServerResponse,
      () => undefined,
    );
    const limit = millisOf(10_000);
    expect(answer.isStalled(instantOf(0), limit)).toBe(false);
    queue.writeQueueSize -= 1;
    expect(answer.isStalled(instantOf(10_000), limit)).toBe(false);
    expect(answer.isStalled(instantOf(19_999), limit)).toBe(false);
    expect(answer.isStalled(instantOf(20_000), limit)).toBe(true);
  });

  test('body_idle: a small answer that went out as one text waits for its client like any other', () => {
    const waiting: (() => void)[] = [];
    const socket = {
      ...{ writable: true, destroyed: false, writableLength: 0 },
      write: (text: string, told: unknown): boolean => {
        socket.writableLength += text.length;
        if (typeof told === 'function') waiting.push(told as () => void);
        return true;
      },
    };
    const response = { shouldKeepAlive: true, req: { complete: true }, socket, emit: () => true };
    let isSent = false;
    const atOnce = { add: (one: PutOff) => one.turnEnded() };
    const answer = new Answer(
      { clock: new SimClock(), draining: false, limits: LIMITS, turnEnd: atOnce } as unknown as Front,
      { socket } as unknown as ClientConnection,
      response as unknown as ServerResponse,
      () => (isSent = true),
    );
    const head = readResponseHead('HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Length: 0', 'GET');
    if ('fault' in head) throw new Error(head.fault);
    answer.begin({ speaks11: true, expectsContinue: false } as RequestHead, head, 'id');
    answer.end([]);
    const limit = millisOf(10_000);
    expect([isSent, answer.isStalled(instantOf(0), limit), answer.isStalled(instantOf(10_000), limit)]).toEqual([
      false,
      false,
      true,
    ]);
    for (const told of waiting) told();
    expect(isSent).toBe(true);
  });

  test('keep_alive: an idle connection is announced that long, and then ended by the daemon', async () => {
    bench = await Bench.open({ limits: { keep_alive: millisOf(125_000) } });
    const client = await bench.client();
    expect(await client.send(GET).until('ok')).toContain('Keep-Alive: timeout=125');
    bench.server.reconfigure({
      limits: { ...bench.server.limits, keep_alive: millisOf(1) },
      trustedProxies: [],
      ignore: NO_RULES,
      logRequests: 'none',
    });
    const brief = await bench.client();
    await brief.send(GET).until('ok');
    await brief.untilClosed();
    expect(client.closed).toBe(false);
  });

  test('upstream_idle: an idle connection to an agent is ended after that', async () => {
    bench = await Bench.open({ script: answering(OK), limits: { upstream_idle: millisOf(4_000) } });
    await bench.get();
    const agent = await bench.backend.connection(0);
    await advance(3_900);
    expect(bench.upstream.connections).toBe(1);
    await advance(200);
    await until(() => agent.closed && bench.upstream.connections === 0, 'the end of the idle connection');
    expect(statusOf(await bench.get())).toBe(200);
  });

  test('while nothing is open no alarm is set', async () => {
    bench = await Bench.open();
    await bench.get();
    await advance(5_000);
    await until(() => bench.upstream.connections === 0, 'the end of the idle connection');
    await advance(200);
    expect(bench.clock.pending).toBe(0);
  });
});
