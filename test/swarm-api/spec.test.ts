import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ApiServiceSpec } from '../../src/swarm/api.ts';
import { parseExactly } from '../../src/swarm/exact-json.ts';
import { isPinned, replicasOf, stopGraceSeconds, withReplicas } from '../../src/swarm/spec.ts';

/** A spec that goes back says what it said, down to the last digit, but for one number. */
const NUMBERS = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.constantFrom('-0', '1.0', '1e3', '1E+2', '0.1e-7', '9007199254740993', '18446744073709551615', '1e400'),
);
const STRINGS = fc.oneof(
  fc.string({ unit: 'binary' }).map((value) => JSON.stringify(value)),
  fc.constantFrom('"\\u0000"', '"\\/\\b\\f\\u00e9"', '"\\ud800"', '"\\u2028"', '"__proto__"', '"toJSON"', '"1"', '""'),
);

/** JSON as text, since what a text becomes is what is in question. */
const { value: VALUE } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, fc.constantFrom('null', 'true', 'false'), NUMBERS, STRINGS, tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join(', ')}]`),
  object: members(tie('value')).map((text) => `{ ${text} }`),
}));

function members(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const pairs = fc.uniqueArray(fc.tuple(STRINGS, value), { maxLength: 4, selector: ([key]) => JSON.parse(key) as string });
  return pairs.map((all) => all.map(([key, text]) => `${key}: ${text}`).join(',\n'));
}

/** The same for two texts that say the same: numbers by their digits, members in any order. */
function canonical(text: string): string {
  const marked = (JSON.parse as (text: string, reviver: unknown) => unknown)(
    text,
    (_key: string, value: unknown, { source }: { source?: string }) =>
      typeof value === 'number' ? `number ${source ?? ''}` : typeof value === 'string' ? `text ${value}` : value,
  );
  const written = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(written).join()}]`;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    const all = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}:${written(one)}`);
    return `{${all.sort().join()}}`;
  };
  return written(marked);
}

const sentBack = (text: string, replicas: number): string =>
  JSON.stringify(withReplicas(parseExactly(text) as ApiServiceSpec, replicas));

describe('a spec that was read', () => {
  it('G: goes out as it came, whatever is in it, with another number of replicas', () => {
    const others = members(VALUE).filter((text) => !/"(Mode|Replicated|Replicas)":/.test(text));
    fc.assert(
      fc.property(others, others, others, fc.nat(), fc.nat(), (top, mode, replicated, before, after) => {
        const join = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(', ');
        const spec = (replicas: number): string => {
          const inner = join(replicated, `"Replicas": ${replicas}`);
          return `{ ${join(top, `"Mode": { ${join(mode, `"Replicated": { ${inner} }`)} }`)} }`;
        };
        expect(canonical(sentBack(spec(before), after))).toBe(canonical(spec(after)));
      }),
    );
  });

  it('G: keeps numbers of 64 bits, which no JavaScript number can hold', () => {
    const text =
      '{"TaskTemplate":{"ForceUpdate":18446744073709551615,"Resources":{"Limits":{"NanoCPUs":9223372036854775807}}},' +
      '"Mode":{"Replicated":{"Replicas":0}}}';
    expect(sentBack(text, 1)).toBe(text.replace('"Replicas":0', '"Replicas":1'));
  });

  it('gains nothing that was not there: an empty object would make Swarm replace every task', () => {
    expect(sentBack('{"Mode":{"Replicated":{}}}', 2)).toBe('{"Mode":{"Replicated":{"Replicas":2}}}');
  });

  it('is refused where it is no JSON', () => {
    for (const text of ['', '{', '[1,]', 'NaN', "{'a': 1}"]) expect(() => parseExactly(text)).toThrow(SyntaxError);
  });
});

describe('what a spec says', () => {
  it('about replicas: one where the number is left out, none where it cannot be scaled', () => {
    expect(replicasOf({ Mode: { Replicated: { Replicas: 0 } } })).toBe(0);
    expect(replicasOf({ Mode: { Replicated: {} } })).toBe(1);
    expect(replicasOf({ Mode: { Global: {} } })).toBeNull();
    expect(replicasOf({})).toBeNull();
  });

  it('about the time to end, in whole seconds', () => {
    const grace = (text: string): number =>
      stopGraceSeconds(parseExactly(`{"TaskTemplate":{"ContainerSpec":{"StopGracePeriod":${text}}}}`) as ApiServiceSpec);
    expect(grace('5000000000')).toBe(5);
    expect(grace('1')).toBe(1);
    expect(grace('0')).toBe(0);
    expect(stopGraceSeconds({})).toBe(10);
    // Longer than any number of ours can say: as good as for ever.
    expect(grace('9223372036854775807')).toBe(86_400);
  });

  it('about its image: by digest or id it needs no registry, by tag it does', () => {
    const id = 'a'.repeat(64);
    for (const image of [`nginx:1@sha256:${id}`, `sha256:${id}`, id]) expect(isPinned(image)).toBe(true);
    for (const image of ['nginx', 'nginx:1', 'registry:5000/a/b:c', 'a'.repeat(63)]) expect(isPinned(image)).toBe(false);
  });
});
