/**
 * JSON that is sent back exactly as it was read. The engine's numbers are 64 bits wide and JavaScript's are not: a number that
 * would come back as another one is kept as the text it was (JSON.rawJSON, https://tc39.es/proposal-json-parse-with-source/).
 */
interface ExactJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
}
// Node has had both since 22; TypeScript's library has neither yet.
const exact = JSON as unknown as ExactJson;

/** Throws a SyntaxError for what is not JSON. */
export function parseExactly(text: string): unknown {
  return exact.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && JSON.stringify(value) !== source ? exact.rawJSON(source) : value,
  );
}
