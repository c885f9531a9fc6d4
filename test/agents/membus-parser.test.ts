import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Parser } from '../../agents/membus/parser.ts';
import type { Request } from '../../agents/membus/request.ts';

const SEED = Number(process.env['MEMBUS_SEED'] ?? Date.now() % 2 ** 31);
console.log(`membus parser: seed ${SEED} (MEMBUS_SEED repeats it)`);

/** Everything asked for by `bytes`, cut into pieces at `cuts`, and what the parser still waits with. */
function parsed(bytes: Buffer, cuts: readonly number[] = []): { readonly requests: readonly Request[]; readonly open: boolean } {
  const parser = new Parser();
  const requests: Request[] = [];
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  for (let index = 1; index < places.length; index += 1) {
    parser.push(bytes.subarray(places[index - 1], places[index]));
    for (let request = parser.next(); request !== null; request = parser.next()) requests.push(request);
  }
  return { requests, open: parser.inTheMiddle };
}

const parse = (text: string): readonly Request[] => parsed(Buffer.from(text, 'latin1')).requests;

const word = fc.oneof(
  fc.constantFrom('set', 'add', 'cas', 'append', 'get', 'gets', 'incr', 'decr', 'delete', 'touch', 'flush_all', 'verbosity'),
  fc.constantFrom(
    'a',
    'b',
    '0',
    '1',
    '-1',
    '5',
    '300',
    '1048576',
    '99999999999',
    'noreply',
    'version',
    'stats',
    '',
    '\r',
    '\n',
    '\r\n',
  ),
);
const nonsense = fc.array(word, { maxLength: 30 }).map((words) => words.join(' '));
const whole = fc
  .tuple(fc.constantFrom('set', 'add', 'replace', 'append'), fc.uint8Array({ maxLength: 40 }), fc.boolean())
  .map(
    ([verb, value, right]) => `${verb} k 1 2 ${value.length}\r\n${Buffer.from(value).toString('latin1')}${right ? '\r\n' : 'x'}`,
  );
const long = fc.constantFrom(
  `${'x'.repeat(2048)}\r\n`,
  `${'x'.repeat(2049)}\r\n`,
  `get ${'k '.repeat(1500)}\r\n`,
  `get ${'k '.repeat(40_000)}`,
);
const stream = fc
  .array(fc.oneof({ weight: 5, arbitrary: whole }, { weight: 5, arbitrary: nonsense }, { weight: 1, arbitrary: long }), {
    maxLength: 8,
  })
  .map((parts) => Buffer.from(parts.join('\r\n'), 'latin1'));

describe('what membus is asked', () => {
  it('does not depend on how the bytes were cut on their way', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 40 }), (bytes, cuts) => {
        expect(parsed(bytes, cuts)).toEqual(parsed(bytes));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('is understood from whatever bytes: they end in requests, a wait, or the end of the connection', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(() => parsed(Buffer.from(bytes))).not.toThrow();
      }),
      { seed: SEED },
    );
  });

  it('has values of their own memory, byte for byte', () => {
    const [request] = parse('set k 7 9 5 noreply\r\n\0\r\n\xff\n\r\n');
    expect(request).toEqual({
      kind: 'store',
      verb: 'set',
      key: 'k',
      flags: 7,
      exptime: 9,
      value: Buffer.from('\0\r\n\xff\n', 'latin1'),
      unique: null,
      noreply: true,
    });
    expect((request as { value: Buffer }).value.buffer.byteLength).toBe(5);
  });

  it('ends where a line has no end, but for a long list of keys', () => {
    const keys = Array.from({ length: 240 }, (_, index) => `${index}`.padStart(250, 'k'));
    expect(parse(`get ${keys.join(' ')}\r\n`)).toEqual([{ kind: 'get', keys, withUnique: false }]);
    const [end] = parse(`get ${keys.join(' ')} ${keys.join(' ')}`);
    expect(end).toEqual({ kind: 'end', text: 'CLIENT_ERROR line too long' });
    expect(parse(`${'x'.repeat(2049)}\r\nversion\r\n`)).toEqual([end]);
    expect(parse('quit\r\nversion\r\n')).toEqual([{ kind: 'end', text: '' }]);
  });

  it('holds a value that arrives byte by byte in about as many bytes as have come', () => {
    const parser = new Parser();
    parser.push(Buffer.from('set k 0 0 20000\r\n'));
    expect(parser.next()).toBeNull();
    for (let count = 0; count < 20_000; count += 1) parser.push(Buffer.from('x'));
    expect(parser.pending).toBe(20_000);
    expect((parser as unknown as { readonly chunks: readonly Buffer[] }).chunks.length).toBeLessThan(200);
    parser.push(Buffer.from('\r\n'));
    expect(parser.next()).toMatchObject({ kind: 'store', value: Buffer.from('x'.repeat(20_000)) });
    expect(parser.inTheMiddle).toBe(false);
  });

  it('keeps nothing of a value that is too large', () => {
    const parser = new Parser();
    parser.push(Buffer.from('set k 0 0 2000000000\r\n'));
    for (let count = 0; count < 100; count += 1) {
      parser.push(Buffer.alloc(65536));
      expect(parser.next()).toBeNull();
      expect(parser.pending).toBe(0);
    }
  });
});
