/**
 * What an agent may answer, right and wrong. Each is sent to a request and to an upgrade: an agent that is asked to switch
 * is no more to be trusted with the rules of HTTP than any other (Envoy CVE-2024-23326, Caddy CVE-2026-55458).
 */
const OK = 'HTTP/1.1 200 OK\r\n';
const head = (lines: string, body = 'ok'): string => `${OK}${lines}\r\n${body}`;
const start = (line: string): string => `${line}\r\nContent-Length: 2\r\n\r\nok`;

/** Not HTTP, or HTTP that two readers take differently: 502 `upstream-invalid`. */
export const NONSENSE: readonly (readonly [rule: string, bytes: string])[] = [
  ['RFC 9112 section 6.3: two Content-Length lines that differ', head('Content-Length: 2\r\nContent-Length: 3\r\n')],
  ['undici CVE-2026-1525: two of them that differ in case', head('Content-Length: 2\r\ncontent-length: 3\r\n')],
  ['RFC 9112 section 6.3: two Content-Length lines that agree', head('Content-Length: 2\r\nContent-Length: 2\r\n')],
  ['RFC 9110 section 8.6: Content-Length 2, 3', head('Content-Length: 2, 3\r\n')],
  ['RFC 9110 section 8.6: Content-Length +2', head('Content-Length: +2\r\n')],
  ['RFC 9110 section 8.6: Content-Length -2', head('Content-Length: -2\r\n')],
  ['RFC 9110 section 8.6: Content-Length 0x2', head('Content-Length: 0x2\r\n')],
  ['RFC 9110 section 8.6: an empty Content-Length', head('Content-Length:\r\n')],
  ['RFC 9110 section 8.6: one that overflows 64 bits into 2', head('Content-Length: 18446744073709551618\r\n')],
  [
    'RFC 9112 section 6.1: Content-Length beside chunked',
    head('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  ],
  ['RFC 9112 section 6.1: an unknown coding', head('Transfer-Encoding: foo\r\n')],
  ['RFC 9112 section 6.1: gzip, chunked', head('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n')],
  ['RFC 9112 section 6.1: chunked is not last', head('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n')],
  ['RFC 9112 section 6.1: chunked twice', head('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
  ['RFC 9112 section 6.1: xchunked', head('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')],
  ['RFC 9112 section 6.1: chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['RFC 9112 section 4: no status line', 'NONSENSE\r\n\r\n'],
  ['RFC 9112 section 4: a request', 'GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n'],
  ['RFC 9112 section 4: two digits', start('HTTP/1.1 20 OK')],
  ['RFC 9112 section 4: four digits', start('HTTP/1.1 2000 OK')],
  ['RFC 9112 section 4: no space behind the version', start('HTTP/1.1200 OK')],
  ['RFC 9110 section 15: a status above 599', start('HTTP/1.1 700 X')],
  ['RFC 9110 section 15: a status below 100', start('HTTP/1.1 042 X')],
  ['RFC 9112 section 2.3: HTTP/2.0', start('HTTP/2.0 200 OK')],
  ['RFC 9112 section 2.3: another protocol', start('ICY 200 OK')],
  ['RFC 9110 section 5.5: CR in a value', head('X: a\rb\r\nContent-Length: 2\r\n')],
  ['RFC 9110 section 5.5: NUL in a value', head('X: a\0b\r\nContent-Length: 2\r\n')],
  ['undici CVE-2022-31150: a bare LF in a value', head('X: a\nSet-Cookie: evil\r\nContent-Length: 2\r\n')],
  ['RFC 9112 section 5.2: obs-fold', head('X: a\r\n b\r\nContent-Length: 2\r\n')],
  ['RFC 9112 section 5.1: a space before the colon', head('Content-Length : 2\r\n')],
  ['RFC 9112 section 5: a line without a colon', head('nonsense\r\nContent-Length: 2\r\n')],
  ['RFC 9112 section 5: an empty name', head(': a\r\nContent-Length: 2\r\n')],
  ['a head of more than 64 KiB', head(`X: ${'x'.repeat(64 * 1024)}\r\nContent-Length: 2\r\n`)],
  ['a head that never ends', `${OK}X: ${'x'.repeat(80 * 1024)}`],
];

/** The head is fine; what comes behind it breaks off or is nonsense, so that nothing may end as if it were whole. */
export const BROKEN: readonly (readonly [rule: string, bytes: string])[] = [
  ['RFC 9112 section 8: an end within Content-Length', head('Content-Length: 20\r\n', 'half')],
  ['RFC 9112 section 8: an end within a chunk', head('Transfer-Encoding: chunked\r\n', '14\r\nhalf')],
  ['RFC 9112 section 8: an end within a size', head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n1')],
  ['RFC 9112 section 8: an end before the last chunk', head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n')],
  ['RFC 9112 section 8: an end within the last chunk', head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n0\r\n')],
  ['RFC 9112 section 7.1: bare LF behind a size', head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n3\nabc\r\n0\r\n\r\n')],
  ['RFC 9112 section 7.1: no line end behind the data', head('Transfer-Encoding: chunked\r\n', '4\r\nhalf0\r\n\r\n')],
  ['RFC 9112 section 7.1: a size of -1', head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n-1\r\n0\r\n\r\n')],
  ['RFC 9112 section 7.1: a size of 0x3', head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n0x3\r\nabc\r\n0\r\n\r\n')],
  [
    'RFC 9112 section 7.1: a size that overflows 64 bits',
    head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n10000000000000003\r\nabc\r\n0\r\n\r\n'),
  ],
  [
    'Jetty CVE-2026-2332: a quoted line end in an extension',
    head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n3;a="\r\n"\r\nabc\r\n0\r\n\r\n'),
  ],
  [
    'Node CVE-2024-22019: an extension without end',
    head('Transfer-Encoding: chunked\r\n', `4\r\nhalf\r\n3;${'x'.repeat(64 * 1024)}\r\nabc\r\n0\r\n\r\n`),
  ],
  ['RFC 9110 section 5.5: CR in a trailer', head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n0\r\nX: a\rb\r\n\r\n')],
  ['RFC 9112 section 5: a trailer without a colon', head('Transfer-Encoding: chunked\r\n', '4\r\nhalf\r\n0\r\nnonsense\r\n\r\n')],
];

/** Unusual and right. `body` is what the client gets of it. */
export const RIGHT: readonly (readonly [rule: string, bytes: string, status: number, body: string])[] = [
  ['RFC 9112 section 4: no reason', start('HTTP/1.1 200 '), 200, 'ok'],
  ['RFC 9112 section 4: no space behind the status either', start('HTTP/1.1 200'), 200, 'ok'],
  ['RFC 9112 section 4: a reason outside ASCII', start('HTTP/1.1 404 Gr\xfc\xdfe'), 404, 'ok'],
  ['RFC 9110 section 15: a status nobody knows', start('HTTP/1.1 599 X'), 599, 'ok'],
  ['RFC 9110 section 5.1: names in any case', head('CONTENT-length: 2\r\n'), 200, 'ok'],
  ['RFC 9110 section 5.5: whitespace around a value', head('Content-Length: \t2 \t\r\n'), 200, 'ok'],
  ['RFC 9110 section 5.5: an empty value', head('X:\r\nContent-Length: 2\r\n'), 200, 'ok'],
  ['RFC 9112 section 6.3: nothing', head('Content-Length: 0\r\n', ''), 200, ''],
  ['RFC 9112 section 6.3: as long as the connection', head('', 'ok'), 200, 'ok'],
  ['RFC 9112 section 9.3: HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nok', 200, 'ok'],
  ['RFC 9112 section 7.1: chunks', head('Transfer-Encoding: Chunked\r\n', '1\r\no\r\n01\r\nk\r\n0\r\n\r\n'), 200, 'ok'],
  [
    'RFC 9112 section 7.1.1: extensions end here',
    head('Transfer-Encoding: chunked\r\n', '2;a=b;c="d"\r\nok\r\n0;e\r\n\r\n'),
    200,
    'ok',
  ],
  ['RFC 9110 section 15.3.5: 204', 'HTTP/1.1 204 No Content\r\n\r\n', 204, ''],
  ['RFC 9110 section 15.3.6: 205', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n', 205, ''],
  [
    'RFC 9110 section 8.6: a 304 with the length it would have',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
    304,
    '',
  ],
  [
    'RFC 9110 section 15.2: 102 and 103 go ahead',
    `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n${start('HTTP/1.1 200 OK')}`,
    200,
    'ok',
  ],
  [
    'undici CVE-2026-9679: an encoded line end in Set-Cookie stays encoded',
    head('Set-Cookie: a=%0d%0aX: 1\r\nContent-Length: 2\r\n'),
    200,
    'ok',
  ],
];
