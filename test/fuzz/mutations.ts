import { ALL_BYTES, type Chance } from './chance.ts';

/**
 * What makes nonsense of sound HTTP, or HTTP of another meaning. Most of it aims at the places that carry meaning, because a
 * byte changed in the middle of a body changes nothing.
 */
type Mutation = (text: string, chance: Chance) => string;

const MEANING = /[\r\n:; ,=]|[0-9](?=[0-9a-f]*\r)/gi;

/** A place in it: half of the time one where something ends or begins. */
function place(text: string, chance: Chance): number {
  if (chance.oneIn(2)) return chance.below(text.length + 1);
  const marks = [...text.matchAll(MEANING)];
  return marks.length === 0 ? 0 : chance.pick(marks).index + chance.below(2);
}

const put = (text: string, at: number, what: string, instead = 0): string => text.slice(0, at) + what + text.slice(at + instead);

/** Where a header line of the first heads may begin. */
function lineStart(text: string, chance: Chance): number {
  const starts = [...text.slice(0, 4000).matchAll(/\r\n/g)].map((match) => match.index + 2);
  return starts.length === 0 ? 0 : chance.pick(starts.slice(0, 12));
}

const ODD = [
  '\r',
  '\n',
  '\0',
  '\t',
  ' ',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  ':',
  ';',
  ',',
  '"',
  '\\',
  '=',
  '0',
  '+',
  '-',
  '\r\n',
  '\n\n',
  '\r\r\n',
];

const FRAMING_LINES = [
  ...[
    'Content-Length: 3',
    'Content-Length: 0',
    'Content-Length: 5, 5',
    'Content-Length: +4',
    'Content-Length: -1',
    'Content-Length:',
  ],
  ...['Content-Length: 0x5', 'Content-Length: 4 4', 'Content-Length: 999999999999999', 'Content-Length: 1000000000000000'],
  ...[
    'Content-Length: 18446744073709551615',
    'Content-Length: 18446744073709551616',
    'Content-Length: 1e3',
    'Content-Length : 3',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: chunked, gzip',
  ],
  ...['Transfer-Encoding: xchunked', 'Transfer-Encoding:', 'Transfer-Encoding: identity', 'Transfer-Encoding: "chunked"'],
  ...[
    'Transfer-Encoding: chunked;a=b',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding:\x0bchunked',
    'Transfer_Encoding: chunked',
  ],
  ...[
    'Connection: close',
    'Connection: Content-Length',
    'Connection: Transfer-Encoding',
    'Connection: upgrade',
    'Upgrade: websocket',
  ],
  ...[' folded', '\tfolded: x', 'no colon', ': no name', 'a b: c', 'X:', 'Content-Length\0: 3', 'X: a\rb', 'X: a\0b'],
] as const;

const VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'HTTP/1.1 ',
  'HTTP/11',
  'http/1.1',
  'HTTP/1,1',
  'RTSP/1.0',
  'ICE/1.0',
  'HTTP/1.10',
  'HTTP /1.1',
];

const MUTATIONS: readonly (readonly [often: number, mutation: Mutation])[] = [
  // One byte: another, one more, one less.
  [4, (text, chance) => put(text, place(text, chance), chance.pick(ODD), chance.below(2))],
  [2, (text, chance) => put(text, place(text, chance), chance.text(ALL_BYTES, 1), 1)],
  [3, (text, chance) => put(text, place(text, chance), '', 1)],
  [2, (text, chance) => put(text, place(text, chance), chance.pick(ODD))],
  // A bit.
  [
    1,
    (text, chance) => {
      const at = place(text, chance);
      return at >= text.length ? text : put(text, at, String.fromCharCode(text.charCodeAt(at) ^ (1 << chance.below(8))), 1);
    },
  ],
  // Lines.
  [5, (text, chance) => put(text, lineStart(text, chance), `${chance.pick(FRAMING_LINES)}\r\n`)],
  [
    2,
    (text, chance) => {
      const at = lineStart(text, chance);
      const end = text.indexOf('\r\n', at);
      return end === -1 ? text : put(text, chance.oneIn(2) ? at : lineStart(text, chance), text.slice(at, end + 2));
    },
  ],
  [1, (text, chance) => put(text, lineStart(text, chance), '', chance.between(1, 40))],
  // Line ends.
  [
    3,
    (text, chance) => {
      const ends = [...text.matchAll(/\r\n/g)];
      if (ends.length === 0) return text;
      return put(
        text,
        chance.pick(ends).index,
        chance.pick(['\n', '\r', '\r\r\n', '\n\r', '\r\n\r\n', '', '\r\n ', '\r\n\t']),
        2,
      );
    },
  ],
  // The start line, and what stands before it.
  [2, (text, chance) => text.replace(/HTTP\/1\.[01]/, chance.pick(VERSIONS))],
  [
    2,
    (text, chance) =>
      text.replace(
        /^(HTTP\/1\.\d) \d{3}/m,
        `$1 ${chance.pick(['000', '099', '600', '999', '20', '2000', '2 0', '-20', ' 200', '1e2', '101', '100', '204', '304', '199'])}`,
      ),
  ],
  [1, (text, chance) => chance.pick(['\r\n', '\n', '\r\n\r\n', ' ', '\0', 'x']) + text],
  // Numbers.
  [
    3,
    (text, chance) => {
      const numbers = [...text.matchAll(/[0-9a-f]+(?=[\t ;]*(?:;[^\r]*)?\r\n)/gi)];
      if (numbers.length === 0) return text;
      const number = chance.pick(numbers);
      const value = Number.parseInt(number[0], 16);
      const other = chance.pick([
        String(value + 1),
        String(Math.max(0, value - 1)),
        `0x${number[0]}`,
        `${number[0]} `,
        ` ${number[0]}`,
        `-${number[0]}`,
        'fffffffffffff',
        '10000000000000',
        'ffffffffffffffff',
        '10000000000000000',
        `1${'0'.repeat(16)}${number[0]}`,
        `${number[0]};`,
        `${number[0]};a=`,
        `${number[0]};a="`,
        `${number[0]} ;a`,
        `${number[0]};a =b`,
        '',
      ]);
      return put(text, number.index, other, number[0].length);
    },
  ],
  // The end, and doubled or lost parts.
  [2, (text, chance) => text.slice(0, chance.below(text.length + 1))],
  [1, (text, chance) => put(text, place(text, chance), '', chance.between(1, 30))],
  [
    1,
    (text, chance) => {
      const at = place(text, chance);
      return put(text, at, text.slice(at, at + chance.between(1, 60)));
    },
  ],
];

/** Applies one to three of them. */
export function mutated(text: string, chance: Chance): string {
  let bytes = text;
  for (
    let left = chance.weighed([
      [6, 1],
      [2, 2],
      [1, 3],
    ]);
    left > 0;
    left -= 1
  )
    bytes = chance.weighed(MUTATIONS)(bytes, chance);
  return bytes;
}

/** What is too much of one thing, for the limits: rare, since it takes long to read. */
export function swollen(text: string, chance: Chance): string {
  const size = chance.pick([900, 1100, 16_300, 16_500, 40_000, 65_000, 66_000]);
  const lines = 'X: y\r\n'.repeat(Math.ceil(size / 6));
  switch (chance.below(4)) {
    case 0:
      return put(text, lineStart(text, chance), lines);
    case 1:
      // Extensions of a chunk, if there is one.
      return text.replace(/(?<=\r\n)[0-9a-f]+(?=[;\r])/i, (digits) => `${digits};${'x'.repeat(size)}`);
    case 2:
      // Trailers, if there can be any.
      return text.replace(/\r\n0+(?:;[^\r]*)?\r\n/, (last) => last + lines);
    default:
      return put(text, place(text, chance), 'x'.repeat(size));
  }
}
