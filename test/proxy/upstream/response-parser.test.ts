import { describe, expect, test } from 'vitest';
import { ResponseParser } from '../../../src/proxy/upstream/response-parser.ts';
import { type Asked, faultOf, told } from './answered.ts';

/** Answers on one connection: their order, where one ends, what is left over, and that it matters to nobody how they come. */
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';

const silent = { head: () => {}, body: () => {}, whole: () => {}, fault: () => {} };
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

const ANSWERS: readonly (readonly [what: string, text: string, asked: Asked])[] = [
  ['one with a length', OK, {}],
  ['one with a length, and another behind it', OK + OK, {}],
  ['one that is chunked', `${CHUNKED}3;a="b;"\r\nabc\r\nA\r\n0123456789\r\n0;z\r\nX: y\r\nZ:\r\n\r\n`, {}],
  ['one that is chunked, and bytes behind it', `${CHUNKED}1\r\na\r\n0\r\n\r\n\r\n`, {}],
  ['one that ends with its connection', 'HTTP/1.1 200 OK\r\n\r\n\r\n\r\nabc', { ends: true }],
  ['an empty one that ends with its connection', 'HTTP/1.0 200 OK\r\n\r\n', { ends: true }],
  ['one without a body', 'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n', {}],
  ['a 304 with a length, and another answer behind it', `HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n${OK}`, {}],
  ['one to HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', { method: 'HEAD' }],
  ['one behind two 1xx', `HTTP/1.1 100 Continue\r\n\r\n${HINTS}${OK}`, {}],
  ['a 101 and what comes behind it', `${HINTS}${SWITCH}\x81\x02ok`, { isUpgrade: true }],
  ['another answer to an upgrade', `HTTP/1.1 403 X\r\nContent-Length: 2\r\n\r\nno`, { isUpgrade: true }],
  ['a body cut off', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', { ends: true }],
  ['a chunked body cut off', `${CHUNKED}5\r\nabc`, { ends: true }],
  ['a head cut off', 'HTTP/1.1 200 OK\r\nX: y\r\n', { ends: true }],
  ['a head that is none', 'HTTP/1.1 200 OK\r\nX y\r\n\r\nabc', {}],
  ['a chunk that is longer than its size', `${CHUNKED}2\r\nabc\r\n0\r\n\r\n`, {}],
  ['a trailer that is none', `${CHUNKED}2\r\nab\r\n0\r\nX\r\n\r\n`, {}],
];

describe('it matters to nobody how an answer comes', () => {
  test.each(ANSWERS)('in two reads, wherever they part: %s', (_what, text, asked) => {
    const whole = told(text, asked);
    for (let cut = 0; cut <= text.length; cut += 1) {
      const { events, mayEnd } = told(text, { ...asked, cuts: [cut] });
      expect({ events, mayEnd }, `cut at ${cut}`).toEqual({ events: whole.events, mayEnd: whole.mayEnd });
    }
  });

  test.each(ANSWERS)('one byte at a time: %s', (_what, text, asked) => {
    const whole = told(text, asked);
    const each = told(text, { ...asked, cuts: Array.from({ length: text.length - 1 }, (_, at) => at + 1) });
    expect(each).toEqual({ ...whole, taken: each.taken });
    // Of a fault it takes no more, since it is over.
    if (!whole.events.some((event) => event.startsWith('fault'))) expect(each.taken).toBe(whole.taken);
  });
});

describe('what is told of an answer', () => {
  test.each([
    ['one with a length', OK, ['head 200', 'body ok', 'whole'], OK.length],
    ['one without a body', 'HTTP/1.1 204 X\r\n\r\n', ['head 204', 'whole'], 18],
    ['one behind 1xx', HINTS + HINTS + OK, ['head 103', 'head 103', 'head 200', 'body ok', 'whole'], (HINTS + HINTS + OK).length],
    ['nothing but a 1xx', HINTS, ['head 103'], HINTS.length],
    ['what nobody asked for, behind it', OK + OK, ['head 200', 'body ok', 'whole'], OK.length],
    ['a body that a 204 must not have', 'HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\nok', ['head 204', 'whole'], 37],
  ])('%s', (_what, text, events, taken) => {
    expect(told(text)).toMatchObject({ events, taken });
  });

  test('a body that an answer to HEAD must not have is left over', () => {
    expect(told(OK, { method: 'HEAD' })).toMatchObject({ events: ['head 200', 'whole'], taken: OK.length - 2 });
  });

  test('a 101 to an upgrade is its last head, and all that is behind it is left over', () => {
    expect(told(`${SWITCH}${OK}`, { isUpgrade: true })).toMatchObject({ events: ['head 101'], taken: SWITCH.length });
  });

  test('a 101 is a switch in HTTP/1.0, too, and with close: what follows is no HTTP', () => {
    for (const text of [SWITCH.replace('1.1', '1.0'), SWITCH.replace('Upgrade\r', 'Upgrade, close\r')])
      expect(told(text, { isUpgrade: true }).events).toEqual(['head 101']);
  });

  test('a 101 that nobody asked for is a fault (RFC 9110 section 15.2.2)', () => {
    expect(faultOf(SWITCH)).toBe('a switch of protocols that nobody asked for');
  });

  test('nothing is told behind a fault, and nothing more is taken', () => {
    let faults = 0;
    const parser = new ResponseParser({ ...silent, fault: () => (faults += 1) });
    parser.expect('GET', false);
    parser.feed(bytes('nonsense\r\n\r\n'));
    expect(parser.feed(bytes(OK))).toBe(0);
    expect(faults).toBe(1);
    expect(parser.end()).toBe(false);
  });
});

describe('the end of the connection', () => {
  test.each([
    ['is the end of an answer that ends with it', 'HTTP/1.1 200 OK\r\n\r\nabc', ['head 200', 'body abc', 'whole'], true],
    ['is well behind a whole answer', OK, ['head 200', 'body ok', 'whole'], true],
    ['cuts off one of which nothing has come', '', [], false],
    ['cuts off a head', 'HTTP/1.1 200 OK\r\n', [], false],
    ['cuts off what is behind a 1xx', HINTS, ['head 103'], false],
    ['cuts off a body that is one byte short', OK.slice(0, -1), ['head 200', 'body o'], false],
    ['cuts off a chunked body before its last line', `${CHUNKED}0\r\n`, ['head 200'], false],
    ['cuts off trailers', `${CHUNKED}0\r\nX: y\r\n`, ['head 200'], false],
  ])('%s', (_how, text, events, mayEnd) => {
    expect(told(text, { ends: true })).toMatchObject({ events, mayEnd });
  });
});

describe('a connection that carries one answer after another', () => {
  test('begins each anew, whatever the one before was', () => {
    const events: string[] = [];
    const parser = new ResponseParser({
      ...silent,
      head: ({ status, framing }) => void events.push(`${status} ${framing}`),
      body: (part) => void events.push(part.toString()),
      whole: (trailers) => void events.push(`whole ${trailers.join(' ')}`),
    });
    for (const [method, text] of [
      ['GET', `${CHUNKED}1;a\r\na\r\n0\r\nX: y\r\n\r\n`],
      ['GET', `${CHUNKED}1\r\nb\r\n0\r\n\r\n`],
      ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
      ['GET', OK],
    ] as const) {
      expect(parser.isIdle).toBe(true);
      parser.expect(method, false);
      expect(parser.isIdle).toBe(false);
      expect(parser.feed(bytes(text))).toBe(text.length);
    }
    expect(events).toEqual([
      ...['200 chunked', 'a', 'whole X y', '200 chunked', 'b', 'whole ', '200 none', 'whole ', '200 length', 'ok', 'whole '],
    ]);
  });

  test('counts the extensions of each answer by themselves', () => {
    const parser = new ResponseParser({ ...silent, fault: (why) => expect(why).toBe('never') });
    for (let answer = 0; answer < 40; answer += 1) {
      parser.expect('GET', false);
      parser.feed(bytes(`${CHUNKED}1;${'x'.repeat(1000)}\r\na\r\n0\r\n\r\n`));
    }
    expect(parser.isIdle).toBe(true);
  });

  test('takes nothing while no answer is expected', () => {
    const parser = new ResponseParser(silent);
    expect(parser.feed(bytes(OK))).toBe(0);
    expect(parser.end()).toBe(true);
  });

  test('does not expect two answers at once', () => {
    const parser = new ResponseParser(silent);
    parser.expect('GET', false);
    expect(() => {
      parser.expect('GET', false);
    }).toThrow('one answer at a time');
  });
});

describe('how much of a body is still to come', () => {
  test.each([
    ['nothing before a head', '', 0],
    ['nothing within a head', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n', 0],
    ['its length behind the head', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 5],
    ['what is left of its length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', 3],
    ['nothing behind a whole one', OK, 0],
    ['who knows, where it is chunked', CHUNKED, Number.POSITIVE_INFINITY],
    ['who knows, where it ends with its connection', 'HTTP/1.1 200 OK\r\n\r\n', Number.POSITIVE_INFINITY],
  ])('%s', (_what, text, left) => {
    const parser = new ResponseParser(silent);
    parser.expect('GET', false);
    parser.feed(bytes(text));
    expect(parser.bodyLeft).toBe(left);
  });
});

describe('a head of 64 KiB', () => {
  const of = (size: number): string => {
    const [start, end] = ['HTTP/1.1 200 OK\r\nX: ', '\r\nContent-Length: 0\r\n\r\n'];
    return `${start}${'x'.repeat(size - start.length - end.length)}${end}`;
  };
  const MOST = 64 * 1024;
  const slowly = Array.from({ length: 16 }, (_, at) => (at + 1) * 4000);

  test('is read, in one read or in many', () => {
    expect(told(of(MOST)).events).toEqual(['head 200', 'whole']);
    expect(told(of(MOST), { cuts: slowly }).events).toEqual(['head 200', 'whole']);
  });

  test('is read as often as it comes: each of several 1xx has a limit of its own', () => {
    const hints = `HTTP/1.1 103 X\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`;
    expect(told(hints + hints + hints + OK, { cuts: [50_000] }).events.slice(-3)).toEqual(['head 200', 'body ok', 'whole']);
  });

  test('is refused with one byte more, whole or not', () => {
    expect(faultOf(of(MOST + 1))).toBe('a head of more than 64 KiB');
    expect(faultOf(of(MOST + 1), { cuts: slowly })).toBe('a head of more than 64 KiB');
    expect(faultOf('x'.repeat(MOST + 1))).toBe('a head of more than 64 KiB');
    expect(faultOf('x'.repeat(MOST))).toBe('');
  });
});
