import { afterEach, describe, expect, test } from 'vitest';
import { Bench } from '../support/bench.ts';
import { answering, OK, type RawConnection, values } from '../support/raw.ts';
import { once } from '../support/switched.ts';
import { answeringWhole, readWire } from '../support/wire.ts';

/**
 * RFC 9110 section 7.6.1: what is about one connection ends with it, and so does what Connection names, whichever way it goes
 * and in whatever kind of message. Most of what was found elsewhere is one kind of message that was forgotten.
 */
let bench: Bench;
afterEach(() => bench.close());

/** Named in two lines, with the blanks, cases and empty members that a list may have (RFC 9110 section 5.6.1). */
const LINES = [
  'X-Kept: 1',
  'Connection: X-Named ,, x-OTHER,\tkeep-alive',
  'X-Named: secret',
  'X-Other: secret',
  'Connection: X-Third',
  'x-third: secret',
  'X-THIRD: secret',
  'Keep-Alive: secret',
  'Proxy-Connection: secret',
  'Proxy-Authenticate: secret',
  'Proxy-Authorization: secret',
  'HTTP2-Settings: secret',
  'TE: secret',
  'X-Third-Kept: 2',
].join('\r\n');

/** What must not come behind a body. */
const LATE = [
  ...['Age', 'Authorization', 'Cache-Control', 'Content-Encoding', 'Content-Range', 'Content-Type', 'Cookie', 'Date', 'Expires'],
  ...['Host', 'If-Match', 'If-Modified-Since', 'If-None-Match', 'If-Range', 'If-Unmodified-Since', 'Location', 'Max-Forwards'],
  ...['Pragma', 'Range', 'Retry-After', 'Set-Cookie', 'Trailer', 'Upgrade', 'Vary', 'Warning', 'WWW-Authenticate'],
]
  .map((name) => `${name}: secret\r\n`)
  .join('');

function expectSifted(lines: string): void {
  expect(values(lines, 'x-kept')).toEqual(['1']);
  expect(values(lines, 'x-third-kept')).toEqual(['2']);
  expect(lines).not.toContain('secret');
  expect(lines).not.toMatch(/x-named|x-other/i);
}

describe('from a client (Apache CVE-2022-31813, Traefik CVE-2024-45410, reply-from CVE-2026-33805)', () => {
  test.each([
    ['a request', 'GET', ''],
    ['a request with a body', 'POST', 'Content-Length: 0\r\n'],
    ['an upgrade', 'GET', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
  ])('%s', async (_what, method, more) => {
    bench = await Bench.open();
    const client = await bench.client();
    await client.send(`${method} / HTTP/1.1\r\nHost: kai.test\r\n${more}${LINES}\r\n\r\n`).until('ok');
    expectSifted(bench.backend.received);
  });

  test('trailers, which bring no identity either (RFC 9110 section 6.5.1)', async () => {
    const claims = ['X-Forwarded-For', 'X_Forwarded_For', 'Forwarded', 'X-Real-IP', 'CF-Connecting-IP', 'X-Request-Id', 'Expect'];
    const trailers = `${LINES}\r\n${LATE}${claims.map((name) => `${name}: secret\r\n`).join('')}X-Head: secret\r\n`;
    bench = await Bench.open({ script: answeringWhole(() => OK) });
    const head = 'POST / HTTP/1.1\r\nHost: kai.test\r\nConnection: close, X-Head\r\nTransfer-Encoding: chunked\r\n\r\n';
    await bench.exchange(`${head}1\r\nx\r\n0\r\n${trailers}\r\n`);
    const [request] = readWire(bench.backend.received).requests;
    expect(request!.trailers).toEqual([
      ['X-Kept', '1'],
      ['X-Third-Kept', '2'],
    ]);
    expect(JSON.stringify(request!.lines)).not.toContain('secret');
  });

  test.each(['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'Forwarded', 'X-Request-Id', 'Host'])(
    'what the daemon says of a caller cannot be named away: %s',
    async (name) => {
      bench = await Bench.open();
      for (const more of ['Connection: close\r\n', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'])
        await bench.exchange(`GET / HTTP/1.1\r\nHost: kai.test\r\n${more}Connection: ${name}\r\n\r\n`);
      const requests = bench.backend.connections.flatMap(({ received }) => readWire(received).requests);
      expect(requests.map(({ lines }) => lines.filter(([known]) => known.toLowerCase() === name.toLowerCase()).length)).toEqual([
        1, 1,
      ]);
    },
  );
});

describe('from an agent', () => {
  const GET = 'GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n';
  const UPGRADE = 'GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

  test.each([
    ['an answer (Hono CVE-2026-71849)', GET, `HTTP/1.1 200 OK\r\n${LINES}\r\nContent-Length: 3\r\n\r\nend`],
    ['an answer to HEAD', GET.replace('GET', 'HEAD'), `HTTP/1.1 200 OK\r\n${LINES}\r\nX-End: end\r\n\r\n`],
    ['a refused upgrade', UPGRADE, `HTTP/1.1 403 Forbidden\r\n${LINES}\r\nContent-Length: 3\r\n\r\nend`],
    [
      'a 101 (Caddy CVE-2026-55458)',
      UPGRADE,
      `HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${LINES}\r\n\r\nend`,
    ],
    ['a 103', GET, `HTTP/1.1 103 Early Hints\r\n${LINES}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend`],
  ])('%s', async (_what, asked, answer) => {
    bench = await Bench.open({ script: once(answer) });
    const client = await bench.client();
    expectSifted(await client.send(asked).until('end'));
  });

  test('trailers', async () => {
    const trailers = `${LINES}\r\n${LATE}`;
    bench = await Bench.open({
      script: answering(
        `HTTP/1.1 200 OK\r\nConnection: X-Head\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nend\r\n0\r\n${trailers}X-Head: secret\r\n\r\n`,
      ),
    });
    const answer = await bench.get();
    expect(answer.endsWith('\r\n0\r\nX-Kept: 1\r\nX-Third-Kept: 2\r\n\r\n')).toBe(true);
  });

  test('framing cannot be named away: the answer stays as long as it is', async () => {
    const tricky = (connection: RawConnection): void =>
      answering('HTTP/1.1 200 OK\r\nConnection: Content-Length\r\nContent-Length: 3\r\n\r\nend')(connection);
    bench = await Bench.open({ script: tricky });
    const answer = await bench.get();
    expect(values(answer, 'content-length')).toEqual(['3']);
    expect(answer.endsWith('\r\n\r\nend')).toBe(true);
  });
});
