import type { Static, TSchema } from 'typebox';
import { Check } from 'typebox/value';

/**
 * What a value of the bus says, as `schema` has it. Null where nothing is, and where something is that is not of that shape:
 * everybody on the bus's network may write, so what lies there is looked at before it is believed.
 */
export function valueIn<S extends TSchema>(schema: S, text: string | null | undefined): Static<S> | null {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    return Check(schema, value) ? value : null;
  } catch {
    return null;
  }
}
