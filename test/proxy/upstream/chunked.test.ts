import { describe, expect, test } from 'vitest';
import { type Asked, faultOf as faultOfAnswer, told as toldOfAnswer, type Told } from './answered.ts';

/** Chunked bodies, rule by rule (RFC 9112 section 7.1). */
const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const LAST = '0\r\n\r\n';
const told = (body: string, asked: Asked = {}): Told => toldOfAnswer(HEAD + body, asked);
/** What comes behind the head. */
const read = (body: string, asked: Asked = {}): readonly string[] => told(body, asked).events.slice(1);
const faultOf = (body: string): string => faultOfAnswer(HEAD + body);

describe('chunks', () => {
  test.each([
    ['one', `3\r\nabc\r\n${LAST}`, 'abc'],
    ['several', `3\r\nabc\r\n2\r\nde\r\n${LAST}`, 'abcde'],
    ['sizes in both cases', `a\r\n0123456789\r\nB\r\n0123456789a\r\n${LAST}`, '01234567890123456789a'],
    ['zeros before a size', `0003\r\nabc\r\n${LAST}`, 'abc'],
    ['13 digits', `0000000000003\r\nabc\r\n${LAST}`, 'abc'],
    ['bytes that look like an end', `7\r\n0\r\n\r\n\r\n\r\n${LAST}`, '0\r\n\r\n\r\n'],
    [
      'all bytes there are',
      `100\r\n${Buffer.from(Array.from({ length: 256 }, (_, at) => at)).toString('latin1')}\r\n${LAST}`,
      Buffer.from(Array.from({ length: 256 }, (_, at) => at)).toString('latin1'),
    ],
  ])('are read: %s', (_what, body, decoded) => {
    expect(read(body)).toEqual([`body ${decoded}`, 'whole']);
  });

  test('none but the last one are an empty body', () => {
    expect(read(LAST)).toEqual(['whole']);
    expect(read('0000\r\n\r\n')).toEqual(['whole']);
  });

  test('what stands behind the last one is left over', () => {
    expect(told(`${LAST}HTTP/1.1 200 OK\r\n`).taken).toBe(HEAD.length + LAST.length);
  });

  test.each([
    ...[
      '\r\n',
      ' 3\r\nabc\r\n',
      '3 \r\nabc\r\n',
      '\t3\r\nabc\r\n',
      '+3\r\nabc\r\n',
      '-3\r\nabc\r\n',
      '0x3\r\nabc\r\n',
      'g\r\n',
      '3.\r\nabc\r\n',
    ],
    // Without CR, with too many, and with one elsewhere.
    ...['3\nabc\r\n', '3\r\r\nabc\r\n', '\r3\r\nabc\r\n'],
    // One digit too many: beyond 13, sums of sizes are not exact any more; 17 overflow 64 bits into 3.
    ...['00000000000003\r\nabc\r\n', '10000000000000003\r\nabc\r\n'],
  ])('are refused where a size is none: %j', (body) => {
    expect(faultOf(body + LAST)).toBe('a chunk size that is none');
  });

  test.each(['3\r\nabcd\r\n', '3\r\nabc', '3\r\nabc\n', '3\r\nabc\r\r\n', '3\r\nabc\rx', '2\r\nabc\r\n', '3\r\n\nabc'])(
    'are refused where anything but CR LF stands behind the bytes: %j',
    (body) => {
      expect(faultOf(body + LAST)).toBe('a chunk that is longer than its size');
    },
  );
});

describe('chunk extensions (section 7.1.1)', () => {
  test.each([[';a'], [';a=b'], [';a;b=c;d'], [';a=""'], [';a="b c;d=\\"e\\"\t\xe9"'], [";!#$%&'*+-.^_`|~=!#$%&'*+-.^_`|~"]])(
    'are read and end here: %s',
    (extension) => {
      expect(read(`3${extension}\r\nabc\r\n0${extension}\r\n\r\n`)).toEqual(['body abc', 'whole']);
    },
  );

  test.each([
    ...[
      ';',
      ';;a',
      ';a=',
      ';=a',
      ' ;a',
      '; a',
      ';a =b',
      ';a= b',
      ';a ',
      ';a="b',
      ';a="b\\"',
      ';a="b"c',
      ';a="\0"',
      ';a=b"c"',
      ';a=(b)',
    ],
    ...[';a="\x7f"', ';a="\\\x7f"', ';a="\\\0"'],
  ])('are refused where they are malformed or hold blanks: %j', (extension) => {
    expect(faultOf(`3${extension}\r\nabc\r\n${LAST}`)).toBe('a chunk size that is none');
  });

  test('are refused with a line end inside quotes', () => {
    expect(faultOf(`3;a="\r\n"\r\nabc\r\n${LAST}`)).toBe('a chunk size that is none');
  });

  test('a line of 1024 bytes is read, and one more is refused, however it comes', () => {
    const line = (bytes: number): string => `3;${'x'.repeat(bytes - 4)}\r\n`;
    expect(read(`${line(1024)}abc\r\n${LAST}`)).toEqual(['body abc', 'whole']);
    expect(faultOf(`${line(1025)}abc\r\n${LAST}`)).toBe('a chunk size line without an end');
    const cuts = Array.from({ length: 1100 }, (_, at) => HEAD.length + at);
    expect(read(`${line(1024)}abc\r\n${LAST}`, { cuts: cuts.slice(0, 1020) })).toEqual(['body abc', 'whole']);
    expect(read(`3;${'x'.repeat(2000)}`, { cuts })).toEqual(['fault a chunk size line without an end']);
  });

  test('16 KiB of them in one answer are read, and one byte more is refused', () => {
    const chunk = (bytes: number): string => `1;${'x'.repeat(bytes - 1)}\r\na\r\n`;
    const most = chunk(1000).repeat(16) + chunk(384);
    expect(read(most + LAST)).toEqual([`body ${'a'.repeat(17)}`, 'whole']);
    expect(faultOf(`${most}0;\r\n\r\n`)).toBe('a chunk size that is none');
    expect(faultOf(`${chunk(1000).repeat(16)}${chunk(383)}0;a\r\n\r\n`)).toBe('too many chunk extensions');
  });
});

describe('trailers (section 7.1.2)', () => {
  test('are told as they came', () => {
    expect(read('0\r\nX-Sum: 1 \r\nx-sum:2\r\nY:\r\n\r\n')).toEqual(['whole X-Sum 1 x-sum 2 Y ']);
  });

  test.each([
    ['X: y\n\r\n', 'a trailer that ends without CR'],
    ['\n', 'a trailer that ends without CR'],
    ['X: y\r\n\n', 'a trailer that ends without CR'],
    ['X\r\n\r\n', 'a header line without a colon'],
    ['X : y\r\n\r\n', 'a header name that is no token'],
    [' X: y\r\n\r\n', 'a header name that is no token'],
    ['X: y\rz\r\n\r\n', 'a control character in a header value'],
    ['X: y\0\r\n\r\n', 'a control character in a header value'],
    ['\r\r\n\r\n', 'a header line without a colon'],
    ['Content-Length: 5\r\n\r\n', 'framing in a trailer'],
    ['X: y\r\ntransfer-encoding: chunked\r\n\r\n', 'framing in a trailer'],
  ])('are refused by the rules of header lines, and where they frame: %j', (trailers, fault) => {
    expect(faultOf(`0\r\n${trailers}`)).toBe(fault);
  });

  test('16 KiB of them are read, and one byte more is refused, however they come', () => {
    const lines = (bytes: number): string => `X: ${'x'.repeat(bytes - 7)}\r\n\r\n`;
    expect(read(`0\r\n${lines(16 * 1024)}`)[0]).toMatch(/^whole X x+$/);
    expect(faultOf(`0\r\n${lines(16 * 1024 + 1)}`)).toBe('too many trailers');
    const cuts = [100, 5000, 10_000, 16_000, 16_384].map((at) => HEAD.length + at);
    expect(read(`0\r\nX: ${'x'.repeat(20_000)}`, { cuts })).toEqual(['fault too many trailers']);
  });
});
