import { afterEach, describe, expect, test } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { Bench, bodyOf, problemOf, statusOf } from './support/bench.ts';
import { answering, OK, type RawConnection, until, values } from './support/raw.ts';

/** Agents that fail: what the caller is told, what is tried again, and which connections are shared. */
let bench: Bench;
afterEach(() => bench.close());

const once = (answer: string) => (connection: RawConnection) => connection.socket.once('data', () => connection.send(answer));
const failures = (problem: string): number | undefined =>
  bench.metrics.values.get(`upstream_errors_total{agent="kai",problem="${problem}"}`);

describe('what the caller is told', () => {
  test('a refused connection is 502 upstream-refused', async () => {
    bench = await Bench.open();
    await bench.backend.close();
    const answer = await bench.get();
    expect(statusOf(answer)).toBe(502);
    expect(problemOf(answer)).toBe('upstream-refused');
    expect(failures('upstream-refused')).toBe(1);
    expect(bench.agent.open).toBe(0);
  });

  test.each(['999.1.1.1', 'a.0x4', '::::'])('a host that no URL may have is one that nobody answers at: %s', async (host) => {
    bench = await Bench.open();
    bench.agent.target = { key: 'elsewhere', address: { host, port: 80 } };
    expect(problemOf(await bench.get())).toBe('upstream-refused');
  });

  test.each([
    ['ends', (connection: RawConnection) => connection.socket.end()],
    ['is reset', (connection: RawConnection) => connection.socket.resetAndDestroy()],
    ['ends inside the head of its answer', (connection: RawConnection) => connection.socket.end('HTTP/1.1 200 OK\r\nX: ')],
  ])('a connection that %s before an answer is 502 upstream-broken', async (_how, act) => {
    bench = await Bench.open({
      script: (connection) =>
        connection.socket.once('data', () => {
          act(connection);
        }),
    });
    const answer = await bench.get();
    expect(statusOf(answer)).toBe(502);
    expect(problemOf(answer)).toBe('upstream-broken');
    expect(failures('upstream-broken')).toBe(1);
  });

  test.each([
    ['two Content-Length lines', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk'],
    [
      'Content-Length beside Transfer-Encoding',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['an unknown transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\nabc'],
    ['a status line that is none', 'NONSENSE\r\n\r\n'],
    ['a status above 599', 'HTTP/1.1 700 X\r\nContent-Length: 0\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 042 X\r\nContent-Length: 0\r\n\r\n'],
    ['a head of 64 KiB', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(64 * 1024)}\r\nContent-Length: 0\r\n\r\n`],
    ['CR in a header', 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n'],
    ['a 101 nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ])('nonsense is 502 upstream-invalid and its connection is ended: %s', async (_what, nonsense) => {
    bench = await Bench.open({ script: once(nonsense) });
    const answer = await bench.get();
    expect(statusOf(answer)).toBe(502);
    expect(problemOf(answer)).toBe('upstream-invalid');
    const agent = await bench.backend.connection(0);
    await until(() => agent.closed, 'the end of the connection');
    expect(bench.log.lines.at(-1)?.facts).toMatchObject({ problem: 'upstream-invalid', detail: expect.any(String) });
  });

  test('work that the runtime cuts before its answer is told so, and after it is broken off', async () => {
    bench = await Bench.open({ script: () => undefined });
    const waiting = await bench.client();
    waiting.send('GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n\r\n');
    const reading = await bench.client();
    reading.send('GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n');
    await (await bench.backend.connection(0)).until('\r\n\r\n');
    const second = await bench.backend.connection(1);
    await second.until('\r\n\r\n');
    for (const agent of bench.backend.connections)
      if (agent !== bench.backend.connections[0]) agent.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
    await reading.until('abc');
    for (const cut of [...bench.agent.cuts]) cut();
    expect(problemOf(await waiting.untilClosed())).toBe('upstream-broken');
    expect((await reading.untilClosed()).endsWith('abc')).toBe(true);
    expect(bench.agent.open).toBe(0);
  });
});

describe('what is tried again (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1)', () => {
  /** Keeps the first connection after one answer, and ends it on the first byte of the next request. */
  const closesOnSecond = (connection: RawConnection, index: number): void => {
    let requests = 0;
    connection.socket.on('data', () => {
      requests += 1;
      if (index === 0 && requests === 2) connection.socket.resetAndDestroy();
      else connection.send(OK);
    });
  };
  const request = (method: string, body = ''): string =>
    `${method} / HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`;

  test.each(['GET', 'HEAD', 'OPTIONS', 'DELETE'])(
    '%s on a kept connection that turns out stale is sent once more, on a new one',
    async (method) => {
      bench = await Bench.open({ script: closesOnSecond });
      await bench.get();
      expect(statusOf(await bench.exchange(request(method)))).toBe(200);
      expect(bench.backend.connections).toHaveLength(2);
      expect(failures('upstream-broken')).toBeUndefined();
    },
  );

  test('POST whose bytes were sent on a stale connection is 502, and has reached the agent once', async () => {
    bench = await Bench.open({ script: closesOnSecond });
    await bench.get();
    const answer = await bench.exchange(request('POST', 'pay'));
    expect(problemOf(answer)).toBe('upstream-broken');
    expect(bench.backend.received.split('POST').length - 1).toBe(1);
    expect(bench.backend.connections).toHaveLength(1);
  });

  test('POST without a body is not sent again either: it may have been carried out', async () => {
    bench = await Bench.open({ script: closesOnSecond });
    await bench.get();
    const answer = await bench.exchange(request('POST').replace('\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n'));
    expect(problemOf(answer)).toBe('upstream-broken');
    expect(bench.backend.connections).toHaveLength(1);
  });

  test('POST whose body is still to come goes on a new connection, which cannot be stale, and its head goes at once', async () => {
    bench = await Bench.open({
      script: (connection, index) => {
        if (index === 0) closesOnSecond(connection, 0);
      },
    });
    await bench.get();
    const client = await bench.client();
    client.send('POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 3\r\n\r\n');
    const second = await bench.backend.connection(1);
    await second.until('\r\n\r\n');
    client.send('pay');
    await second.until('pay');
    second.send(OK);
    expect(statusOf(await client.until('\r\n\r\n'))).toBe(200);
    expect(bench.backend.received.split('POST').length - 1).toBe(1);
  });

  test('POST whose body came with it goes on a kept connection', async () => {
    bench = await Bench.open();
    await bench.get();
    expect(statusOf(await bench.exchange(request('POST', 'pay')))).toBe(200);
    expect(bench.backend.connections).toHaveLength(1);
  });

  test('a new connection that breaks is not tried again: the agent itself is at fault', async () => {
    bench = await Bench.open({ script: (connection) => connection.socket.once('data', () => connection.socket.destroy()) });
    expect(problemOf(await bench.get())).toBe('upstream-broken');
    expect(bench.backend.connections).toHaveLength(1);
  });

  test('once a byte of an answer has come nothing is tried again', async () => {
    bench = await Bench.open({
      script: (connection) => {
        let requests = 0;
        connection.socket.on('data', () => {
          requests += 1;
          if (requests === 1) connection.send(OK);
          else connection.socket.end('HTTP/1.1 2');
        });
      },
    });
    await bench.get();
    expect(problemOf(await bench.get())).toBe('upstream-broken');
    expect(bench.backend.connections).toHaveLength(1);
  });
});

describe('which connections are shared', () => {
  test('requests to one target follow each other on one connection', async () => {
    bench = await Bench.open();
    for (let round = 0; round < 5; round += 1) expect(bodyOf(await bench.get())).toBe('ok');
    expect(bench.backend.connections).toHaveLength(1);
  });

  test('with upstream_idle 0 no connection is used again', async () => {
    bench = await Bench.open({ limits: { upstream_idle: millisOf(0) } });
    for (let request = 0; request < 3; request += 1) expect(statusOf(await bench.get())).toBe(200);
    expect(bench.backend.connections).toHaveLength(3);
    expect(bench.upstream.connections).toBe(0);
  });

  test('another key never shares a connection, even at the same address', async () => {
    bench = await Bench.open();
    const mia = bench.addAgent('mia', bench.backend.address);
    await bench.get();
    await bench.exchange('GET / HTTP/1.1\r\nHost: mia.test\r\nConnection: close\r\n\r\n');
    bench.agent.target = { ...bench.agent.target, key: 'kai/next-generation' };
    await bench.get();
    expect(mia.admitted).toBe(1);
    expect(bench.backend.connections).toHaveLength(3);
  });

  test('an answer that comes without a request poisons nothing (CVE-2026-48931, CVE-2026-6733)', async () => {
    bench = await Bench.open({
      script: (connection, index) => {
        answering(index === 0 ? `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil` : OK)(connection);
      },
    });
    await bench.get();
    expect(bodyOf(await bench.get())).toBe('ok');
    const poisoned = await bench.backend.connection(0);
    await until(() => poisoned.closed, 'the end of the poisoned connection');
  });

  test('an answer that comes while its connection is idle poisons nothing either', async () => {
    bench = await Bench.open();
    await bench.get();
    const idle = await bench.backend.connection(0);
    idle.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    await until(() => idle.closed, 'the end of the poisoned connection');
    expect(bodyOf(await bench.get())).toBe('ok');
  });

  test('a connection on which an upgrade was refused is not used again: its agent may read no more requests from it', async () => {
    bench = await Bench.open({ script: answering('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno') });
    await bench.exchange('GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await until(() => bench.upstream.connections === 0, 'the end of the connection');
    await bench.get();
    expect(bench.backend.connections).toHaveLength(2);
  });

  test('a connection whose answer says close is not used again', async () => {
    bench = await Bench.open({ script: answering('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok') });
    await bench.get();
    await bench.get();
    expect(bench.backend.connections).toHaveLength(2);
    await until(() => bench.upstream.connections === 0, 'nothing held any more');
  });
});

describe('what a request brings along', () => {
  test('RFC 9112 section 7.1.2: trailers of a request go to the agent, save those that would change it', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client();
    client.send(
      'POST / HTTP/1.1\r\nHost: kai.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nTE: trailers\r\nConnection: TE\r\n\r\n',
    );
    client.send('3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Forwarded-For: 6.6.6.6\r\nAuthorization: x\r\n\r\n');
    const agent = await bench.backend.connection(0);
    const received = await agent.until('0\r\nX-Sum: 1\r\n\r\n');
    expect(values(received, 'trailer')).toEqual(['X-Sum']);
    expect([values(received, 'te'), values(received, 'connection')]).toEqual([['trailers'], ['TE']]);
    expect(received).not.toMatch(/6\.6\.6\.6|Authorization/);
    agent.send(OK);
    await client.until('ok');
  });
});

describe('small answers that are whole in hand', () => {
  const small = (status: string, lines: string, body: string): string =>
    `HTTP/1.1 ${status}\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\n${lines}\r\n${body}`;

  test('come in order behind one that is still to come, and its connection goes on', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client();
    client.send('GET /1 HTTP/1.1\r\nHost: kai.test\r\n\r\n'.repeat(3));
    for (const [at, body] of [
      [2, 'three'],
      [1, 'two22'],
      [0, 'one11'],
    ] as const) {
      const agent = await bench.backend.connection(at);
      await agent.until('\r\n\r\n');
      agent.send(small('200 OK', 'Content-Length: 5\r\n', body));
    }
    const answers = await client.until('three');
    expect(answers.match(/one11|two22|three/g)).toEqual(['one11', 'two22', 'three']);
    expect(values(answers, 'x-request-id')).toHaveLength(3);
    client.send('GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n');
    await until(() => bench.agent.admitted === 4, 'another request on the connection');
  });

  test.each([
    ['with a Date', small('200 Fine', 'X-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n', 'ok'), 'ok'],
    ['without one', 'HTTP/1.1 200 Fine\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nok', 'ok'],
  ])('say the same as any other, %s', async (_how, answer) => {
    bench = await Bench.open({ script: answering(answer) });
    const client = await bench.client();
    client.send('GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n');
    const head = await client.until('\r\n\r\nok');
    expect(head.startsWith('HTTP/1.1 200 Fine\r\n')).toBe(true);
    expect(values(head, 'x-a')).toEqual(['1', '2']);
    for (const name of ['date', 'content-length', 'connection', 'keep-alive', 'x-request-id'])
      expect(values(head, name)).toHaveLength(1);
    expect([values(head, 'keep-alive'), values(head, 'content-length')]).toEqual([['timeout=125'], ['2']]);
  });
});
