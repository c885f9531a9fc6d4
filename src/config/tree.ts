import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type Scalar, type YAMLMap } from 'yaml';
import { printable, quoted } from '../std/printable.ts';
import type { Complaint } from './complaint.ts';
import { joined, type Place, Places, pointerTo, type Position } from './places.ts';
import { substitute } from './variables.ts';
import { SYNTAX } from './yaml-errors.ts';

/**
 * YAML text -> plain value, with the place of every part of it. The library's own conversion is not used: it drops
 * positions, throws at the first bad alias, and knows nothing of `${VAR}`. Keys stay text, objects have no prototype (so
 * `__proto__` is a key like any other), and the first of two equal keys is kept.
 */
export interface Tree {
  readonly value: unknown;
  readonly places: Places;
  readonly complaints: readonly Complaint[];
}

/** Values in one file, those behind aliases counted at each use: this is what stops a "billion laughs". */
const VALUES_MAX = 100_000;
const DEPTH_MAX = 32;

export function readTree(text: string, env: Readonly<Record<string, string | undefined>>): Tree {
  const lines = new LineCounter();
  // Not logLevel silent, which also silences the error about a second document.
  // uniqueKeys compares each key with all others, which is quadratic; the walk below does it with a map.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: 'error' });
  const walk = new Walk(lines, env);
  const stumbles = new Map<number, Complaint>();
  for (const error of [...document.errors, ...document.warnings]) {
    const position = walk.position(error.pos[0]);
    // One mistake makes the parser stumble several times over the rest of its line.
    if (stumbles.has(position.line)) continue;
    const hint = lineAt(text, lines, position.line).includes('${') ? '; inside {} and [], ${...} must be put in quotes' : '';
    // The library's words may quote the file, and so a token; ours do not.
    stumbles.set(position.line, { ...position, message: (SYNTAX[error.code] ?? 'this is not valid YAML') + hint });
  }
  walk.complaints.push(...stumbles.values());
  // After a syntax error the tree is guesswork: complaints about it would be, too.
  if (document.errors.length > 0) return { value: undefined, places: walk.places, complaints: walk.complaints };
  const value = document.contents === null ? undefined : walk.value(document.contents, '', '', { line: 1, column: 1 }, 0);
  // So is a tree that was not read to its end.
  return { value: walk.exhausted ? undefined : value, places: walk.places, complaints: walk.complaints };
}

function lineAt(text: string, lines: LineCounter, line: number): string {
  return text.slice(lines.lineStarts[line - 1] ?? 0, lines.lineStarts[line] ?? text.length);
}

class Walk {
  readonly places = new Places('the file');
  readonly complaints: Complaint[] = [];
  private readonly lines: LineCounter;
  private readonly env: Readonly<Record<string, string | undefined>>;
  private readonly anchors = new Map<string, Node>();
  private values = 0;
  /** A limit was reached and said; the rest is not read. */
  exhausted = false;

  constructor(lines: LineCounter, env: Readonly<Record<string, string | undefined>>) {
    this.lines = lines;
    this.env = env;
  }

  position(offset: number): Position {
    const { line, col } = this.lines.linePos(offset);
    return line === 0 ? { line: 1, column: 1 } : { line, column: col };
  }

  complain(position: Position, message: string): void {
    this.complaints.push({ ...position, message });
  }

  value(node: Node | null, pointer: string, label: string, key: Position, depth: number): unknown {
    const position = node?.range ? this.position(node.range[0]) : key;
    const place: Place = { label, key, value: position, variable: null, substituted: false, broken: false };
    const refuse = (message: string): null => {
      this.places.set(pointer, { ...place, broken: true });
      this.complain(position, `${label === '' ? this.places.whole : label} ${message}`);
      return null;
    };
    this.values += 1;
    if (this.values > VALUES_MAX) return this.exhaust(refuse, `is one value too many; at most ${VALUES_MAX} are taken`);
    if (depth > DEPTH_MAX) return this.exhaust(refuse, `is nested deeper than ${DEPTH_MAX} levels`);
    this.places.set(pointer, place);
    if (node === null) return null;
    if (isAlias(node)) {
      const target = this.anchors.get(node.source);
      return target === undefined
        ? refuse(`refers to ${quoted(node.source)}, but no anchor &${printable(node.source)} comes before it`)
        : this.value(target, pointer, label, key, depth + 1);
    }
    const { anchor } = node as { readonly anchor?: string };
    if (anchor !== undefined) this.anchors.set(anchor, node);
    if (isMap(node)) return this.map(node, pointer, label, depth);
    if (isSeq(node)) {
      return node.items.map((item, index) =>
        this.value(item as Node | null, pointerTo(pointer, index), joined(label, index), position, depth + 1),
      );
    }
    if (!isScalar(node)) return refuse('is not a plain value');
    const raw = node.value;
    if (raw === null || typeof raw === 'number' || typeof raw === 'boolean') return raw;
    if (typeof raw !== 'string') return refuse('is not a plain value');
    const result = substitute(raw, this.env);
    if (!result.ok) return refuse(result.failure);
    const { text, variable } = result.value;
    this.places.set(pointer, { ...place, variable, substituted: text !== raw });
    // No path, argument or variable can hold one: every call that takes it to the system would throw.
    return text.includes('\0') ? refuse('holds a NUL character') : text;
  }

  private exhaust(refuse: (message: string) => null, message: string): null {
    if (!this.exhausted) refuse(message);
    this.exhausted = true;
    return null;
  }

  private map(node: YAMLMap, pointer: string, label: string, depth: number): Record<string, unknown> {
    const object = Object.create(null) as Record<string, unknown>;
    const seen = new Map<string, Position>();
    for (const { key, value } of node.items as { key: Node | null; value: Node | null }[]) {
      const at = this.position(key?.range?.[0] ?? node.range?.[0] ?? 0);
      const name = isScalar(key) ? nameOf(key) : null;
      if (name === null) {
        this.complain(at, `${label === '' ? this.places.whole : label} has a key that is not plain text`);
        continue;
      }
      if (name === '<<') {
        this.complain(at, 'merge keys (<<) are not taken; use `defaults`, or an alias for a whole value');
        continue;
      }
      const first = seen.get(name);
      if (first !== undefined) {
        this.complain(at, `${joined(label, name)} is given twice; the first is at line ${first.line}`);
        continue;
      }
      seen.set(name, at);
      object[name] = this.value(value, pointerTo(pointer, name), joined(label, name), at, depth + 1);
    }
    return object;
  }
}

/** The key as it was written: `1:` and `true:` are names here, not a number and a boolean. */
function nameOf(key: Scalar): string | null {
  return typeof key.value === 'string' ? key.value : (key.source ?? null);
}
