import { done, failed, type Outcome } from './outcome.ts';

/**
 * The regular expressions that are taken from operators: those of JavaScript, less all that only a matcher which tries again
 * and again can do. What is left can be matched in one pass over the text ({@link Pattern}), so no text of a client's makes
 * it slow. Letters mean both cases.
 */
export type PatternNode =
  | { readonly kind: 'one'; readonly of: CharacterSet }
  | { readonly kind: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly parts: readonly PatternNode[] }
  /** `max` null: as often as it comes. */
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number | null }
  | { readonly kind: 'at'; readonly place: Place };

/** `edge`: between a word and what is none; `inside`: anywhere else. */
export type Place = 'start' | 'end' | 'edge' | 'inside';

/** One byte for each character of ASCII, 1 where it is a member; the last stands for all others. */
export type CharacterSet = Uint8Array;

export const OTHERS = 128;
const LENGTH_MAX = 1000;
const REPEAT_MAX = 100;
const DEPTH_MAX = 50;

/** The failure follows "it ", and ends in what to write instead. */
export function parsePattern(text: string): Outcome<PatternNode, string> {
  if (text.length > LENGTH_MAX) return failed(`is longer than ${LENGTH_MAX} characters; make two rules of it`);
  if (!/^[ -~]*$/.test(text)) return failed('holds characters that are not ASCII; write . for each of them');
  try {
    return done(new Reader(text).whole());
  } catch (error) {
    if (error instanceof NotTaken) return failed(error.message);
    throw error;
  }
}

/** Whether it fits the empty text, and with it every text. A place such as ^ is taken for something. */
export function fitsNothing(node: PatternNode): boolean {
  switch (node.kind) {
    case 'one':
    case 'at':
      return false;
    case 'sequence':
      return node.parts.every(fitsNothing);
    case 'choice':
      return node.parts.some(fitsNothing);
    case 'repeat':
      return node.min === 0 || fitsNothing(node.part);
  }
}

export const isWordCode = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122);

/** Leaves the reader from any depth; never leaves this file. */
class NotTaken extends Error {}

const ESCAPES: Readonly<Record<string, (code: number) => boolean>> = {
  d: (code) => code >= 48 && code <= 57,
  w: isWordCode,
  s: (code) => code === 32 || (code >= 9 && code <= 13),
};

function setOf(has: (code: number) => boolean, negated = false): CharacterSet {
  const set = new Uint8Array(OTHERS + 1);
  for (let code = 0; code < OTHERS; code += 1) {
    const twin = /[a-z]/i.test(String.fromCharCode(code)) ? code ^ 32 : code;
    set[code] = (has(code) || has(twin)) === negated ? 0 : 1;
  }
  set[OTHERS] = negated ? 1 : 0;
  return set;
}

const one = (of: CharacterSet): PatternNode => ({ kind: 'one', of });
const literal = (character: string): PatternNode => one(setOf((code) => code === character.charCodeAt(0)));

class Reader {
  private readonly text: string;
  private at = 0;
  private depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  whole(): PatternNode {
    const node = this.choice();
    if (this.at < this.text.length) throw new NotTaken('closes a group that was not opened; write \\) for the character itself');
    return node;
  }

  private choice(): PatternNode {
    const parts = [this.sequence()];
    while (this.take('|')) parts.push(this.sequence());
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'choice', parts };
  }

  private sequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (this.at < this.text.length && this.next() !== '|' && this.next() !== ')') parts.push(this.repeated());
    return { kind: 'sequence', parts };
  }

  private repeated(): PatternNode {
    const part = this.atom();
    const counts = this.counts();
    if (counts === null) return part;
    if (part.kind === 'at') throw new NotTaken('repeats a place such as ^, $ or \\b; leave the repetition out');
    // How much is taken decides nothing where only "does it fit" is asked.
    this.take('?');
    if (/^[*+?{]/.test(this.next())) throw new NotTaken('repeats a repetition; put the inner one in brackets, as in (a+)*');
    return { kind: 'repeat', part, ...counts };
  }

  private counts(): { readonly min: number; readonly max: number | null } | null {
    if (this.take('*')) return { min: 0, max: null };
    if (this.take('+')) return { min: 1, max: null };
    if (this.take('?')) return { min: 0, max: 1 };
    const match = /^\{(\d{1,9})(?:(,)(\d{1,9})?)?\}/.exec(this.text.slice(this.at));
    if (match === null) return null;
    this.at += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === undefined ? null : Number(match[3]);
    if (max !== null && max < min)
      throw new NotTaken(`repeats at least ${min} and at most ${max} times; put the smaller one first`);
    if (Math.max(min, max ?? 0) > REPEAT_MAX) throw new NotTaken(`repeats more than ${REPEAT_MAX} times; use + or *`);
    return { min, max };
  }

  private atom(): PatternNode {
    const character = this.next();
    if (/^[*+?{]$/.test(character))
      throw new NotTaken(`has nothing before ${character} to repeat; write \\${character} for the character itself`);
    this.at += 1;
    if (character === '(') return this.group();
    if (character === '[') return this.set();
    if (character === '.') return one(setOf((code) => code === 10 || code === 13, true));
    if (character === '^') return { kind: 'at', place: 'start' };
    if (character === '$') return { kind: 'at', place: 'end' };
    if (character !== '\\') return literal(character);
    if (this.take('b')) return { kind: 'at', place: 'edge' };
    if (this.take('B')) return { kind: 'at', place: 'inside' };
    const { has, negated } = this.escaped();
    return one(setOf(has, negated));
  }

  private group(): PatternNode {
    if (this.text.startsWith('?', this.at) && !this.text.startsWith('?:', this.at)) {
      throw new NotTaken('looks ahead or behind, names a group or sets a flag with (?; only ( and (?: are taken');
    }
    if (this.take('?')) this.take(':');
    this.depth += 1;
    if (this.depth > DEPTH_MAX) throw new NotTaken(`nests groups deeper than ${DEPTH_MAX}; take some of them out`);
    const node = this.choice();
    if (!this.take(')')) throw new NotTaken('does not close a group; write \\( for the character itself');
    this.depth -= 1;
    return node;
  }

  private set(): PatternNode {
    const negated = this.take('^');
    const members: ((code: number) => boolean)[] = [];
    while (!this.take(']')) {
      const low = this.member();
      if (this.next() !== '-' || this.text.startsWith(']', this.at + 1) || this.at + 1 >= this.text.length) {
        members.push(low.has);
        continue;
      }
      this.at += 1;
      const high = this.member();
      const [from, to] = [low.code, high.code];
      if (from === null || to === null || from > to)
        throw new NotTaken('has a range in [] that does not rise; write \\- for the character itself');
      members.push((code) => code >= from && code <= to);
    }
    return one(setOf((code) => members.some((has) => has(code)), negated));
  }

  /** `code` is null for a member that is more than one character. */
  private member(): { readonly has: (code: number) => boolean; readonly code: number | null } {
    const character = this.next();
    if (character === '') throw new NotTaken('does not close a [; write \\[ for the character itself');
    this.at += 1;
    if (character !== '\\') return single(character.charCodeAt(0));
    const { has, negated, code } = this.escaped();
    return { has: negated ? (other) => !has(other) : has, code };
  }

  private escaped(): { readonly has: (code: number) => boolean; readonly negated: boolean; readonly code: number | null } {
    const character = this.next();
    this.at += 1;
    if (character === '') throw new NotTaken('ends in a \\; write \\\\ for the character itself');
    const known = ESCAPES[character.toLowerCase()];
    if (known !== undefined) return { has: known, negated: character !== character.toLowerCase(), code: null };
    if (/[0-9]/.test(character)) throw new NotTaken(`refers back to a group with \\${character}; write out what is meant`);
    if (/[a-z]/i.test(character))
      throw new NotTaken(`holds \\${character}, which is not taken; only \\d, \\w, \\s, \\b and their opposites are`);
    return { ...single(character.charCodeAt(0)), negated: false };
  }

  private next(): string {
    return this.text.charAt(this.at);
  }

  private take(character: string): boolean {
    if (this.next() !== character) return false;
    this.at += 1;
    return true;
  }
}

const single = (code: number): { readonly has: (other: number) => boolean; readonly code: number } => ({
  has: (other) => other === code,
  code,
});
