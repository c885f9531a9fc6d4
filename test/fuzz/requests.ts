import { chunks, content } from './answers.ts';
import { type Chance, TOKEN_CHARACTERS, VALUE_CHARACTERS } from './chance.ts';
import { mutated, swollen } from './mutations.ts';

/** What one client sends on one connection, until it has nothing more to say. */
export interface Conversation {
  readonly bytes: string;
  /** Where one write ends and the next begins, ascending. */
  readonly cuts: readonly number[];
  /** How many requests were meant, before some were spoilt. */
  readonly sent: number;
}

/** The host that there is. */
export const HOST = 'kai.test';
/** In a target: the agent agrees to an upgrade, or answers before it has read the body. */
export const SWITCH = 'switch';
export const EARLY = 'early';

/** One in so many requests is spoilt; what follows it on its connection is not served, if the front is right. */
const SPOILT_ONE_IN = 20;

export function makeConversation(chance: Chance, index: number): Conversation {
  const sent = chance.between(1, chance.oneIn(8) ? 30 : 9);
  let bytes = '';
  const starts: number[] = [];
  for (let at = 0; at < sent; at += 1) {
    starts.push(bytes.length);
    const request = makeRequest(chance, `${index}-${at}`);
    if (chance.oneIn(SPOILT_ONE_IN)) bytes += (chance.oneIn(60) ? swollen : mutated)(request, chance);
    else bytes += request;
  }
  if (chance.oneIn(16)) bytes = bytes.slice(0, chance.below(bytes.length + 1));
  // A packet that begins as a request does is what a parser that has lost its place would take for one.
  const cut = (): number => Math.min(bytes.length, chance.oneIn(2) ? chance.pick(starts) : chance.below(bytes.length + 1));
  const cuts = Array.from({ length: chance.below(4) }, cut).sort((one, other) => one - other);
  return { bytes, cuts, sent };
}

function makeRequest(chance: Chance, name: string): string {
  if (chance.oneIn(40)) return upgrade(chance, name);
  const hasBody = chance.oneIn(2);
  const method = hasBody
    ? chance.pick(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET', 'QUERY'])
    : chance.pick(['GET', 'GET', 'GET', 'HEAD', 'DELETE', 'OPTIONS']);
  const framed = hasBody ? body(chance) : { line: chance.oneIn(8) ? 'Content-Length: 0\r\n' : '', bytes: '' };
  const version = chance.oneIn(60) ? 'HTTP/1.0' : 'HTTP/1.1';
  const early = hasBody && chance.oneIn(20);
  const expect =
    hasBody && (early || chance.oneIn(15)) ? `Expect: ${chance.oneIn(40) ? 'y 100-continue' : '100-continue'}\r\n` : '';
  const lines = [host(chance), framed.line, expect, fields(chance, 4), fields(chance, 3)];
  if (chance.oneIn(3)) lines.reverse();
  const target = chance.oneIn(60) ? '*' : `${origin(chance)}/${early ? EARLY : 'r'}-${name}${tail(chance)}`;
  return `${method} ${target} ${version}\r\n${lines.join('')}\r\n${framed.bytes}`;
}

const origin = (chance: Chance): string =>
  chance.weighed([
    [40, ''],
    [2, `http://${HOST}`],
    [1, `HTTP://${HOST.toUpperCase()}:80`],
    [1, 'http://elsewhere.test'],
    [1, '/'],
    [1, '/..'],
  ]);

const tail = (chance: Chance): string =>
  chance.weighed([
    [12, ''],
    [4, `?q=${chance.text('abc=&%20/?', chance.below(20))}`],
    [1, '/../a/./b//c;d'],
    [1, '/%2e%2e/%00'],
    [1, `?${chance.text('x', chance.below(400))}`],
    [chance.oneIn(4) ? 1 : 0, '#a'],
    [chance.oneIn(4) ? 1 : 0, '\\a'],
    [chance.oneIn(4) ? 1 : 0, '\xe9'],
  ]);

const host = (chance: Chance): string =>
  chance.weighed([
    [60, `Host: ${HOST}\r\n`],
    [4, `host:\t${HOST.toUpperCase()} \r\n`],
    [2, `HOST:${HOST}:80\r\n`],
    [2, `Host: ${HOST}.\r\n`],
    [2, 'Host: unknown.test\r\n'],
    [1, ''],
    [chance.oneIn(3) ? 1 : 0, `Host: ${HOST}\r\nHost: ${HOST}\r\n`],
    [chance.oneIn(3) ? 1 : 0, `Host: ${HOST}, ${HOST}\r\n`],
    [chance.oneIn(3) ? 1 : 0, `Host: u@${HOST}\r\n`],
    [chance.oneIn(3) ? 1 : 0, 'Host:\r\n'],
  ]);

function body(chance: Chance): { readonly line: string; readonly bytes: string } {
  if (chance.oneIn(2)) return { line: `Transfer-Encoding: ${chance.pick(['chunked', 'Chunked'])}\r\n`, bytes: chunks(chance) };
  const bytes = chance.oneIn(10) ? `GET /inner HTTP/1.1\r\nHost: ${HOST}\r\n\r\n` : content(chance);
  return { line: `Content-Length: ${'0'.repeat(chance.oneIn(20) ? 2 : 0)}${bytes.length}\r\n`, bytes };
}

/** What is asked for, whether there is anything else that forbids it, and bytes that come too early. */
function upgrade(chance: Chance, name: string): string {
  const token = chance.weighed([
    [6, 'websocket'],
    [1, 'WebSocket'],
    [2, 'h2c'],
    [1, 'h2c, websocket'],
  ]);
  const connection = chance.pick(['Upgrade', 'keep-alive, upgrade']);
  const method = chance.oneIn(8) ? 'POST' : 'GET';
  const framed = chance.oneIn(10) ? body(chance) : { line: '', bytes: '' };
  const early = chance.oneIn(3) ? content(chance) : '';
  const lines = `Connection: ${connection}\r\nUpgrade: ${token}\r\nSec-WebSocket-Key: a2V5\r\nSec-WebSocket-Version: 13\r\n`;
  const target = `/${chance.oneIn(2) ? SWITCH : 'refuse'}-${name}`;
  return `${method} ${target} HTTP/1.1\r\n${host(chance)}${fields(chance, 2)}${lines}${framed.line}\r\n${framed.bytes}${early}`;
}

const NAMES = [
  ...[
    'Accept',
    'Cookie',
    'Authorization',
    'User-Agent',
    'X-Tenant',
    'X_Forwarded_For',
    'X-Forwarded-For',
    'Forwarded',
    'X-Real-IP',
  ],
  ...[
    'CF-Connecting-IP',
    'X-Request-Id',
    'Keep-Alive',
    'Proxy-Connection',
    'Trailer',
    '__proto__',
    'constructor',
    'Via',
    'Priority',
  ],
  ...['Content_Length', 'Transfer_Encoding', 'Content-Type', 'Range', 'If-None-Match', 'HTTP2-Settings'],
];

function fields(chance: Chance, most: number): string {
  let lines = '';
  for (let left = chance.below(most + 1); left > 0; left -= 1) {
    lines += chance.weighed([
      [12, `${chance.pick(NAMES)}: ${chance.text('abcdefghij0123456789-/=;,"', chance.below(20))}\r\n`],
      [
        2,
        `${chance.text(TOKEN_CHARACTERS, chance.between(1, 12))}:${chance.text(`${VALUE_CHARACTERS}\t `, chance.below(30))}\r\n`,
      ],
      [
        2,
        `Connection: ${chance.pick(['keep-alive', 'X-Tenant', 'Content-Length', 'Transfer-Encoding', 'TE', 'Host, Via', ','])}\r\n`,
      ],
      [1, `TE: ${chance.pick(['trailers', 'gzip', 'trailers, deflate;q=0.5'])}\r\nConnection: TE\r\n`],
      [chance.oneIn(8) ? 1 : 0, 'Connection: close\r\n'],
      [chance.oneIn(6) ? 1 : 0, 'Connection: upgrade\r\n'],
    ]);
  }
  return lines;
}
