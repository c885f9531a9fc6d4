import { HOST, MALFORMED, NOBODY, passes, passesAlone, type Payload, refused } from './payload.ts';

/** Who is asked for what, and in which words: Host, target, version, method, expectation, and the syntax of lines. */
const BAD_HOST = refused(400, 'bad-host');
const hosts = (value: string): string => `Host: ${value}\r\n`;
const GET = passes('GET /p 0');

const HOSTS: readonly Payload[] = [
  { rule: 'RFC 9112 section 3.2: two Host lines', host: HOST + HOST, verdict: BAD_HOST },
  { rule: 'RFC 9112 section 3.2: two Host lines that differ', host: HOST + hosts('evil.test'), verdict: BAD_HOST },
  { rule: 'RFC 9112 section 3.2: no Host', host: '', verdict: BAD_HOST },
  { rule: 'no Host in HTTP/1.0 either, since hosts are what is routed by', host: '', version: 'HTTP/1.0', verdict: BAD_HOST },
  { rule: 'RFC 9112 section 3.2: an empty Host', host: 'Host:\r\n', verdict: BAD_HOST },
  { rule: 'RFC 9112 section 3.2: a list as Host', host: hosts('kai.test, b'), verdict: BAD_HOST },
  { rule: 'RFC 9112 section 3.2: userinfo and path in Host', host: hosts('u@kai.test/x'), verdict: BAD_HOST },
  { rule: 'RFC 3986 section 3.2.2: a space in Host', host: hosts('kai.test evil'), verdict: BAD_HOST },
  { rule: 'RFC 3986 section 3.2.3: two ports', host: hosts('kai.test:80:80'), verdict: BAD_HOST },
  { rule: 'RFC 3986 section 3.2.3: a port that is no number', host: hosts('kai.test:8a'), verdict: BAD_HOST },
  { rule: 'RFC 3986 section 3.2.3: a port above 65535', host: hosts('kai.test:65536'), verdict: BAD_HOST },
  { rule: 'RFC 1123 section 2.1: a name with an empty label', host: hosts('kai..test'), verdict: BAD_HOST },
  { rule: 'RFC 1123 section 2.1: two dots at the end', host: hosts('kai.test..'), verdict: BAD_HOST },
  { rule: 'RFC 1123 section 2.1: a dot at the front', host: hosts('.kai.test'), verdict: BAD_HOST },
  { rule: 'RFC 1035 section 2.3.4: a name of 254 characters', host: hosts(longName(254)), verdict: BAD_HOST },
  { rule: 'RFC 1035 section 2.3.4: a name of 253 characters is a name', host: hosts(longName(253)), verdict: NOBODY },
  {
    rule: 'RFC 5890 section 2.3.2.1: a U-label, which is no host on the wire',
    host: hosts('k\xc3\xa4i.test'),
    verdict: BAD_HOST,
  },
  {
    rule: 'RFC 5890: full-width digits do not become an address',
    host: hosts('\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97'),
    verdict: BAD_HOST,
  },
  { rule: 'hexadecimal does not become an address', host: hosts('0x7f.1'), verdict: NOBODY },
  { rule: 'a short address does not become a long one', host: hosts('127.1'), verdict: NOBODY },
  { rule: 'an IPv6 literal is a host', host: hosts('[::1]:80'), verdict: NOBODY },
  { rule: 'RFC 3986 section 3.2.2: an IPv6 literal without its end', host: hosts('[::1'), verdict: BAD_HOST },
  { rule: 'RFC 3986 section 3.2.2: something behind an IPv6 literal', host: hosts('[::1]kai.test'), verdict: BAD_HOST },
  { rule: 'percent-encoding in Host is not decoded', host: hosts('kai%2etest'), verdict: BAD_HOST },
  { rule: 'an underscore in a name, which Docker has', host: hosts('a_b.test'), verdict: NOBODY },
  { rule: 'http-proxy-middleware CVE-2026-55602: a name that ends in the host', host: hosts('evilkai.test'), verdict: NOBODY },
  {
    rule: 'http-proxy-middleware CVE-2026-55602: a name that begins with the host',
    host: hosts('kai.test.evil'),
    verdict: NOBODY,
  },
  { rule: 'Node CVE-2026-48930: NUL in Host', host: hosts('kai.test\0.evil'), verdict: MALFORMED },
  { rule: 'RFC 9112 section 5.1: a space before the colon of Host', host: 'Host : kai.test\r\n', verdict: MALFORMED },
  { rule: 'RFC 9112 section 2.2: whitespace before the first line', host: ` ${HOST}`, verdict: MALFORMED },
  { rule: 'RFC 9112 section 5.2: a folded Host', host: 'Host: kai.test\r\n .evil\r\n', verdict: MALFORMED },
  { rule: 'RFC 9110 section 5.5: whitespace around Host is none of it', host: 'Host:\t kai.test \t\r\n', verdict: GET },
];

const TARGETS: readonly Payload[] = [
  { rule: 'RFC 9112 section 3.2.2: absolute-form that names another host', target: 'http://evil/x', verdict: BAD_HOST },
  { rule: 'RFC 9112 section 3.2.2: absolute-form with userinfo', target: 'http://kai.test@evil/x', verdict: BAD_HOST },
  {
    rule: 'RFC 9112 section 3.2.2: absolute-form of the same host',
    target: 'http://KAI.test./x?y',
    verdict: passes('GET /x?y 0'),
  },
  { rule: 'RFC 9112 section 3.2.1: absolute-form without a path', target: 'http://kai.test?y', verdict: passes('GET /?y 0') },
  { rule: 'absolute-form of another scheme', target: 'ftp://kai.test/x', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3.2.1: a fragment (CVE-2026-129502)', target: '/a#b', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3.2.1: a fragment in absolute-form', target: 'http://kai.test/a#b', verdict: MALFORMED },
  { rule: 'a backslash (CVE-2026-126344)', target: '/\\evil', verdict: MALFORMED },
  { rule: 'a network-path stays bytes (CVE-2026-126344)', target: '//evil/x', verdict: passes('GET //evil/x 0') },
  { rule: 'a path that climbs stays bytes (CVE-2026-15631)', target: '/a/../../b/./c', verdict: passes('GET /a/../../b/./c 0') },
  { rule: 'an encoded path stays bytes (CVE-2026-16117)', target: '/%2e%2e%2f%61', verdict: passes('GET /%2e%2e%2f%61 0') },
  { rule: 'a path parameter stays bytes (CVE-2026-127060)', target: '/..;x/a;b=c', verdict: passes('GET /..;x/a;b=c 0') },
  { rule: 'an encoded line end stays bytes (CVE-2022-31150)', target: '/%0d%0aX:%201', verdict: passes('GET /%0d%0aX:%201 0') },
  { rule: 'RFC 9112 section 3.2.4: asterisk-form, which is for no agent', method: 'OPTIONS', target: '*', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3.2.3: authority-form', target: 'kai.test:80', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3.2: a target without a slash', target: 'evil', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3.2: a space in the target', target: '/a b', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3: a control character in the target', target: '/a\x01b', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3: DEL in the target', target: '/a\x7fb', verdict: MALFORMED },
  { rule: 'RFC 3986 section 2: bytes outside ASCII in the target', target: '/\xc3\xa4', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3: NUL in the target', target: '/a\0b', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3: no target', target: '', verdict: MALFORMED },
];

const START_LINES: readonly Payload[] = [
  { rule: 'RFC 9112 section 2.3: HTTP/2.0 as a text line', version: 'HTTP/2.0', verdict: refused(505, 'http-version') },
  { rule: 'RFC 9113 section 3.4: the preface of HTTP/2', edit: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', verdict: MALFORMED },
  { rule: 'HTTP/0.9, which cannot name a host', edit: () => 'GET /p\r\n\r\n', verdict: MALFORMED },
  { rule: 'HTTP/1.2, which is not', version: 'HTTP/1.2', verdict: MALFORMED },
  { rule: 'RFC 9112 section 2.3: the name of HTTP in lower case', version: 'http/1.1', verdict: MALFORMED },
  { rule: 'RFC 9112 section 2.3: two digits of a version', version: 'HTTP/1.10', verdict: MALFORMED },
  { rule: 'RFC 9112 section 9.3: HTTP/1.0 is served once', version: 'HTTP/1.0', verdict: passesAlone('GET /p 0') },
  { rule: 'RFC 9112 section 3: two spaces before the version are one for the agent', version: ' HTTP/1.1', verdict: GET },
  { rule: 'RFC 9112 section 2.2: one empty line before a request is skipped', edit: (bytes) => `\r\n${bytes}`, verdict: GET },
  { rule: 'RFC 9110 section 9.3.8: TRACE', method: 'TRACE', verdict: refused(405, 'method-not-allowed') },
  {
    rule: 'RFC 9110 section 9.3.6: CONNECT',
    method: 'CONNECT',
    target: 'kai.test:80',
    verdict: refused(405, 'method-not-allowed'),
  },
  { rule: 'RFC 9110 section 9.1: a method in lower case', method: 'get', verdict: MALFORMED },
  { rule: 'RFC 9110 section 9.1: an unknown method', method: 'FROB', verdict: MALFORMED },
  { rule: 'RFC 9112 section 3: a tab behind the method', edit: (bytes) => bytes.replace(' ', '\t'), verdict: MALFORMED },
];

const LINES: readonly Payload[] = [
  { rule: 'RFC 9112 section 2.2: bare LF as line end', edit: (bytes) => bytes.replaceAll('\r\n', '\n'), verdict: MALFORMED },
  { rule: 'Node CVE-2023-30589: bare CR as line end', edit: (bytes) => bytes.replace('\r\nHost', '\rHost'), verdict: MALFORMED },
  {
    rule: 'Node CVE-2025-23167: CR LF CR as the end of a head',
    edit: (bytes) => bytes.replace(/\r\n$/, '\rX'),
    verdict: MALFORMED,
  },
  { rule: 'RFC 9112 section 5.2: obs-fold', lines: 'X: a\r\n b\r\n', verdict: MALFORMED },
  { rule: 'RFC 9112 section 5.1: a space before the colon', lines: 'X : a\r\n', verdict: MALFORMED },
  { rule: 'RFC 9110 section 5.1: a name with a bracket', lines: 'X(y: a\r\n', verdict: MALFORMED },
  { rule: 'RFC 9110 section 5.1: a name outside ASCII', lines: 'X\xe4: a\r\n', verdict: MALFORMED },
  { rule: 'RFC 9112 section 5: an empty name', lines: ': a\r\n', verdict: MALFORMED },
  { rule: 'RFC 9112 section 5: a line without a colon', lines: 'GET /smuggled HTTP/1.1\r\n', verdict: MALFORMED },
  { rule: 'RFC 9110 section 5.5: NUL in a value', lines: 'X: a\0b\r\n', verdict: MALFORMED },
  { rule: 'RFC 9110 section 5.5: CR in a value', lines: 'X: a\rb\r\n', verdict: MALFORMED },
  { rule: 'RFC 9110 section 5.5: LF in a value', lines: 'X: a\nTransfer-Encoding: chunked\r\n', verdict: MALFORMED },
  { rule: 'RFC 9110 section 5.5: a control character in a value', lines: 'X: a\x01b\r\n', verdict: MALFORMED },
  { rule: 'RFC 9110 section 5.5: bytes outside ASCII pass', lines: 'X: \xff\xe4\r\n', verdict: GET },
  { rule: 'Node CVE-2026-21710: __proto__ is a name like any other', lines: '__proto__: 1\r\nconstructor: 2\r\n', verdict: GET },
];

const EXPECTATIONS: readonly Payload[] = (
  [
    ['not exactly 100-continue', 'y 100-continue'],
    ['unknown', 'tea'],
    ['twice', '100-continue, 100-continue'],
    ['with a parameter', '100-continue;q=1'],
  ] as const
).map(([which, value]) => ({
  rule: `RFC 9110 section 10.1.1: an expectation that is ${which}`,
  lines: `Expect: ${value}\r\n`,
  verdict: refused(417, 'expectation-failed'),
  // It has nothing to wait with.
  asUpgrade: MALFORMED,
}));

export const HEADS: readonly Payload[] = [...HOSTS, ...TARGETS, ...START_LINES, ...LINES, ...EXPECTATIONS];

function longName(length: number): string {
  const labels = `${'a'.repeat(63)}.`.repeat(4);
  return `${labels.slice(0, length - 1)}b`;
}
