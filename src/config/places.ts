import { printable, quoted } from '../std/printable.ts';
import type { Complaint } from './complaint.ts';

/**
 * Where each value came from. Checks speak of values by JSON pointer (RFC 6901), as ajv does; this turns a pointer into a
 * position, into the name an operator knows it by, and into words for its value that give no secret away.
 */
export interface Place {
  /** As the operator would say it: `agents.kai.idle.timeout`. */
  readonly label: string;
  readonly key: Position;
  readonly value: Position;
  /** The environment variable whose content is in the value. */
  readonly variable: string | null;
  /** A `${...}` was replaced in it, be it by its default. */
  readonly substituted: boolean;
  /** Something was wrong before the value could be read; what else is said about it would only confuse. */
  readonly broken: boolean;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

const START: Position = { line: 1, column: 1 };
/** Values that are never quoted, whatever is wrong with them. */
const SECRET = /^\/(admin_token$|agents\/[^/]*\/process\/env\/)/;

export class Places {
  /** What all of it together is called. */
  readonly whole: string;
  private readonly places = new Map<string, Place>();

  constructor(whole: string) {
    this.whole = whole;
  }

  set(pointer: string, place: Place): void {
    this.places.set(pointer, place);
  }

  get(pointer: string): Place | undefined {
    return this.places.get(pointer);
  }

  entries(): IterableIterator<[string, Place]> {
    return this.places.entries();
  }

  /** What is known at and under `from`, by what its pointer has beyond `from`. */
  under(from: string): { readonly rest: string; readonly place: Place }[] {
    return [...this.places]
      .filter(([pointer]) => pointer === from || pointer.startsWith(`${from}/`))
      .map(([pointer, place]) => ({ rest: pointer.slice(from.length), place }));
  }

  label(pointer: string): string {
    const place = this.places.get(pointer);
    if (place !== undefined) return place.label;
    const cut = pointer.lastIndexOf('/');
    return cut === -1 ? '' : joined(this.label(pointer.slice(0, cut)), unescaped(pointer.slice(cut + 1)));
  }

  /** Position of the value, or of the key of the nearest thing around it that was written. */
  position(pointer: string): Position {
    const exact = this.places.get(pointer);
    if (exact !== undefined) return exact.value;
    for (let cut = pointer.lastIndexOf('/'); cut !== -1; cut = pointer.lastIndexOf('/', cut - 1)) {
      const around = this.places.get(pointer.slice(0, cut));
      if (around !== undefined) return around.key;
      if (cut === 0) break;
    }
    return START;
  }

  keyPosition(pointer: string): Position {
    return this.places.get(pointer)?.key ?? this.position(pointer);
  }

  /** `value` for a message: quoted, unless it came from the environment. Null where it is a secret or may be one. */
  shown(pointer: string, value: unknown): string | null {
    const variable = this.places.get(pointer)?.variable ?? null;
    if (variable !== null) return `what \${${variable}} holds`;
    if (SECRET.test(pointer)) return null;
    // A URL with a user name carries its password, too.
    if (typeof value === 'string') return quoted(value.replace(/\/\/[^/]*@/, '//...@'));
    if (value === null) return 'null';
    if (Array.isArray(value)) return 'a list';
    return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'a mapping';
  }

  /** `, not "value"`, or nothing where the value must not be shown. */
  butNot(pointer: string, value: unknown): string {
    const shown = this.shown(pointer, value);
    return shown === null ? '' : `, not ${shown}`;
  }

  broken(pointer: string): boolean {
    return this.places.get(pointer)?.broken ?? false;
  }
}

/** Collects complaints by pointer, leaving out what is only a consequence of an earlier one. */
export class Report {
  readonly places: Places;
  private readonly found: { readonly pointer: string; readonly complaint: Complaint }[] = [];

  constructor(places: Places) {
    this.places = places;
  }

  /** About a value. */
  at(pointer: string, message: string): void {
    this.add(pointer, this.places.position(pointer), message);
  }

  /** About a key. */
  atKey(pointer: string, message: string): void {
    this.add(pointer, this.places.keyPosition(pointer), message);
  }

  /** Those at and under `pointer`. */
  complaints(pointer = ''): Complaint[] {
    return this.found
      .filter((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`))
      .map((one) => one.complaint);
  }

  private add(pointer: string, position: Position, message: string): void {
    if (!this.places.broken(pointer)) this.found.push({ pointer, complaint: { ...position, message } });
  }
}

/** `parent` with the reference token for `key` put behind it (RFC 6901 section 3). */
export const pointerTo = (parent: string, key: string | number): string =>
  `${parent}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;

const unescaped = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~');

/** `agents` and `kai` make `agents.kai`; a list index makes `hostnames[1]`, an odd key `env["a b"]`. */
export function joined(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  if (!/^[\w-]+$/.test(key)) return `${parent}[${printable(JSON.stringify(key.slice(0, 80)))}]`;
  return parent === '' ? key : `${parent}.${key}`;
}
