import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { TSchema } from 'typebox';
import { AGENT_NAME, VARIABLE_NAME } from '../contract/config.ts';
import { quoted } from '../std/printable.ts';
import { FORMATS } from './formats.ts';
import { nearestOf } from './nearest.ts';
import { pointerTo, type Report } from './places.ts';
import { expectation, inside, reasonAgainst, wouldFit, type Shape, shapeOf, typed } from './shape.ts';

/**
 * The schema's part of the check. Fills in defaults, and says everything that is wrong at once, in the words of the schema.
 */
const ajv = new Ajv({ allErrors: true, strict: true, useDefaults: true, verbose: true, allowUnionTypes: true });
for (const [name, format] of Object.entries(FORMATS)) ajv.addFormat(name, format.is);

const compiled = new Map<TSchema, ValidateFunction>();

/** Checks `value` and fills in its defaults in place. Pointers of the report begin with `base`. */
export function validate(schema: TSchema, value: unknown, report: Report, base = ''): void {
  const check = compiled.get(schema) ?? ajv.compile(schema);
  compiled.set(schema, check);
  if (check(value)) return;
  const seen = new Set<string>();
  for (const error of check.errors ?? []) {
    // The branches of a union fail one by one before the union does; only the union is what the operator knows.
    if (error.schemaPath.includes('/anyOf/')) continue;
    const pointer = base + error.instancePath;
    if (error.keyword === 'additionalProperties' || error.keyword === 'required') reportKey(error, pointer, report);
    else if (!seen.has(pointer)) reportValue(error, pointer, report);
    seen.add(pointer);
  }
}

/** Gives values that came out of a `${...}` the type that the schema wants there. */
export function typeSubstituted(schema: TSchema, root: unknown, report: Report): void {
  for (const [pointer, place] of report.places.entries()) {
    if (!place.substituted) continue;
    const keys = pointer.split('/').slice(1);
    const last = keys.pop();
    let holder: unknown = root;
    let shape: Shape | undefined = shapeOf(schema);
    for (const key of keys.map(unescaped)) {
      holder = (holder as Record<string, unknown> | null | undefined)?.[key];
      shape = shape === undefined ? undefined : inside(shape, key);
    }
    if (last === undefined || typeof holder !== 'object' || holder === null) continue;
    const key = unescaped(last);
    const text = (holder as Record<string, unknown>)[key];
    if (typeof text === 'string' && shape !== undefined)
      (holder as Record<string, unknown>)[key] = typed(inside(shape, key), text);
  }
}

function reportValue(error: ErrorObject, pointer: string, report: Report): void {
  const shape = shapeOf(error.parentSchema as TSchema);
  const label = report.places.label(pointer) || report.places.whole;
  const why = typeof error.data === 'string' ? reasonAgainst(shape, error.data) : null;
  const because = why === null ? hintAgainst(shape, error.data) : `: it ${why}`;
  report.at(pointer, `${label} must be ${expectation(shape)}${report.places.butNot(pointer, error.data)}${because}`);
}

/** YAML makes numbers and truth values of bare words; who wrote them for text sees nothing wrong. */
function hintAgainst(shape: Shape, value: unknown): string {
  if (shape.maxItems !== undefined && Array.isArray(value)) return ` of ${value.length}`;
  if (shape.type !== 'string' || (typeof value !== 'number' && typeof value !== 'boolean')) return '';
  // Quotes alone would not make a length of time of a number.
  return wouldFit(shape, String(value)) ? '; put it in quotes' : '';
}

function reportKey(error: ErrorObject, parent: string, report: Report): void {
  const shape = shapeOf(error.parentSchema as TSchema);
  const params = error.params as { readonly additionalProperty?: string; readonly missingProperty?: string };
  if (params.missingProperty !== undefined) {
    const pointer = pointerTo(parent, params.missingProperty);
    const description = shape.properties?.[params.missingProperty]?.description ?? '';
    report.at(pointer, `${report.places.label(pointer)} is missing${description === '' ? '' : ` (${description})`}`);
    return;
  }
  const key = params.additionalProperty ?? '';
  const pointer = pointerTo(parent, key);
  const pattern = Object.keys(shape.patternProperties ?? {})[0];
  if (pattern !== undefined) {
    report.atKey(pointer, `${quoted(key)} is not ${NAMES[pattern] ?? `a name that fits ${pattern}`}`);
    return;
  }
  const nearest = nearestOf(key, Object.keys(shape.properties ?? {}));
  report.atKey(pointer, `${report.places.label(pointer)} is not a known key; the nearest known one is ${nearest}`);
}

const NAMES: Readonly<Record<string, string>> = {
  [AGENT_NAME]: 'a name for an agent: 1 to 63 characters of a-z, 0-9 and -, not beginning with -',
  [VARIABLE_NAME]: 'a name for a variable: letters, digits and _, not beginning with a digit',
};

const unescaped = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~');
