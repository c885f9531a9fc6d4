import { prng } from '../../src/std/prng.ts';

/** Bodies whose every byte is known by where it stands: whoever gets a piece of one can tell whether it is the right piece. */
const PERIOD_BYTES = 1024 * 1024 - 3;
const PATTERN = ((): Buffer => {
  const bytes = Buffer.alloc(PERIOD_BYTES);
  const random = prng(20_260_601);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = random.below(256);
  return Buffer.concat([bytes, bytes]);
})();

/** At most {@link PERIOD_BYTES} bytes, from the place `at` of the endless body number `body`. Not to be written to. */
export function patternPiece(body: number, at: number, bytes: number): Buffer {
  const from = (body * 7919 + at) % PERIOD_BYTES;
  return PATTERN.subarray(from, from + Math.min(bytes, PERIOD_BYTES));
}

/** The first `bytes` of the body, as one piece. */
export function patternBody(body: number, bytes: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes;) {
    const piece = patternPiece(body, at, bytes - at);
    pieces.push(piece);
    at += piece.length;
  }
  return Buffer.concat(pieces);
}

/** Looks at a body as it comes. */
export class PatternCheck {
  bytes = 0;
  /** Where the first wrong byte stood; null: none so far. */
  wrongAt: number | null = null;
  private readonly body: number;

  constructor(body: number) {
    this.body = body;
  }

  readonly take = (chunk: Buffer): void => {
    for (let rest = chunk; rest.length > 0 && this.wrongAt === null;) {
      const piece = patternPiece(this.body, this.bytes, rest.length);
      if (!piece.equals(rest.subarray(0, piece.length))) this.wrongAt = this.bytes;
      this.bytes += piece.length;
      rest = rest.subarray(piece.length);
    }
  };
}
