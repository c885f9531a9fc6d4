import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { Output } from '../../src/process/output.ts';
import { prng } from '../../src/std/prng.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { SimClock } from '../support/sim-clock.ts';

function reading(secret = 'sesame') {
  const log = new RecordingLog();
  const clock = new SimClock();
  const output = new Output(clock, log, secret);
  const source = new PassThrough();
  const write = async (stream: 'stdout' | 'stderr', chunks: readonly (string | Buffer)[]): Promise<void> => {
    output.read(stream, source);
    for (const chunk of chunks) source.write(chunk);
    source.end();
    await finished(source);
    output.end();
  };
  const lines = (): unknown[] => log.lines.filter(({ message }) => message === 'agent output').map(({ facts }) => facts['line']);
  return { log, clock, output, write, lines };
}

describe('what a child writes', () => {
  test('becomes lines, however the pipe cuts it, and the last one needs no newline', async () => {
    const text = 'first\n\nzweite Zeile, ä und 🙂\r\nlast';
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = prng(seed);
    for (let round = 0; round < 200; round += 1) {
      const { write, lines } = reading();
      const bytes = Buffer.from(text);
      const chunks: Buffer[] = [];
      for (let from = 0; from < bytes.length;) {
        const to = from + 1 + random.below(9);
        chunks.push(bytes.subarray(from, to));
        from = to;
      }
      await write('stdout', chunks);
      expect(lines(), `seed ${seed}`).toEqual(['first', 'zweite Zeile, ä und 🙂', 'last']);
    }
  });

  test('is cut where a line is too long, and says so', async () => {
    const { write, log, lines } = reading();
    await write('stdout', ['a'.repeat(5000), 'b'.repeat(5000), '\nshort\n']);
    expect(lines()).toEqual(['a'.repeat(5000) + 'b'.repeat(3192), 'short']);
    expect(log.lines.map(({ facts }) => facts['cut'])).toEqual([true, undefined]);
  });

  test('is dropped where it is too much, counted, and heard again once there is room', async () => {
    const { output, log, clock, lines } = reading();
    const source = new PassThrough();
    output.read('stdout', source);
    source.write('flood\n'.repeat(1500));
    await new Promise(setImmediate);
    expect(lines()).toHaveLength(1000);
    await clock.advance(1000);
    source.write('calm\n');
    await new Promise(setImmediate);
    expect(log.lines.slice(1000).map(({ message, facts }) => [message, facts['lines'] ?? facts['line']])).toEqual([
      ['agent output dropped: it writes faster than the log takes', 500],
      ['agent output', 'calm'],
    ]);
  });

  test('does not show its token, and its last words on stderr are remembered, shortened', async () => {
    const { write, output, lines } = reading('sesame');
    await write('stderr', [`open sesame, ${'x'.repeat(400)}\n\n`]);
    expect(lines()).toEqual([`open [token], ${'x'.repeat(400)}`]);
    expect(output.lastError).toBe(`open [token], ${'x'.repeat(286)}...`);
  });
});
