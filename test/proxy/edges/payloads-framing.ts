import { AFTER, MALFORMED, passes, passesAlone, type Payload, refused, type Verdict } from './payload.ts';

/**
 * Where a request ends: the class of smuggling. All of them are POST where nothing else is said. As an upgrade none of them is
 * served, since an upgrade has no body (RFC 9110 section 7.8, Pingora CVE-2026-2833, aiohttp CVE-2026-69243).
 */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: kai.test\r\n\r\n';
const NO_CODING = refused(501, 'unsupported-transfer-coding');
const LAST = '0\r\n\r\n';
const ABC = passes('POST /p 3');
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const chunk = (data: string): string => `${data.length.toString(16)}\r\n${data}\r\n`;

const length = (rule: string, lines: string, verdict: Verdict = MALFORMED, body = 'abc'): Payload => ({
  rule,
  lines,
  body,
  verdict,
});
const coding = (rule: string, lines: string, verdict: Verdict = MALFORMED): Payload => ({ rule, lines, body: LAST, verdict });
const chunks = (rule: string, body: string, verdict: Verdict = MALFORMED): Payload => ({ rule, lines: CHUNKED, body, verdict });

const LENGTHS: readonly Payload[] = [
  length('RFC 9112 section 6.3: two Content-Length lines', 'Content-Length: 3\r\nContent-Length: 3\r\n'),
  length('RFC 9112 section 6.3: two that differ', 'Content-Length: 3\r\nContent-Length: 0\r\n'),
  length('undici CVE-2026-1525: two that differ in case', 'Content-Length: 3\r\ncontent-length: 3\r\n'),
  length('RFC 9112 section 6.3: a list, 3, 3', 'Content-Length: 3, 3\r\n'),
  length('RFC 9110 section 8.6: +3', 'Content-Length: +3\r\n'),
  length('RFC 9110 section 8.6: -3', 'Content-Length: -3\r\n'),
  length('RFC 9110 section 8.6: 0x3', 'Content-Length: 0x3\r\n'),
  length('RFC 9110 section 8.6: 3 3', 'Content-Length: 3 3\r\n'),
  length('RFC 9110 section 8.6: 3.0', 'Content-Length: 3.0\r\n'),
  length('RFC 9110 section 8.6: none', 'Content-Length:\r\n'),
  length('RFC 9110 section 8.6: one that overflows 64 bits into 3', 'Content-Length: 18446744073709551619\r\n'),
  length('RFC 9112 section 5.1: a space before the colon', 'Content-Length : 3\r\n'),
  length('Node CVE-2024-27982: a space before the name', 'X: 1\r\n Content-Length: 3\r\n'),
  length('RFC 9110 section 5.5: whitespace around it is none of it', 'Content-Length:\t 3 \t\r\n', ABC),
  length('a length with zeros in front, which some read as octal', 'Content-Length: 010\r\n', passes('POST /p 10'), 'abcdefghij'),
  {
    ...length('a twin with an underscore does not count', 'Content_Length: 3\r\n', passes('POST /p 0'), ''),
    asUpgrade: passesAlone('GET /p 0'),
  },
  length('RFC 9110 section 7.6.1: Connection cannot name it away', 'Content-Length: 3\r\nConnection: Content-Length\r\n', ABC),
  length('RFC 9112 section 6.3: what is behind it is the next request', 'Content-Length: 0\r\n', passes('POST /p 0'), ''),
  length(
    'a body that looks like a request',
    `Content-Length: ${SMUGGLED.length}\r\n`,
    passes(`POST /p ${SMUGGLED.length}`),
    SMUGGLED,
  ),
  length(
    'RFC 9112 section 9.6: nothing behind Connection: close',
    'Content-Length: 3\r\nConnection: close\r\n',
    passesAlone('POST /p 3'),
  ),
];

const CODINGS: readonly Payload[] = [
  coding('RFC 9112 section 6.1: Content-Length beside it', `Content-Length: 3\r\n${CHUNKED}`),
  coding('RFC 9112 section 6.1: Content-Length behind it', `${CHUNKED}Content-Length: 3\r\n`),
  coding(
    'RFC 9112 section 6.1: Content-Length beside it, which Connection names',
    `Content-Length: 3\r\n${CHUNKED}Connection: Content-Length\r\n`,
  ),
  coding('RFC 9112 section 6.1: gzip, chunked', 'Transfer-Encoding: gzip, chunked\r\n', NO_CODING),
  coding('RFC 9112 section 6.1: xchunked', 'Transfer-Encoding: xchunked\r\n', NO_CODING),
  coding('RFC 9112 section 6.1: chunked is not last', 'Transfer-Encoding: chunked, gzip\r\n'),
  coding('Node CVE-2022-32213: chunked twice', 'Transfer-Encoding: chunked, chunked\r\n'),
  coding('Node CVE-2022-32213: two lines', `${CHUNKED}${CHUNKED}`),
  coding('identity, which is gone', 'Transfer-Encoding: identity\r\n', NO_CODING),
  coding('chunked, identity', 'Transfer-Encoding: chunked, identity\r\n'),
  coding('quoted', 'Transfer-Encoding: "chunked"\r\n', NO_CODING),
  coding('with a parameter', 'Transfer-Encoding: chunked;q=1\r\n', NO_CODING),
  coding('empty', 'Transfer-Encoding:\r\n'),
  coding('Node CVE-2022-32215: folded', 'Transfer-Encoding: chunked\r\n , identity\r\n'),
  coding('a vertical tab before it', 'Transfer-Encoding: \x0bchunked\r\n'),
  coding('a space before its colon', 'Transfer-Encoding : chunked\r\n'),
  coding('in a line that ends in a bare LF', 'X: 1\nTransfer-Encoding: chunked\r\n'),
  coding('a twin with an underscore does not count', 'Transfer_Encoding: chunked\r\nContent-Length: 5\r\n', passes('POST /p 5')),
  coding('in capitals', 'TRANSFER-ENCODING: CHUNKED\r\n', passes('POST /p 0')),
  coding(
    'RFC 9110 section 7.6.1: Connection cannot name it away',
    `${CHUNKED}Connection: Transfer-Encoding\r\n`,
    passes('POST /p 0'),
  ),
  {
    ...coding('RFC 9112 section 6.1, Pingora CVE-2026-2835: in HTTP/1.0', CHUNKED),
    version: 'HTTP/1.0',
  },
];

const CHUNKS: readonly Payload[] = [
  chunks('RFC 9112 section 7.1: bare LF behind a size', `3\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1.1: bare LF behind an extension', `3;a\nabc\r\n${LAST}`),
  chunks('Jetty CVE-2026-2332: a quoted line end in an extension', `3;a="\r\n"\r\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1: no line end behind the data', `3\r\nabc${LAST}`),
  chunks('RFC 9112 section 7.1: a size of -1', `-1\r\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1: a size of 0x3', `0x3\r\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1: a size of +3', `+3\r\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1: a space before the size', ` 3\r\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1: no size', `\r\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1: a size that overflows 64 bits into 3', `10000000000000003\r\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1: CR CR LF behind a size', `3\r\r\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1: no empty line at the end', '3\r\nabc\r\n0\r\n'),
  chunks('Node CVE-2024-22019: an extension without end', `3;${'x'.repeat(64 * 1024)}\r\nabc\r\n${LAST}`),
  chunks('RFC 9112 section 7.1.1: extensions end here', `3;a=b;c="d"\r\nabc\r\n${LAST}`, ABC),
  chunks('RFC 9112 section 7.1: zeros before a size', `0003\r\nabc\r\n00\r\n\r\n`, ABC),
  chunks('RFC 9112 section 7.1: sizes in both cases', `a\r\n0123456789\r\nB\r\n0123456789a\r\n${LAST}`, passes('POST /p 21')),
  chunks(
    'data that looks like an end and a request',
    `${chunk(LAST + SMUGGLED)}${LAST}`,
    passes(`POST /p ${LAST.length + SMUGGLED.length}`),
  ),
  chunks('data that looks like what follows', `${chunk(AFTER)}${LAST}`, passes(`POST /p ${AFTER.length}`)),
];

/** Methods that "have no body". Only a GET can be an upgrade; the others are served as what they are. */
const METHODS: readonly Payload[] = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PUT', 'PATCH', 'QUERY'].flatMap((method) => [
  {
    ...chunks(
      `node-http-proxy CVE-2026-29057: a chunked ${method}`,
      chunk(SMUGGLED) + LAST,
      passes(`${method} /p ${SMUGGLED.length}`),
    ),
    method,
    ...(method === 'GET' ? {} : { asUpgrade: passesAlone(`${method} /p ${SMUGGLED.length}`) }),
  },
  {
    ...length(
      `a ${method} with a length`,
      `Content-Length: ${SMUGGLED.length}\r\n`,
      passes(`${method} /p ${SMUGGLED.length}`),
      SMUGGLED,
    ),
    method,
    ...(method === 'GET' ? {} : { asUpgrade: passesAlone(`${method} /p ${SMUGGLED.length}`) }),
  },
]);

/** node loses what came behind an upgrade that is not done, so nothing behind it is served at all. */
const UPGRADES: readonly Payload[] = [
  length(
    'RFC 9110 section 7.8: h2c with a body is served plainly',
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\nContent-Length: 3\r\n',
    passesAlone('POST /p 3'),
  ),
  length(
    'RFC 9110 section 7.8: a POST is no WebSocket',
    'Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n',
    passesAlone('POST /p 3'),
  ),
  length('RFC 9110 section 7.8: Upgrade that Connection does not name', 'Upgrade: websocket\r\nContent-Length: 3\r\n', ABC),
  length('RFC 9110 section 7.8: Connection that names no Upgrade', 'Connection: Upgrade\r\nContent-Length: 3\r\n', ABC),
];

export const FRAMING: readonly Payload[] = [...LENGTHS, ...CODINGS, ...CHUNKS, ...METHODS, ...UPGRADES].map((payload) => ({
  ...(payload.verdict.problem === null ? { asUpgrade: MALFORMED } : {}),
  ...payload,
}));
