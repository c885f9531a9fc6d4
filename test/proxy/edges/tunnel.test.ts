import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { prng } from '../../../src/std/prng.ts';
import type { Bench } from '../support/bench.ts';
import { type RawConnection, settled, until } from '../support/raw.ts';
import { type Ends, type Frame, frameBytes, openTunnel } from '../support/switched.ts';

/** Frames are looked at and never made anew: what goes in comes out, in whatever pieces (RFC 6455 sections 5.2 and 5.4). */
const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
let bench: Bench;
afterEach(() => bench.close());

const SIDES = ['client', 'agent'] as const;

async function open(): Promise<Ends> {
  const ends = await openTunnel();
  ({ bench } = ends);
  return ends;
}

/** Sends in these pieces, each as a write of its own, and waits until all of it is there. */
async function pass(from: RawConnection, to: RawConnection, pieces: readonly Buffer[]): Promise<string> {
  const before = to.bytes;
  const wanted = before + pieces.reduce((sum, piece) => sum + piece.length, 0);
  for (const piece of pieces) {
    from.socket.write(piece);
    // A turn now and then, or the kernel puts the pieces together again.
    if (piece.length < 8) await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => to.bytes >= wanted, `${wanted} bytes`);
  return to.received.slice(before);
}

describe('what passes', () => {
  test(`RFC 6455 section 5.2: frames of all sorts pass byte for byte, however they are cut (FC_SEED=${SEED})`, async () => {
    const { client, agent } = await open();
    const { below } = prng(SEED);
    const one = (opcode: number): Frame => {
      const length = [0, 1, 125, 126, 200, 65_535, 65_536][below(7)]!;
      const shortest = length < 126 ? 1 : length < 65_536 ? 2 : 8;
      return {
        // FIN or not, and the bits that only an extension gives a meaning.
        first: (below(16) << 4) | opcode,
        masked: below(2) === 0,
        payload: randomBytes(length),
        lengthBytes: below(4) === 0 ? 8 : shortest,
      };
    };
    for (const [from, to] of [
      [client, agent],
      [agent, client],
    ] as const) {
      const frames = Array.from({ length: 64 }, (_, index) => one(index % 16));
      const bytes = Buffer.concat(frames.map(frameBytes));
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length;) {
        const size = [1, 2, 3, 7, 1000, 70_000][below(pieces.length < 300 ? 6 : 1) + (pieces.length < 300 ? 0 : 5)]!;
        pieces.push(bytes.subarray(at, at + size));
        at += size;
      }
      const touched = bench.agent.touched;
      const passed = createHash('sha256');
      const hear = (chunk: Buffer): void => void passed.update(chunk);
      to.socket.on('data', hear);
      await pass(from, to, pieces);
      to.socket.off('data', hear);
      expect(passed.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
      // Opcodes 8 to 15 are control frames, or will be.
      expect(bench.agent.touched - touched).toBe(frames.filter(({ first }) => (first & 15) < 8).length);
    }
  });

  test.each(SIDES)('one frame of 16 MiB from the %s passes whole, and counts as one', async (side) => {
    const ends = await open();
    const [from, to] = side === 'client' ? [ends.client, ends.agent] : [ends.agent, ends.client];
    const frame = frameBytes({ first: 0x82, masked: side === 'client', payload: randomBytes(16 * 1024 * 1024), lengthBytes: 8 });
    const passed = createHash('sha256');
    to.socket.on('data', (chunk: Buffer) => void passed.update(chunk));
    await pass(from, to, [frame]);
    expect(passed.digest('hex')).toBe(createHash('sha256').update(frame).digest('hex'));
    expect(bench.agent.touched).toBe(1);
  });

  test('RFC 6455 section 5.4: a message in 50,000 empty fragments passes, and nothing gathers it (ws CVE-2026-48779)', async () => {
    const { client, agent } = await open();
    const empty = (first: number): Buffer => frameBytes({ first, masked: false, payload: Buffer.alloc(0), lengthBytes: 1 });
    const bytes = Buffer.concat([empty(0x01), ...Array.from({ length: 49_998 }, () => empty(0x00)), empty(0x80)]);
    expect(await pass(client, agent, [bytes])).toBe(bytes.toString('latin1'));
    expect(bench.agent.touched).toBe(50_000);
  });

  test('RFC 6455 section 7.4: close codes and reasons pass verbatim, those that nobody may send too', async () => {
    const { client, agent } = await open();
    for (const code of [999, 1000, 1001, 1005, 1006, 1011, 1015, 2999, 3000, 4321, 4999, 65_535]) {
      for (const [from, to, masked] of [
        [client, agent, true],
        [agent, client, false],
      ] as const) {
        const payload = Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from('gr\xfcnd')]);
        const frame = frameBytes({ first: 0x88, masked, payload, lengthBytes: 1 });
        expect(await pass(from, to, [frame])).toBe(frame.toString('latin1'));
      }
    }
    // It is for the ends to end it.
    expect([client.ended, agent.ended, bench.agent.open]).toEqual([false, false, 1]);
  });
});

describe('how it ends', () => {
  /** Turns of real I/O, each followed by simulated time. */
  async function wait(ms: number): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      await bench.clock.advance(ms / 10);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Full to the brim: `to` takes nothing, and nothing more of what `from` sends is taken in. */
  async function stuff(from: RawConnection, to: RawConnection): Promise<void> {
    to.socket.pause();
    for (let sent = 0; sent < 12; sent += 1) from.socket.write(Buffer.alloc(1024 * 1024));
    await settled(() => from.socket.writableLength);
    expect(from.socket.writableLength).toBeGreaterThan(0);
  }

  test.each(SIDES)('2 s after the end of the %s, the other side is gone, whatever it still sends', async (side) => {
    const ends = await open();
    const [from, to] = side === 'client' ? [ends.client, ends.agent] : [ends.agent, ends.client];
    await stuff(to, from);
    from.socket.end();
    await until(() => bench.agent.open === 0, 'the end of the work');
    await wait(2_000);
    // Nobody is there any more to take it.
    await until(() => to.send('x').closed, 'the end of the other side');
    expect(bench.clock.pending).toBe(0);
  });

  test.each([
    ['client', 'limits.body_idle', 60_000],
    ['agent', 'limits.first_byte', 600_000],
  ] as const)('a %s that takes nothing of what waits for it is waited for until %s', async (side, _limit, limit) => {
    const ends = await open();
    const [from, to] = side === 'client' ? [ends.agent, ends.client] : [ends.client, ends.agent];
    await stuff(from, to);
    // It is not read any more, so it cannot be known that it has gone.
    from.socket.resetAndDestroy();
    await wait(limit - 1_000);
    expect(bench.agent.open).toBe(1);
    await wait(1_400);
    expect([bench.agent.open, bench.clock.pending]).toEqual([0, 0]);
    to.socket.resume();
    await until(() => to.closed || to.send('x').closed, 'the end of the other side');
  });

  test('a side that takes a little now and then may take as long as it likes', async () => {
    const { client, agent } = await open();
    await stuff(agent, client);
    for (let turn = 0; turn < 2; turn += 1) {
      await wait(40_000);
      const before = client.bytes;
      client.socket.resume();
      await until(() => client.bytes > before + 1024 * 1024, 'some of it');
      client.socket.pause();
      await settled(() => agent.socket.writableLength);
    }
    expect(bench.agent.open).toBe(1);
  });

  test('a tunnel that has ended leaves nothing behind: no work, no alarm', async () => {
    const { client, agent } = await open();
    client.socket.end();
    agent.socket.end();
    await until(() => client.closed && agent.closed, 'both ends');
    await wait(400);
    expect([bench.agent.open, bench.clock.pending]).toEqual([0, 0]);
  });
});
