import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CLOSE_GOING_AWAY, CLOSE_GOING_AWAY_MASKED, FrameScanner } from '../../src/proxy/frames.ts';

interface Frame {
  readonly opcode: number;
  readonly masked: boolean;
  readonly length: number;
  readonly longForm: boolean;
}

/** One frame as RFC 6455 section 5.2 lays it out; `longForm` spends 8 bytes on any length. */
function bytesOf({ opcode, masked, length, longForm }: Frame): Buffer {
  const mask = masked ? 0x80 : 0;
  const head = longForm
    ? [mask | 127, 0, 0, 0, 0, 0, 0, length >> 8, length & 0xff]
    : length < 126
      ? [mask | length]
      : [mask | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head]), Buffer.alloc(masked ? 4 : 0, 0xff), Buffer.alloc(length, 0x81)]);
}

const frames = fc.array(
  fc.record({
    opcode: fc.nat(15),
    masked: fc.boolean(),
    length: fc.oneof(
      fc.nat(3),
      fc.nat(70_000).map((n) => n & 0xffff),
    ),
    longForm: fc.boolean(),
  }),
  { maxLength: 20 },
);

test('RFC 6455 section 5.2: data frames are counted and boundaries known, however the bytes are cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1 }), (list, cuts) => {
      const scanner = new FrameScanner();
      const bytes = Buffer.concat(list.map(bytesOf));
      const ends = new Set<number>([0]);
      let end = 0;
      for (const frame of list) ends.add((end += bytesOf(frame).length));
      let counted = 0;
      let at = 0;
      for (let turn = 0; at < bytes.length; turn += 1) {
        const next = Math.min(bytes.length, at + (cuts[turn % cuts.length] ?? 1));
        counted += scanner.scan(bytes.subarray(at, next));
        at = next;
        expect(scanner.atBoundary).toBe(ends.has(at));
      }
      expect(counted).toBe(list.filter((frame) => frame.opcode < 8).length);
    }),
  );
});

test('a head cut after every single byte is still one head', () => {
  const scanner = new FrameScanner();
  const bytes = bytesOf({ opcode: 1, masked: true, length: 300, longForm: true });
  let counted = 0;
  for (const byte of bytes) counted += scanner.scan(Buffer.of(byte));
  expect(counted).toBe(1);
  expect(scanner.atBoundary).toBe(true);
});

test('our own Close frames are whole control frames', () => {
  for (const frame of [CLOSE_GOING_AWAY, CLOSE_GOING_AWAY_MASKED]) {
    const scanner = new FrameScanner();
    expect(scanner.scan(frame)).toBe(0);
    expect(scanner.atBoundary).toBe(true);
  }
});
