import type { TSchema } from 'typebox';
import { type Format, FORMATS } from './formats.ts';

/**
 * Reading the schema itself: which part of it speaks of a value, how to put it into words, and how to turn checked text into
 * numbers and paths. Complaints are made from the schema and not from ajv's sentences, which would name three failed
 * branches where "must be a duration or null" is meant.
 */
export interface Shape {
  readonly type?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly description?: string;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
}

export const shapeOf = (schema: TSchema): Shape => schema;

/** The part for what lies under `key`; undefined where the schema knows no such key. */
export function inside(shape: Shape, key: string): Shape | undefined {
  for (const branch of shape.anyOf ?? [shape]) {
    if (branch.properties !== undefined && Object.hasOwn(branch.properties, key)) return branch.properties[key];
    for (const [pattern, value] of Object.entries(branch.patternProperties ?? {})) {
      if (new RegExp(pattern, 'u').test(key)) return value;
    }
    if (branch.items !== undefined && /^[0-9]+$/.test(key)) return branch.items;
  }
  return undefined;
}

/** What a value must be, to follow "must be ". */
export function expectation(shape: Shape): string {
  if (shape.anyOf !== undefined) return shape.anyOf.map(expectation).join(' or ');
  if (shape.enum !== undefined) return `one of ${shape.enum.map(String).join(', ')}`;
  if (shape.format !== undefined) return FORMATS[shape.format]?.says ?? shape.format;
  if (shape.type === 'integer') return `a whole number from ${shape.minimum ?? 0} to ${shape.maximum ?? 'any'}`;
  if (shape.type === 'boolean') return 'true or false';
  if (shape.type === 'array' && shape.maxItems !== undefined) return `a list of ${shape.minItems ?? 0} to ${shape.maxItems}`;
  if (shape.type === 'array') return (shape.minItems ?? 0) > 0 ? 'a list with something in it' : 'a list';
  if (shape.type === 'object') return 'a mapping';
  if (shape.type === 'null') return 'null';
  if (shape.pattern !== undefined) return PATTERNS[shape.pattern] ?? `text that fits ${shape.pattern}`;
  return (shape.minLength ?? 0) > 0 ? 'text that is not empty' : 'text';
}

const PATTERNS: Readonly<Record<string, string>> = {
  '^/': 'a path that begins with /',
  '^[!-~]+$': 'text of visible ASCII characters without spaces',
  '^[1-5][0-9]{2}(-[1-5][0-9]{2})?$': 'a status code such as "200" or a range such as "200-399"',
};

/** Why `text` does not fit a format, where the format knows better than "must be ...". */
export function reasonAgainst(shape: Shape, text: string): string | null {
  return formatOf(shape)?.why?.(text) ?? null;
}

/** Whether this text would do, were it written as text. */
export const wouldFit = (shape: Shape, text: string): boolean => formatOf(shape)?.is(text) ?? true;

const formatOf = (shape: Shape): Format | undefined => {
  const branch = (shape.anyOf ?? [shape]).find((one) => one.format !== undefined);
  return branch?.format === undefined ? undefined : FORMATS[branch.format];
};

/** Checked text -> what the rest of the daemon works with: milliseconds, bytes, absolute paths. Makes a copy. */
export function loaded(shape: Shape, value: unknown, directory: string): unknown {
  return mapped(shape, value, (format, leaf) => (typeof leaf === 'string' ? format.load?.(leaf, directory) : undefined) ?? leaf);
}

/** The way back from {@link loaded}, for durations. */
export function unloaded(shape: Shape, value: unknown): unknown {
  return mapped(shape, value, (format, leaf) => (typeof leaf === 'number' ? format.unload?.(leaf) : undefined) ?? leaf);
}

function mapped(shape: Shape, value: unknown, change: (format: Format, leaf: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => mapped(inside(shape, '0') ?? {}, item, change));
  if (typeof value === 'object' && value !== null) {
    // Records have no prototype: a look-up of the agent `constructor` must not find what every object inherits.
    const copy = (shape.patternProperties === undefined ? {} : Object.create(null)) as Record<string, unknown>;
    for (const [key, part] of Object.entries(value)) copy[key] = mapped(inside(shape, key) ?? {}, part, change);
    return copy;
  }
  const format = formatOf(shape);
  return format === undefined ? value : change(format, value);
}

/**
 * Text that was substituted, as the schema wants it: `replicas: ${COUNT}` is a number although the environment holds only text.
 * Values that were written out are left alone: there, quotes say what is meant.
 */
export function typed(shape: Shape | undefined, text: string): unknown {
  for (const branch of shape?.anyOf ?? (shape === undefined ? [] : [shape])) {
    if (branch.type === 'integer' && /^[0-9]{1,15}$/.test(text)) return Number(text);
    if (branch.type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true';
    if (branch.type === 'null' && (text === '' || text === 'null')) return null;
  }
  return text;
}
