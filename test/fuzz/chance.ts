import { type Prng, prng } from '../../src/std/prng.ts';

/** A run is told by one number, and each case of it by that and its own: any of them can be made again alone. */
export class Chance {
  private readonly random: Prng;

  constructor(seed: number, index: number) {
    this.random = prng(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(index + 1, 0xc2b2ae35));
  }

  /** Uniform in [0, limit). */
  below(limit: number): number {
    return this.random.below(limit);
  }

  /** Uniform in [from, to]. */
  between(from: number, to: number): number {
    return from + this.random.below(to - from + 1);
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.random.below(times) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)]!;
  }

  /** `count` characters of `alphabet`. */
  text(alphabet: string, count: number): string {
    let text = '';
    for (let at = 0; at < count; at += 1) text += alphabet.charAt(this.random.below(alphabet.length));
    return text;
  }

  /** Each of them `often` times as likely as one of 1. */
  weighed<T>(from: readonly (readonly [often: number, what: T])[]): T {
    let left = this.random.below(from.reduce((sum, [often]) => sum + often, 0));
    for (const [often, what] of from) {
      left -= often;
      if (left < 0) return what;
    }
    throw new Error('no weight is left over');
  }
}

const ascii = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, at) => String.fromCharCode(from + at)).join('');

/** RFC 9110 section 5.6.2. */
export const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
export const VISIBLE = ascii(0x21, 0x7e);
/** RFC 9110 section 5.5, blanks left out. */
export const VALUE_CHARACTERS = VISIBLE + ascii(0x80, 0xff);
export const ALL_BYTES = ascii(0, 0xff);
