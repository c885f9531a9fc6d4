import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench, bodyOf, problemOf, statusOf } from './support/bench.ts';
import { headsIn, OK, values } from './support/raw.ts';

/**
 * What node:http lets through and a proxy must decide, and what its parser refuses and must go on refusing. The oracle is
 * the backend: it has seen exactly the requests that a client was entitled to send, byte for byte.
 */
let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

const HOST = 'Host: kai.test\r\n';

describe('refused by us, and nothing reaches the agent', () => {
  test.each([
    ['RFC 9112 section 3.2: two Host lines', 'GET / HTTP/1.1\r\nHost: kai.test\r\nHost: kai.test\r\n\r\n', 400, 'bad-host'],
    ['RFC 9112 section 3.2: no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'bad-host'],
    [
      'RFC 9112 section 3.2: no Host in HTTP/1.0 either, since hosts are what is routed by',
      'GET / HTTP/1.0\r\n\r\n',
      400,
      'bad-host',
    ],
    ['RFC 9112 section 3.2: an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400, 'bad-host'],
    ['RFC 9112 section 3.2: a list as Host', 'GET / HTTP/1.1\r\nHost: kai.test, b\r\n\r\n', 400, 'bad-host'],
    ['RFC 9112 section 3.2: userinfo and path in Host', 'GET / HTTP/1.1\r\nHost: u@kai.test/x\r\n\r\n', 400, 'bad-host'],
    [
      'RFC 9112 section 3.2.2: absolute-form that names another host',
      `GET http://evil/x HTTP/1.1\r\n${HOST}\r\n`,
      400,
      'bad-host',
    ],
    ['RFC 9112 section 3.2.1: a fragment in the target', `GET /a#b HTTP/1.1\r\n${HOST}\r\n`, 400, 'bad-request'],
    ['a backslash in the target (CVE-2026-126344)', `GET /\\evil HTTP/1.1\r\n${HOST}\r\n`, 400, 'bad-request'],
    [
      'RFC 9112 section 6.1: Transfer-Encoding gzip, chunked',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      501,
      'unsupported-transfer-coding',
    ],
    [
      'RFC 9112 section 6.1: Transfer-Encoding xchunked',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      501,
      'unsupported-transfer-coding',
    ],
    [
      'RFC 9112 section 6.1: Transfer-Encoding in HTTP/1.0 (Pingora CVE-2026-2835)',
      `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'bad-request',
    ],
    [
      'RFC 9110 section 10.1.1: Expect that is not exactly 100-continue',
      `POST / HTTP/1.1\r\n${HOST}Expect: y 100-continue\r\nContent-Length: 1\r\n\r\nx`,
      417,
      'expectation-failed',
    ],
    [
      'RFC 9110 section 10.1.1: an unknown expectation',
      `POST / HTTP/1.1\r\n${HOST}Expect: tea\r\nContent-Length: 0\r\n\r\n`,
      417,
      'expectation-failed',
    ],
    ['RFC 9112 section 2.3: HTTP/2.0 as a text line', `GET / HTTP/2.0\r\n${HOST}\r\n`, 505, 'http-version'],
    ['HTTP/0.9, which cannot name a host', 'GET /\r\n\r\n', 400, 'bad-request'],
    ['RFC 9110 section 9.3.8: TRACE', `TRACE / HTTP/1.1\r\n${HOST}\r\n`, 405, 'method-not-allowed'],
    ['RFC 9110 section 9.3.6: CONNECT', 'CONNECT kai.test:80 HTTP/1.1\r\nHost: kai.test:80\r\n\r\n', 405, 'method-not-allowed'],
    ['asterisk-form', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, 400, 'bad-request'],
    [
      'RFC 9110 section 7.8: Content-Length on an upgrade',
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`,
      400,
      'bad-request',
    ],
    [
      'RFC 9110 section 7.8: Transfer-Encoding on an upgrade',
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'bad-request',
    ],
    [
      'Expect on an upgrade',
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n\r\n`,
      400,
      'bad-request',
    ],
    [
      'two Host lines on an upgrade: the same admission (webpack-dev-server CVE-2026-112085)',
      `GET / HTTP/1.1\r\n${HOST}${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      400,
      'bad-host',
    ],
    [
      'a fragment in an upgrade (CVE-2026-129502)',
      `GET /a#b HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      400,
      'bad-request',
    ],
  ])('%s', async (_rule, request, status, problem) => {
    const answer = await bench.exchange(request);
    expect(statusOf(answer)).toBe(status);
    expect(problemOf(answer)).toBe(problem);
    expect(values(answer, 'connection')).toEqual(['close']);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(bench.backend.connections).toHaveLength(0);
    expect(bench.agent.admitted).toBe(0);
    expect(bench.metrics.values.get(`refused_total{problem="${problem}"}`)).toBe(1);
  });

  test('RFC 9110 section 15.5.6: 405 says what is allowed', async () => {
    expect(values(await bench.exchange(`TRACE / HTTP/1.1\r\n${HOST}\r\n`), 'allow')[0]).toContain('GET');
  });
});

describe('refused by the parser, and answered as a problem', () => {
  const post = (lines: string, body: string) => `POST / HTTP/1.1\r\n${HOST}${lines}\r\n${body}`;
  test.each([
    ['HTTP/1.2', `GET / HTTP/1.2\r\n${HOST}\r\n`],
    ['bare LF as line end', 'GET / HTTP/1.1\nHost: kai.test\n\n'],
    ['obs-fold', `GET / HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`],
    ['Content-Length beside Transfer-Encoding', post('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['two Content-Length lines', post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc')],
    ['Content-Length 3, 3', post('Content-Length: 3, 3\r\n', 'abc')],
    ['Content-Length +3', post('Content-Length: +3\r\n', 'abc')],
    ['Content-Length 0x3', post('Content-Length: 0x3\r\n', 'abc')],
    ['empty Content-Length', post('Content-Length:\r\n', '')],
    ['space before the colon', `GET / HTTP/1.1\r\n${HOST}X : a\r\n\r\n`],
    ['vertical tab before a coding', post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')],
    ['NUL in a value', `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`],
    ['CR in a value', `GET / HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`],
    ['an unknown method', `FROB / HTTP/1.1\r\n${HOST}\r\n`],
    ['a target without a slash', `GET evil HTTP/1.1\r\n${HOST}\r\n`],
  ])('%s', async (_rule, request) => {
    const answer = await bench.exchange(request);
    expect(statusOf(answer)).toBe(400);
    expect(problemOf(answer)).toBe('bad-request');
    expect(bench.backend.received).toBe('');
  });

  test.each([
    ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n'],
    ['Transfer-Encoding twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
  ])('%s', async (_rule, lines, body) => {
    expect([400, 501]).toContain(statusOf(await bench.exchange(post(lines, body))));
    expect(bench.backend.received).toBe('');
  });

  test.each([
    ['bare LF in a chunk size', '3\nabc\r\n0\r\n\r\n'],
    ['bare LF in a chunk extension', '3;a\nabc\r\n0\r\n\r\n'],
    ['quoted CRLF in a chunk extension', '3;a="\r\n"\r\nabc\r\n0\r\n\r\n'],
    ['no CRLF behind chunk data', '3\r\nabc0\r\n\r\n'],
  ])('a body that breaks off is never passed on as whole: %s', async (_rule, body) => {
    const answer = await bench.exchange(post('Transfer-Encoding: chunked\r\n', body));
    expect(statusOf(answer)).toBe(400);
    expect(bench.backend.received).not.toContain('\r\n0\r\n\r\n');
    expect(bench.agent.open).toBe(0);
  });
});

test('nonsense behind a whole request ends the connection once that request is answered, and is not answered itself', async () => {
  const answer = await bench.exchange(`GET / HTTP/1.1\r\n${HOST}\r\n\0nonsense`);
  expect(statusOf(answer)).toBe(200);
  expect(bodyOf(answer)).toBe('ok');
});

describe('served, but not as it was sent', () => {
  test('RFC 9112 section 3.2.2: absolute-form of the same host is turned into origin-form', async () => {
    const answer = await bench.exchange(`GET HTTP://KAI.test:80/x?y HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
    expect(statusOf(answer)).toBe(200);
    expect(bench.backend.received.startsWith('GET /x?y HTTP/1.1\r\n')).toBe(true);
  });

  test('a network-path target stays bytes and does not choose the host (CVE-2026-126344)', async () => {
    await bench.get('', '//evil/x/../%2e');
    expect(bench.backend.received.startsWith('GET //evil/x/../%2e HTTP/1.1\r\nhost: kai.test\r\n')).toBe(true);
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

  test.each(['DELETE', 'OPTIONS', 'GET', 'POST'])(
    'a chunked %s is one request at the agent, its body included (node-http-proxy, CVE-2026-29057)',
    async (method) => {
      const smuggled = 'GET /secret HTTP/1.1\r\nHost: kai.test\r\n\r\n';
      const client = await bench.client();
      client.send(
        `${method} /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
      );
      await client.until('ok');
      const [head = ''] = headsIn(bench.backend.received);
      expect(values(head, 'content-length')).toEqual([]);
      expect(values(head, 'transfer-encoding')).toEqual(['chunked']);
      expect(bench.backend.received.slice(head.length)).toBe(
        `\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
      );
      expect(bench.agent.admitted).toBe(1);
    },
  );

  test('Content-Length in a trailer is refused or dropped, never counted (RFC 9110 section 6.5.1)', async () => {
    const client = await bench.client();
    client.send(
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Evil: 1\r\nContent-Length: 9\r\n\r\n`,
    );
    await client.until('HTTP/1.1');
    expect(bench.backend.received.toLowerCase()).not.toContain('content-length');
    expect(bench.backend.received).not.toContain('X-Evil');
  });
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
