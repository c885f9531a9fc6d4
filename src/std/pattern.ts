import { done, failed, type Outcome } from './outcome.ts';
import {
  type CharacterSet,
  fitsNothing,
  isWordCode,
  OTHERS,
  parsePattern,
  type PatternNode,
  type Place,
} from './pattern-syntax.ts';

/**
 * Does a text hold something that fits a regular expression? Answered in one pass that follows all ways at once (Thompson
 * 1968): at most {@link STEPS_MAX} steps for each character, whatever the text. A check at load for expressions on which
 * JavaScript's own matcher goes wrong was rejected: the small one that was tried passes `.*.*.*.*x`, which takes minutes, and
 * the thorough one brings 57 MB and may not come to a verdict. So was an engine that is linear but builds tables as it goes:
 * texts can be made for which it never ends building, and it took 50 times as long as this.
 */
type Step =
  | { readonly kind: 'one'; readonly of: CharacterSet }
  | { readonly kind: 'fork'; readonly to: readonly number[] }
  | { readonly kind: 'at'; readonly place: Place };

const STEPS_MAX = 1000;

export class Pattern {
  private readonly steps: readonly Step[];
  /** What a fit can begin with: most characters of most texts are no such thing. */
  private readonly first = new Uint8Array(OTHERS + 1);
  /** Ways that are open at the character looked at, and at the next one. */
  private ways: Ways;
  private later: Ways;

  private constructor(steps: readonly Step[]) {
    this.steps = steps;
    this.ways = new Ways(steps.length + 1);
    this.later = new Ways(steps.length + 1);
    this.gatherFirst(0, new Set());
  }

  /** The failure follows "it ", and ends in what to write instead. */
  static parse(text: string): Outcome<Pattern, string> {
    const parsed = parsePattern(text);
    if (!parsed.ok) return parsed;
    if (fitsNothing(parsed.value)) return failed('fits every text, even an empty one; leave it out, or say what must be there');
    const size = sizeOf(parsed.value);
    if (size > STEPS_MAX)
      return failed(`takes ${size} steps where ${STEPS_MAX} are allowed; repeat less, or make two rules of it`);
    const steps: Step[] = [];
    append(steps, parsed.value);
    return done(new Pattern(steps));
  }

  test(text: string): boolean {
    const { steps, first } = this;
    this.ways.clear();
    let before = -1;
    for (let at = 0; at <= text.length; at += 1) {
      const code = at < text.length ? text.charCodeAt(at) : -1;
      const member = code < 0 ? -1 : code < OTHERS ? code : OTHERS;
      // Only places can be passed at the end, and they are looked at there.
      if (member < 0 || first[member] === 1) if (this.follow(0, this.ways, before, code)) return true;
      if (member < 0) return false;
      const { ways, later } = this;
      later.clear();
      const next = at + 1 < text.length ? text.charCodeAt(at + 1) : -1;
      for (let index = 0; index < ways.count; index += 1) {
        const number = ways.list[index] ?? 0;
        const step = steps[number];
        if (step?.kind === 'one' && step.of[member] === 1 && this.follow(number + 1, later, code, next)) return true;
      }
      this.ways = later;
      this.later = ways;
      before = code;
    }
    return false;
  }

  /** Opens the way at `number`, and those it leads to without a character. True: it has come to the end, and fits. */
  private follow(number: number, into: Ways, before: number, after: number): boolean {
    const step = this.steps[number];
    if (step === undefined) return true;
    if (!into.add(number)) return false;
    if (step.kind === 'at') return holds(step.place, before, after) && this.follow(number + 1, into, before, after);
    if (step.kind === 'fork') for (const to of step.to) if (this.follow(to, into, before, after)) return true;
    return false;
  }

  private gatherFirst(number: number, seen: Set<number>): void {
    const step = this.steps[number];
    if (seen.has(number)) return;
    seen.add(number);
    // A place alone may fit before any character.
    if (step === undefined) this.first.fill(1);
    else if (step.kind === 'one') step.of.forEach((member, code) => (this.first[code] ||= member));
    else for (const to of step.kind === 'at' ? [number + 1] : step.to) this.gatherFirst(to, seen);
  }
}

/** A set of small numbers that is emptied at once. */
class Ways {
  readonly list: Uint16Array;
  count = 0;
  private readonly marks: Uint32Array;
  private mark = 0;

  constructor(size: number) {
    this.list = new Uint16Array(size);
    this.marks = new Uint32Array(size);
  }

  clear(): void {
    this.count = 0;
    this.mark += 1;
    if (this.mark < 0xffffffff) return;
    this.marks.fill(0);
    this.mark = 1;
  }

  add(number: number): boolean {
    if (this.marks[number] === this.mark) return false;
    this.marks[number] = this.mark;
    this.list[this.count] = number;
    this.count += 1;
    return true;
  }
}

function holds(place: Place, before: number, after: number): boolean {
  if (place === 'start') return before === -1;
  if (place === 'end') return after === -1;
  return (isWordCode(before) !== isWordCode(after)) === (place === 'edge');
}

function sizeOf(node: PatternNode): number {
  switch (node.kind) {
    case 'one':
    case 'at':
      return 1;
    case 'sequence':
      return node.parts.reduce((sum, part) => sum + sizeOf(part), 0);
    case 'choice':
      return node.parts.reduce((sum, part) => sum + sizeOf(part) + 1, 1);
    case 'repeat': {
      const each = sizeOf(node.part);
      return node.max === null ? each * Math.max(node.min, 1) + 2 : each * node.min + (each + 1) * (node.max - node.min);
    }
  }
}

/** Steps follow each other; whoever comes to the end of them fits. */
function append(steps: Step[], node: PatternNode): void {
  switch (node.kind) {
    case 'one':
    case 'at':
      steps.push(node);
      break;
    case 'sequence':
      for (const part of node.parts) append(steps, part);
      break;
    case 'choice': {
      const starts: number[] = [];
      const ends: { to: number[] }[] = [];
      steps.push({ kind: 'fork', to: starts });
      for (const part of node.parts) {
        starts.push(steps.length);
        append(steps, part);
        const end = { kind: 'fork' as const, to: [] as number[] };
        ends.push(end);
        steps.push(end);
      }
      for (const end of ends) end.to.push(steps.length);
      break;
    }
    case 'repeat':
      appendRepeat(steps, node.part, node.min, node.max);
      break;
  }
}

function appendRepeat(steps: Step[], part: PatternNode, min: number, max: number | null): void {
  for (let count = 0; count < min; count += 1) append(steps, part);
  if (max === null) {
    const enter = { kind: 'fork' as const, to: [] as number[] };
    const start = steps.length;
    steps.push(enter);
    append(steps, part);
    steps.push({ kind: 'fork', to: [start] });
    enter.to.push(start + 1, steps.length);
    return;
  }
  const enters: { to: number[] }[] = [];
  for (let count = min; count < max; count += 1) {
    const enter = { kind: 'fork' as const, to: [steps.length + 1] };
    enters.push(enter);
    steps.push(enter);
    append(steps, part);
  }
  for (const enter of enters) enter.to.push(steps.length);
}
