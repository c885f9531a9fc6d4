import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench, bodyOf, problemOf, statusOf } from './support/bench.ts';
import { headsIn, OK, values } from './support/raw.ts';

/** What is served though not as it was sent, and how a connection ends behind nonsense. What is refused: edges/payloads.test.ts. */
let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

const HOST = 'Host: kai.test\r\n';

test('RFC 9110 section 15.5.6: 405 says what is allowed', async () => {
  expect(values(await bench.exchange(`TRACE / HTTP/1.1\r\n${HOST}\r\n`), 'allow')[0]).toContain('GET');
});

test('nonsense behind a whole request ends the connection once that request is answered, and is not answered itself', async () => {
  const answer = await bench.exchange(`GET / HTTP/1.1\r\n${HOST}\r\n\0nonsense`);
  expect(statusOf(answer)).toBe(200);
  expect(bodyOf(answer)).toBe('ok');
});

describe('served, but not as it was sent', () => {
  test('RFC 9112 section 6.2: zeros in front of a Content-Length do not reach the agent, which may read octal', async () => {
    await bench.exchange('POST / HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\nContent-Length: 0010\r\n\r\n0123456789');
    expect(bench.backend.received).toContain('\r\nContent-Length: 10\r\n\r\n0123456789');
  });

  test('a Content-Length beyond what is exact everywhere is 400', async () => {
    const post = (length: string) => bench.exchange(`POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: ${length}\r\n\r\n`);
    expect(problemOf(await post('1000000000000000'))).toBe('bad-request');
    expect(problemOf(await post('9223372036854775808'))).toBe('bad-request');
    expect(bench.backend.received).toBe('');
  });

  test('RFC 9112 section 3.2.2: absolute-form of the same host is turned into origin-form', async () => {
    const answer = await bench.exchange(`GET HTTP://KAI.test:80/x?y HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
    expect(statusOf(answer)).toBe(200);
    expect(bench.backend.received.startsWith('GET /x?y HTTP/1.1\r\n')).toBe(true);
  });

  test.each(['KAI.TEST', 'kai.test.', 'kai.test:80', 'kai.test:080'])(
    'RFC 9110 section 7.2: Host %s finds the agent, and reaches it unchanged',
    async (host) => {
      await bench.exchange(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(values(bench.backend.received, 'host')).toEqual([host]);
    },
  );

  test('Upgrade h2c and its settings are dropped, and the request served plainly (RFC 9110 section 7.8)', async () => {
    const answer = await bench.exchange(
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n`,
    );
    expect(bodyOf(answer)).toBe('ok');
    expect(values(bench.backend.received, 'upgrade')).toEqual([]);
    expect(values(bench.backend.received, 'http2-settings')).toEqual([]);
  });

  test('a POST that asks for websocket is a plain POST with its body', async () => {
    const client = await bench.client();
    client.send(`POST / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`);
    await client.until('ok');
    expect(bench.backend.received.endsWith('\r\n\r\nhello')).toBe(true);
    expect(values(bench.backend.received, 'upgrade')).toEqual([]);
  });

  test('underscore twins of trusted headers are dropped, and __proto__ is a header like any other', async () => {
    await bench.get('X_Forwarded_For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nContent_Length: 9\r\nmy_own: 1\r\n__proto__: 2\r\n');
    const head = bench.backend.received;
    expect(head).not.toContain('6.6.6.6');
    expect(head.toLowerCase()).not.toContain('content_length');
    expect(values(head, 'my_own')).toEqual(['1']);
    expect(values(head, '__proto__')).toEqual(['2']);
  });

  test.each(['Content-Length: 9', 'Transfer-Encoding: chunked', 'Host: evil.test'])(
    'RFC 9110 section 6.5.1: a trailer does not change its request: %s',
    async (line) => {
      const answer = await bench.exchange(
        `POST / HTTP/1.1\r\n${HOST}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n${line}\r\n\r\n`,
      );
      const [name = ''] = line.split(':');
      expect(values(bench.backend.received, name)).not.toContain(line.slice(name.length + 2));
      expect(values(bench.backend.received, name).length).toBeLessThanOrEqual(1);
      expect([200, 400]).toContain(statusOf(answer));
    },
  );
});

test('RFC 9110 section 7.8: where packets end does not make a request of what is none, behind an upgrade that is not done', async () => {
  const silent = await bench.addBackend(() => undefined);
  bench.agent.target = { key: 'silent', address: silent.address };
  const client = await bench.client();
  client.send(`GET /1 HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /2 HTTP/1.1\r\n${HOST}X: `);
  const agent = await silent.connection(0);
  await agent.until('\r\n\r\n');
  // node has thrown away what was behind the first request, and would begin anew here.
  client.send(`GET /smuggled HTTP/1.1\r\n${HOST}\r\n`);
  // Once somebody else has been answered, it has been read.
  bench.addAgent('mia', bench.backend.address);
  await bench.exchange('GET / HTTP/1.1\r\nHost: mia.test\r\nConnection: close\r\n\r\n');
  agent.send(OK);
  const answer = await client.untilClosed();
  expect(values(answer, 'connection')).toEqual(['close']);
  expect(headsIn(silent.received).map((head) => head.slice(0, 6))).toEqual(['GET /1']);
});
