import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { Bench, bodyOf, problemOf, statusOf } from './support/bench.ts';
import { answering, type RawConnection, settled, until, values, OK } from './support/raw.ts';

/** How bodies and answers move: framing made anew, the client's pace, and nothing cut short that looks whole. */
let bench: Bench;
afterEach(() => bench.close());

const GET = 'GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n';
const once = (answer: string) => (connection: RawConnection) => connection.socket.once('data', () => connection.send(answer));

describe('answers', () => {
  test('Server-Sent Events reach the client at once: the head before any event, then each event', async () => {
    bench = await Bench.open({ script: once('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n') });
    const client = await bench.client();
    await client.send(GET).until('text/event-stream');
    const agent = await bench.backend.connection(0);
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      agent.send(event);
      await client.until(event);
    }
    expect(bench.agent.open).toBe(1);
  });

  test('an agent may be silent after its head for as long as it likes', async () => {
    bench = await Bench.open({ script: once('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n') });
    const client = await bench.client();
    await client.send(GET).until('text/event-stream');
    await bench.clock.advance(2 * 3_600_000);
    (await bench.backend.connection(0)).send('data: still here\n\n');
    await client.until('still here');
  });

  test('RFC 9112 section 7.1: an answer of unknown length is chunked anew to HTTP/1.1, and its connection stays', async () => {
    bench = await Bench.open({
      script: answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'),
    });
    const client = await bench.client();
    const first = await client.send(GET).until('0\r\n\r\n');
    expect(values(first, 'transfer-encoding')).toEqual(['chunked']);
    expect(bodyOf(first).replace(/[0-9]+\r\n|\r\n/g, '')).toBe('abcde');
    client.send(GET);
    await until(() => client.received.split('HTTP/1.1 200').length === 3, 'a second answer');
  });

  test('RFC 9112 sections 6.1 and 9.3: HTTP/1.0 gets no chunks but the end of the connection', async () => {
    bench = await Bench.open({
      script: answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'),
    });
    const answer = await bench.exchange('GET / HTTP/1.0\r\nHost: kai.test\r\n\r\n');
    expect(values(answer, 'transfer-encoding')).toEqual([]);
    expect(values(answer, 'connection')).toEqual(['close']);
    expect(bodyOf(answer)).toBe('abcde');
  });

  test('RFC 9112 section 9.3: an HTTP/1.0 connection is kept only when asked for and the length is known', async () => {
    bench = await Bench.open();
    const client = await bench.client();
    const get = 'GET / HTTP/1.0\r\nHost: kai.test\r\nConnection: keep-alive\r\n\r\n';
    await client.send(get).until('ok');
    client.send(get);
    await until(() => client.received.split('\r\n\r\nok').length === 3, 'a second answer');
  });

  test('RFC 9110 section 9.3.2: HEAD keeps its Content-Length and has no body', async () => {
    bench = await Bench.open({ script: answering('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n') });
    const answer = await bench.exchange('HEAD / HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n\r\n');
    expect(values(answer, 'content-length')).toEqual(['500']);
    expect(bodyOf(answer)).toBe('');
  });

  test.each([
    ['204', 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil', 'GET'],
    ['304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil', 'GET'],
    ['200 to HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil', 'HEAD'],
  ])('RFC 9112 section 6.3: bytes behind a %s do not reach the next answer', async (_what, bad, method) => {
    bench = await Bench.open({
      script: (connection, index) => {
        answering(index === 0 ? bad : 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood')(connection);
      },
    });
    const client = await bench.client();
    client.send(`${method} / HTTP/1.1\r\nHost: kai.test\r\n\r\nGET / HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n\r\n`);
    const answer = await client.untilClosed();
    expect(answer).not.toContain('evil');
    expect(answer.endsWith('good')).toBe(true);
  });

  test('RFC 9110 section 6.5: trailers follow a chunked answer, save those that would change it', async () => {
    bench = await Bench.open({
      script: answering(
        'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 9\r\nSet-Cookie: evil\r\n\r\n',
      ),
    });
    const answer = await bench.get();
    expect(values(answer, 'trailer')).toEqual(['X-Sum']);
    expect(answer.endsWith('0\r\nX-Sum: 9\r\n\r\n')).toBe(true);
  });

  test('RFC 9110 section 15.2: 102 and several 103 go ahead of the final answer, but not to HTTP/1.0', async () => {
    const early =
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n';
    bench = await Bench.open({ script: answering(`${early}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`) });
    const modern = await bench.get();
    expect([...modern.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])).toEqual(['102', '103', '103', '200']);
    expect(values(modern, 'link')).toEqual(['</a>', '</b>']);
    const old = await bench.exchange('GET / HTTP/1.0\r\nHost: kai.test\r\n\r\n');
    expect(statusOf(old)).toBe(200);
    expect(old).not.toContain('103');
  });

  test('interim answers do not pile up for a client that does not read, which still gets the final one', async () => {
    const hints = `HTTP/1.1 103 Early Hints\r\nLink: <${'x'.repeat(8000)}>\r\n\r\n`.repeat(100);
    const rounds = 100;
    let taken = 0;
    bench = await Bench.open({
      script: ({ socket }) => {
        const pour = (): void => {
          if ((taken += 1) <= rounds) socket.write(hints, pour);
          else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast');
        };
        socket.once('data', pour);
      },
    });
    const client = await bench.client();
    let end = '';
    client.socket.on('data', (chunk: Buffer) => (end = (end + chunk.toString('latin1')).slice(-4)));
    client.socket.pause();
    client.send('GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n\r\n');
    await until(() => taken > rounds, 'the agent has sent everything');
    client.socket.resume();
    await until(() => client.closed, 'the end of the answer');
    expect(end).toBe('last');
    // What the kernel holds between the two is not ours to limit.
    expect(client.bytes).toBeLessThan((hints.length * rounds) / 4);
  });

  test('bytes outside ASCII in header values stay what they were', async () => {
    bench = await Bench.open({
      script: answering('HTTP/1.1 200 Gr\xfc\xdfe\r\nX-Name: \xe4\xc3\xa4\r\nContent-Length: 0\r\n\r\n'),
    });
    const answer = await bench.get('X-Mine: \xff\xe4\r\n', '/a%E4');
    expect(values(answer, 'x-name')).toEqual(['\xe4\xc3\xa4']);
    expect(values(bench.backend.received, 'x-mine')).toEqual(['\xff\xe4']);
    expect(bench.backend.received.startsWith('GET /a%E4 ')).toBe(true);
  });

  test('a client that reads slowly holds the agent back, and loses nothing', async () => {
    const size = 24 * 1024 * 1024;
    const block = Buffer.alloc(64 * 1024, 'x');
    let sent = 0;
    bench = await Bench.open({
      script: (connection) =>
        connection.socket.once('data', () => {
          connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
          const more = (): void => {
            while (sent < size) {
              sent += block.length;
              if (!connection.socket.write(block)) return void connection.socket.once('drain', more);
            }
          };
          more();
        }),
    });
    const client = await bench.client();
    client.socket.pause();
    client.send(GET);
    await until(() => sent > 0, 'the first bytes');
    // Both kernels' buffers and ours fill up; then nothing moves any more.
    expect(await settled(() => sent)).toBeLessThan(size);
    client.socket.resume();
    await until(() => client.bytes > size, 'the whole answer');
    expect(client.bytes - bodyStart(client)).toBe(size);
  });
});

const bodyStart = (client: RawConnection): number => client.received.indexOf('\r\n\r\n') + 4;

describe('an answer that is not whole never looks whole (RFC 9112 section 8)', () => {
  test('cut in the middle of a Content-Length: the connection ends short', async () => {
    bench = await Bench.open({ script: once('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc') });
    const client = await bench.client();
    await client.send(GET).until('abc');
    (await bench.backend.connection(0)).socket.destroy();
    expect((await client.untilClosed()).endsWith('abc')).toBe(true);
    expect(bench.agent.open).toBe(0);
    expect(bench.metrics.values.get('upstream_errors_total{agent="kai",problem="upstream-broken"}')).toBe(1);
  });

  test('cut in the middle of chunks: no last chunk', async () => {
    bench = await Bench.open({ script: once('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n') });
    const client = await bench.client();
    await client.send(GET).until('abc');
    (await bench.backend.connection(0)).socket.resetAndDestroy();
    expect(await client.untilClosed()).not.toContain('0\r\n\r\n');
  });

  test('cut for HTTP/1.0, where the end of the connection is the end of the answer: a reset', async () => {
    bench = await Bench.open({ script: once('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n') });
    const client = await bench.client();
    await client.send('GET / HTTP/1.0\r\nHost: kai.test\r\n\r\n').until('abc');
    (await bench.backend.connection(0)).socket.destroy();
    await client.untilClosed();
    expect(client.failure?.code).toBe('ECONNRESET');
    expect(client.ended).toBe(false);
  });

  test('50 answers cut at random bytes: none ends cleanly', async () => {
    const whole = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'5\r\nabcde\r\n'.repeat(20)}0\r\n\r\n`;
    const headLength = whole.indexOf('\r\n\r\n') + 4;
    bench = await Bench.open({
      script: (connection, index) =>
        connection.socket.once('data', () =>
          connection.socket.end(whole.slice(0, headLength + ((index * 7) % (whole.length - headLength)))),
        ),
    });
    for (let round = 0; round < 50; round += 1) expect(await bench.get()).not.toContain('0\r\n\r\n');
    expect(bench.agent.open).toBe(0);
  });
});

describe('bodies', () => {
  test('an upload of 8 MiB arrives byte for byte, at the pace of the agent', async () => {
    const body = randomBytes(8 * 1024 * 1024);
    const hash = createHash('sha256');
    let took = 0;
    bench = await Bench.open({
      script: (connection) => {
        let isBody = false;
        connection.socket.on('data', (chunk: Buffer) => {
          const from = isBody ? 0 : chunk.indexOf('\r\n\r\n') + 4;
          isBody = true;
          hash.update(chunk.subarray(from));
          took += chunk.length - from;
          if (took === body.length) connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        });
      },
    });
    const client = await bench.client();
    client.send(`PUT / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`);
    client.socket.write(body);
    expect(bodyOf(await client.untilClosed())).toBe('ok');
    expect(hash.digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
    expect(bench.metrics.values.get('proxied_bytes_total{agent="kai",direction="in"}')).toBe(body.length);
  });

  test('an answer that comes before the upload is done reaches the client whole', async () => {
    bench = await Bench.open({ script: once('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig') });
    const client = await bench.client();
    client.send('POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 1000000\r\n\r\nstart');
    expect(bodyOf(await client.until('big'))).toBe('big');
    expect(client.closed).toBe(false);
    await until(() => bench.agent.open === 0, 'the end of the work');
  });

  const EXPECTING = 'POST / HTTP/1.1\r\nHost: kai.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';

  test('RFC 9110 section 10.1.1: the agent is asked whether the body may come, and its 100 is passed on', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client();
    client.send(EXPECTING);
    const agent = await bench.backend.connection(0);
    expect(values(await agent.until('\r\n\r\n'), 'expect')).toEqual(['100-continue']);
    expect(client.received).toBe('');
    agent.send('HTTP/1.1 100 Continue\r\n\r\n');
    expect(await client.until('\r\n\r\n')).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('hello');
    await agent.until('hello');
    agent.send(OK);
    await client.until('ok');
    expect(client.ended).toBe(false);
  });

  test('RFC 9110 section 10.1.1: an agent that refuses the head is heard, no body is sent, and the connection ends', async () => {
    bench = await Bench.open({ script: once('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno') });
    const client = await bench.client();
    client.send(EXPECTING);
    const answer = await client.untilClosed();
    expect([statusOf(answer), values(answer, 'connection'), bodyOf(answer)]).toEqual([401, ['close'], 'no']);
    expect(bench.backend.received.endsWith('\r\n\r\n')).toBe(true);
    await until(() => bench.upstream.connections === 0, 'the end of a connection that is still owed a body');
  });

  test('RFC 9110 section 10.1.1: a client that does not wait for the 100 may send its body', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client();
    client.send(EXPECTING).send('hello');
    const agent = await bench.backend.connection(0);
    await agent.until('hello');
    agent.send(OK);
    expect(statusOf(await client.until('ok'))).toBe(200);
  });

  test('RFC 9110 section 10.1.1: an agent asleep or out of reach is told instead of 100, and the connection ends', async () => {
    bench = await Bench.open();
    const post = 'POST / HTTP/1.1\r\nHost: kai.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';
    bench.agent.current = 'sleeping';
    const asleep = await bench.exchange(post);
    expect(statusOf(asleep)).toBe(503);
    bench.agent.current = 'ready';
    await bench.backend.close();
    const refused = await bench.exchange(post);
    expect(problemOf(refused)).toBe('upstream-refused');
    for (const answer of [asleep, refused]) expect(answer).not.toContain('100 Continue');
  });

  test('RFC 9110 section 10.1.1: HTTP/1.0 gets no 100', async () => {
    bench = await Bench.open();
    const answer = await bench.exchange(
      'POST / HTTP/1.0\r\nHost: kai.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
    );
    expect(statusOf(answer)).toBe(200);
  });
});

describe('clients that go away', () => {
  const isGone = async (): Promise<void> => {
    const agent = await bench.backend.connection(0);
    await until(() => agent.closed, 'the end of the connection to the agent');
    await until(() => bench.agent.open === 0, 'the end of the work');
  };

  test.each([
    ['before the first byte', () => undefined, ''],
    [
      'in the middle of the answer',
      (agent: RawConnection) => agent.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'),
      'abc',
    ],
  ])('a reset %s ends the request to the agent at once', async (_when, answer, part) => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client();
    client.send(GET);
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    answer(agent);
    await client.until(part);
    client.socket.resetAndDestroy();
    await isGone();
  });

  test('a client that goes in the middle of its upload ends the request at the agent, unfinished', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client();
    client.send('POST / HTTP/1.1\r\nHost: kai.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await (await bench.backend.connection(0)).until('abc');
    client.socket.resetAndDestroy();
    await isGone();
    expect(bench.backend.received).not.toContain('0\r\n\r\n');
  });

  test('clients of pipelined requests that go away end all of their work', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client();
    client.send(GET.repeat(5));
    await until(() => bench.agent.open === 5, 'five requests');
    client.socket.resetAndDestroy();
    await until(() => bench.agent.open === 0, 'the end of all five');
  });

  test('a client that only ends its side (nc -N) still gets its answer', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client(true);
    client.send(GET);
    client.socket.end();
    const agent = await bench.backend.connection(0);
    await agent.until('\r\n\r\n');
    await until(() => client.socket.writableFinished, 'the end of the client side');
    await bench.clock.advance(400);
    agent.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect(bodyOf(await client.untilClosed())).toBe('ok');
  });

  test('a client that has ended its side and gets nothing for half a second counts as gone', async () => {
    bench = await Bench.open({ script: () => undefined });
    const client = await bench.client(true);
    client.send(GET);
    await (await bench.backend.connection(0)).until('\r\n\r\n');
    client.socket.end();
    while (bench.agent.open > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await bench.clock.advance(100);
    }
    await isGone();
  });
});
