import { describe, expect, test } from 'vitest';
import { faultOf, told } from './answered.ts';

/** Heads of answers, rule by rule. Each is given with nothing behind it, so that what is told is told of the head alone. */
const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const withLines = (...lines: string[]): string => head('HTTP/1.1 200 OK', ...lines, 'Content-Length: 0');

describe('the status line (RFC 9112 section 4)', () => {
  test.each([
    ['with a reason', 'HTTP/1.1 404 Not Found', 404, 'Not Found'],
    ['with an empty reason', 'HTTP/1.1 200 ', 200, ''],
    ['without the blank before a reason that is not there', 'HTTP/1.1 200', 200, ''],
    ['with blanks in its reason', 'HTTP/1.1 200  a\tb ', 200, ' a\tb '],
    ['with a reason in obs-text', 'HTTP/1.1 200 d\xe9j\xe0', 200, 'd\xe9j\xe0'],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK', 200, 'OK'],
    ['with the lowest status', 'HTTP/1.1 200 OK', 200, 'OK'],
    ['with the highest status', 'HTTP/1.1 599 X', 599, 'X'],
  ])('is read %s', (_how, line, status, reason) => {
    const { heads } = told(head(line, 'Content-Length: 0'));
    expect(heads).toHaveLength(1);
    expect(heads[0]).toMatchObject({ status, reason });
  });

  test.each([
    ['of HTTP/1.2', 'HTTP/1.2 200 OK'],
    ['of HTTP/0.9', 'HTTP/0.9 200 OK'],
    ['of HTTP/2.0', 'HTTP/2.0 200 OK'],
    ['in small letters', 'http/1.1 200 OK'],
    ['of another protocol', 'RTSP/1.0 200 OK'],
    ['with a status of 099', 'HTTP/1.1 099 X'],
    ['with a status of 600', 'HTTP/1.1 600 X'],
    ['with a status of two digits', 'HTTP/1.1 20 X'],
    ['with a status of four digits', 'HTTP/1.1 2000 X'],
    ['with two blanks before its status', 'HTTP/1.1  200 OK'],
    ['with a tab before its status', 'HTTP/1.1\t200 OK'],
    ['with a tab behind its status', 'HTTP/1.1 200\tOK'],
    ['with a blank before it', ' HTTP/1.1 200 OK'],
    ['behind an empty line', '\r\nHTTP/1.1 200 OK'],
    ['with NUL in its reason', 'HTTP/1.1 200 O\0K'],
    ['with CR in its reason', 'HTTP/1.1 200 O\rK'],
    ['with DEL in its reason', 'HTTP/1.1 200 O\x7fK'],
    ['that ends in a bare LF', 'HTTP/1.1 200 OK\nX: y'],
    ['that is empty', ''],
  ])('is refused %s', (_how, line) => {
    expect(faultOf(head(line, 'Content-Length: 0'))).toBe('no status line');
  });
});

describe('header lines (RFC 9112 section 5)', () => {
  test('pass on duplicates, order and spelling, with the blanks around values taken off', () => {
    const lines = ['B: 1', 'a:2', 'B:\t 3 \t', 'c:', 'D: \t ', "!#$%&'*+-.^_`|~: x\ty \xff"];
    expect(told(withLines(...lines)).heads[0]?.lines.kept).toEqual([
      'B',
      '1',
      'a',
      '2',
      'B',
      '3',
      'c',
      '',
      'D',
      '',
      "!#$%&'*+-.^_`|~",
      'x\ty \xff',
    ]);
  });

  test('may be none at all', () => {
    expect(told(head('HTTP/1.1 204 No Content')).events).toEqual(['head 204', 'whole']);
  });

  test.each([
    ['has no colon', 'Nothing', 'a header line without a colon'],
    ['has no name', ': x', 'a header name that is no token'],
    ['has a blank before its colon', 'X : y', 'a header name that is no token'],
    ['has a tab before its colon', 'X\t: y', 'a header name that is no token'],
    ['has a blank in its name', 'X Y: z', 'a header name that is no token'],
    ['has obs-text in its name', 'X\xe9: y', 'a header name that is no token'],
    ['has NUL in its name', 'X\0: y', 'a header name that is no token'],
    ['is folded', 'X: y\r\n z: 1', 'a header name that is no token'],
    ['is folded, without a colon', 'X: y\r\n\tz', 'a header line without a colon'],
    ['has NUL in its value', 'X: a\0b', 'a control character in a header value'],
    ['has a bare CR in its value', 'X: a\rb', 'a control character in a header value'],
    ['has a bare LF in its value', 'X: a\nb: c', 'a control character in a header value'],
    ['has a vertical tab in its value', 'X: a\x0bb', 'a control character in a header value'],
    ['has DEL in its value', 'X: a\x7fb', 'a control character in a header value'],
    ['ends in CR CR LF', 'X: a\r', 'a control character in a header value'],
  ])('are refused where one %s', (_how, line, fault) => {
    expect(faultOf(withLines(line))).toBe(fault);
  });
});

describe('Content-Length (RFC 9110 section 8.6)', () => {
  test.each([
    ['5', 5],
    ['0005', 5],
    ['999999999999999', 999_999_999_999_999],
  ])('is read: %s', (value, length) => {
    expect(told(head('HTTP/1.1 200 OK', `Content-Length: ${value}`)).heads[0]).toMatchObject({ framing: 'length', length });
  });

  test.each([
    ...['', '+5', '-5', '5.0', '5e1', '0x5', '5 5', '5, 5', '5,', '5;', '\xb25', 'five'],
    // One digit too many, and a number that 64 bits cannot hold.
    ...['1000000000000000', '18446744073709551621'],
  ])('is refused: %j', (value) => {
    expect(faultOf(head('HTTP/1.1 200 OK', `Content-Length: ${value}`))).toBe('a Content-Length that is no number');
  });

  test.each(['5', '6'])('is refused in two lines: 5 and %s', (second) => {
    const text = head('HTTP/1.1 200 OK', 'Content-Length: 5', 'X: y', `content-length: ${second}`);
    expect(faultOf(text)).toBe('a Content-Length that is no number');
  });

  test.each([
    ['answers HEAD', 'HTTP/1.1 200 OK', 'HEAD'],
    ['is a 204', 'HTTP/1.1 204 No Content', 'GET'],
    ['is a 304', 'HTTP/1.1 304 Not Modified', 'GET'],
    ['is a 1xx', 'HTTP/1.1 103 Early Hints', 'GET'],
  ])('is refused, too, where it has no effect since the answer %s', (_how, line, method) => {
    expect(faultOf(head(line, 'Content-Length: x'), { method })).toBe('a Content-Length that is no number');
  });
});

describe('Transfer-Encoding (RFC 9112 section 6.1)', () => {
  test.each(['chunked', 'Chunked', 'CHUNKED', '\tchunked', 'chunked  '])('is read: %j', (value) => {
    expect(told(head('HTTP/1.1 200 OK', `Transfer-Encoding:${value}`)).heads[0]?.framing).toBe('chunked');
  });

  test.each([
    'gzip',
    'gzip, chunked',
    'chunked, gzip',
    'chunked, chunked',
    'identity',
    'xchunked',
    '"chunked"',
    'chunked;q=1',
    '',
    'chunked,',
  ])('is refused: %j', (value) => {
    expect(faultOf(head('HTTP/1.1 200 OK', `Transfer-Encoding: ${value}`))).toBe('an unknown transfer coding');
  });

  test('is refused in two lines', () => {
    const text = head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked');
    expect(faultOf(text)).toBe('an unknown transfer coding');
  });

  test.each(['chunked\t', 'chunked \t', 'chunked\t '])(
    'is refused with a tab behind it, which hides it from some: %j',
    (value) => {
      expect(faultOf(head('HTTP/1.1 200 OK', `transfer-encoding: ${value}`))).toBe('a tab behind a transfer coding');
      expect(faultOf(head('HTTP/1.1 200 OK', `X-Encoding: ${value}`, 'Content-Length: 0'))).toBe('head 200, whole');
    },
  );

  test('is refused in HTTP/1.0, which has none', () => {
    expect(faultOf(head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked'))).toBe('Transfer-Encoding in HTTP/1.0');
  });

  test.each([
    ['HTTP/1.1 200 OK', 'GET'],
    ['HTTP/1.1 200 OK', 'HEAD'],
    ['HTTP/1.1 304 Not Modified', 'GET'],
  ])('is refused beside Content-Length: %s to %s', (line, method) => {
    const text = head(line, 'Content-Length: 5', 'Transfer-Encoding: chunked');
    expect(faultOf(text, { method })).toBe('Content-Length beside Transfer-Encoding');
  });
});

describe('where the body ends (RFC 9112 section 6.3)', () => {
  const LENGTH = 'Content-Length: 5';
  const CHUNKED = 'Transfer-Encoding: chunked';
  test.each([
    ['with the head of an answer to HEAD, whatever that says', 'HTTP/1.1 200 OK', LENGTH, 'HEAD', 'none'],
    ['with the head of a chunked answer to HEAD', 'HTTP/1.1 200 OK', CHUNKED, 'HEAD', 'none'],
    ['with the head of a 204', 'HTTP/1.1 204 X', LENGTH, 'GET', 'none'],
    ['with the head of a chunked 204', 'HTTP/1.1 204 X', CHUNKED, 'GET', 'none'],
    ['with the head of a 304', 'HTTP/1.1 304 X', LENGTH, 'GET', 'none'],
    ['with the head of a 1xx', 'HTTP/1.1 199 X', LENGTH, 'GET', 'none'],
    ['with the head where the length is 0', 'HTTP/1.1 200 X', 'Content-Length: 0', 'GET', 'none'],
    ['behind its length', 'HTTP/1.1 200 X', LENGTH, 'GET', 'length'],
    ['behind its length in a 205, which should have none', 'HTTP/1.1 205 X', LENGTH, 'GET', 'length'],
    ['with its last chunk', 'HTTP/1.1 200 X', CHUNKED, 'GET', 'chunked'],
    ['with the connection where nothing is said', 'HTTP/1.1 200 X', 'X: y', 'GET', 'close'],
    ['with the connection in HTTP/1.0', 'HTTP/1.0 200 X', 'X: y', 'POST', 'close'],
  ])('is %s', (_where, line, framed, method, framing) => {
    expect(told(head(line, framed), { method }).heads[0]?.framing).toBe(framing);
  });
});

describe('whether the connection carries another request (RFC 9112 section 9.3)', () => {
  test.each([
    ['it does by itself', 'HTTP/1.1 200 OK', 'X: y', true],
    ['it does not where the answer ends with it', 'HTTP/1.1 200 OK', null, false],
    ['it does not behind close', 'HTTP/1.1 200 OK', 'Connection: close', false],
    ['it does not behind Close in a list', 'HTTP/1.1 200 OK', 'Connection: x, Close', false],
    ['it does not in HTTP/1.0', 'HTTP/1.0 200 OK', 'X: y', false],
    ['it does not in HTTP/1.0, though it says so', 'HTTP/1.0 200 OK', 'Connection: keep-alive', false],
  ])('%s', (_how, line, more, keepAlive) => {
    const text = more === null ? head(line) : head(line, more, 'Content-Length: 0');
    expect(told(text).heads[0]?.keepAlive).toBe(keepAlive);
  });

  test('a 304 with a length keeps it', () => {
    expect(told(head('HTTP/1.1 304 X', 'Content-Length: 5')).heads[0]?.keepAlive).toBe(true);
  });

  test.each([
    ['says close', 'HTTP/1.1 103 X', 'Connection: close'],
    ['is of HTTP/1.0', 'HTTP/1.0 103 X', 'Connection: keep-alive'],
  ])('a 1xx that %s is refused: the answer could not follow (sections 9.6 and 15.2 of RFC 9110)', (_how, line, more) => {
    expect(faultOf(head(line, more))).toBe('an informational answer that ends its connection');
  });
});
