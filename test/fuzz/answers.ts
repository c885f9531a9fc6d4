import type { AnswerCase } from './answer-reading.ts';
import { ALL_BYTES, type Chance, TOKEN_CHARACTERS, VALUE_CHARACTERS } from './chance.ts';

/** Answers that RFC 9112 allows, of every kind that it allows, with what an honest agent would never think of sending. */
export function makeAnswer(chance: Chance): AnswerCase {
  const isUpgrade = chance.oneIn(12);
  const method = isUpgrade ? 'GET' : chance.pick(['GET', 'GET', 'GET', 'POST', 'HEAD', 'DELETE']);
  let bytes = '';
  while (chance.oneIn(5)) bytes += informational(chance);
  bytes += isUpgrade && !chance.oneIn(3) ? switching(chance) : final(chance, method);
  if (chance.oneIn(4))
    bytes += chance.pick(['\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', '\0', '0\r\n\r\n', content(chance)]);
  return { bytes, method, isUpgrade };
}

const STATUSES = [200, 200, 200, 200, 200, 201, 202, 203, 204, 204, 205, 206, 226, 299];
const REFUSALS = [
  300, 301, 302, 303, 304, 304, 307, 308, 400, 401, 404, 405, 409, 413, 416, 418, 421, 429, 500, 502, 503, 504, 599,
];

/** RFC 9112 section 4. */
function statusLine(chance: Chance, status: number, version = '1.1'): string {
  const reason = chance.weighed([
    [6, ' OK'],
    [1, ' '],
    [1, ''],
    [1, '  two  blanks '],
    [1, ' \t'],
    [1, ` ${chance.text(VALUE_CHARACTERS, chance.below(20))}`],
  ]);
  return `HTTP/${version} ${status}${reason}\r\n`;
}

/** RFC 9110 section 15.2: a head and nothing else. */
function informational(chance: Chance): string {
  return `${statusLine(chance, chance.pick([100, 100, 102, 103, 103, 104, 150, 199]))}${fields(chance, 3)}\r\n`;
}

function switching(chance: Chance): string {
  const upgrade = chance.pick(['websocket', 'WebSocket', 'h2c', 'a/1, b']);
  const lines = [`Connection: ${chance.pick(['Upgrade', 'upgrade', 'keep-alive, Upgrade'])}\r\n`, `Upgrade: ${upgrade}\r\n`];
  if (chance.oneIn(2)) lines.reverse();
  return `${statusLine(chance, 101)}${fields(chance, 3)}${lines.join('')}\r\n${chance.oneIn(2) ? content(chance) : ''}`;
}

function final(chance: Chance, method: string): string {
  const status = chance.oneIn(3) ? chance.pick(REFUSALS) : chance.pick(STATUSES);
  const version = chance.oneIn(8) ? '1.0' : '1.1';
  const head = statusLine(chance, status, version);
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 304;
  const framing = chance.weighed([
    [5, 'length'],
    [version === '1.1' ? 5 : 0, 'chunked'],
    [2, 'close'],
    [1, 'empty'],
  ] as const);
  const shuffled = (line: string): string => {
    const before = fields(chance, 5);
    return before + line + fields(chance, 5);
  };
  switch (framing) {
    case 'length': {
      const body = content(chance);
      const zeros = '0'.repeat(chance.oneIn(6) ? chance.below(6) : 0);
      const line = `${spelled(chance, 'Content-Length')}:${blanks(chance)}${zeros}${body.length}${blanks(chance)}\r\n`;
      return `${head}${shuffled(line)}\r\n${hasBody ? body : ''}`;
    }
    case 'chunked': {
      const line = `${spelled(chance, 'Transfer-Encoding')}:${blanks(chance)}${spelled(chance, 'chunked')}${blanks(chance)}\r\n`;
      return `${head}${shuffled(line)}\r\n${hasBody ? chunks(chance) : ''}`;
    }
    case 'close':
      return `${head}${shuffled('')}\r\n${hasBody ? content(chance) : ''}`;
    case 'empty':
      return `${head}${shuffled('Content-Length: 0\r\n')}\r\n`;
  }
}

/** RFC 9112 section 7.1. */
export function chunks(chance: Chance): string {
  let bytes = '';
  for (let left = chance.below(5); left > 0; left -= 1) {
    const part = content(chance) || 'x';
    const digits = part.length.toString(16);
    const size = '0'.repeat(chance.oneIn(6) ? chance.below(5) : 0) + (chance.oneIn(3) ? digits.toUpperCase() : digits);
    bytes += `${size}${extensions(chance)}\r\n${part}\r\n`;
  }
  bytes += `${'0'.repeat(chance.oneIn(6) ? chance.between(1, 8) : 1)}${extensions(chance)}\r\n`;
  if (chance.oneIn(3)) bytes += fields(chance, 4).replace(/^(?:content-length|transfer-encoding|connection)/gim, 'X-Other');
  return `${bytes}\r\n`;
}

/** RFC 9112 section 7.1.1. */
function extensions(chance: Chance): string {
  if (!chance.oneIn(4)) return '';
  let text = '';
  for (let left = chance.between(1, 3); left > 0; left -= 1) {
    text += `;${chance.text(TOKEN_CHARACTERS, chance.between(1, 8))}`;
    if (chance.oneIn(2)) continue;
    text += chance.oneIn(2)
      ? `=${chance.text(TOKEN_CHARACTERS, chance.between(1, 8))}`
      : `="${chance.pick(['', 'a b', ';', '\\"', '\\\\', '\t', '=;,', '\xe9'])}"`;
  }
  return text;
}

const NAMES = [
  ...['Date', 'Server', 'Content-Type', 'Cache-Control', 'Set-Cookie', 'Set-Cookie', 'ETag', 'Vary', 'X-Request-Id', 'Via'],
  ...['Keep-Alive', 'Trailer', 'Proxy-Connection', 'Proxy-Authenticate', 'TE', 'Upgrade', 'Location', '__proto__', 'constructor'],
];

/** Up to `most` header lines, none of which frames. */
function fields(chance: Chance, most: number): string {
  let lines = '';
  for (let left = chance.below(most + 1); left > 0; left -= 1) {
    if (chance.oneIn(6)) {
      lines += `${spelled(chance, 'Connection')}: ${chance.pick(['close', 'keep-alive', 'Close', 'X-Other', 'x, close , y', '', ',', 'te'])}\r\n`;
      continue;
    }
    const name = chance.oneIn(3) ? chance.text(TOKEN_CHARACTERS, chance.between(1, 12)) : spelled(chance, chance.pick(NAMES));
    lines += isFraming(name) ? '' : `${name}:${blanks(chance)}${value(chance)}${blanks(chance)}\r\n`;
  }
  return lines;
}

const isFraming = (name: string): boolean => /^(?:content-length|transfer-encoding)$/i.test(name);

function value(chance: Chance): string {
  const length = chance.weighed([
    [8, chance.below(20)],
    [2, 0],
    [1, chance.below(300)],
    [chance.oneIn(20) ? 1 : 0, chance.below(9000)],
  ]);
  const text = chance.text(chance.oneIn(6) ? `${VALUE_CHARACTERS} \t` : 'abcdefghij0123456789-/=;,"', length);
  return text;
}

const blanks = (chance: Chance): string =>
  chance.weighed([
    [12, ' '],
    [3, ''],
    [1, '\t'],
    [1, '  \t '],
  ]);

/** In one of the ways in which a name or a token that knows no case can be written. */
function spelled(chance: Chance, name: string): string {
  return chance.weighed([
    [6, name],
    [2, name.toLowerCase()],
    [1, name.toUpperCase()],
  ]);
}

const SPEAKING = ['\r\n', '\r\n\r\n', '0\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', 'Content-Length: 3\r\n', '\0'];

/** Bytes of a body: any, and often such as would mean something elsewhere. */
export function content(chance: Chance): string {
  const plain = chance.text(
    chance.oneIn(3) ? ALL_BYTES : 'abcdefghijklmnop ',
    chance.oneIn(30) ? chance.below(3000) : chance.below(60),
  );
  return chance.oneIn(4) ? plain + chance.pick(SPEAKING) + plain : plain;
}
