import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Pattern } from '../../src/std/pattern.ts';

function patternOf(text: string): Pattern {
  const parsed = Pattern.parse(text);
  if (!parsed.ok) throw new Error(`${text}: it ${parsed.failure}`);
  return parsed.value;
}

/** Expressions out of every part that is taken, over letters that meet often. */
const expressions = fc.letrec<{ node: string; one: string }>((tie) => ({
  one: fc.constantFrom(
    'a',
    'b',
    'A',
    '.',
    '\\w',
    '\\W',
    '\\d',
    '\\s',
    '[ab]',
    '[^a]',
    '[a-c_]',
    '[\\d-]',
    '[^\\w]',
    '\\.',
    '-',
    '1',
    '[]',
    '[^]',
  ),
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    tie('one'),
    fc.constantFrom('^', '$', '\\b', '\\B'),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => a + b),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(${a}|${b})`),
    fc
      .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '{1,}', '*?', '+?', '??', '{1,3}?'))
      .map(([a, many]) => `(?:${a})${many}`),
  ),
})).node;
const texts = fc
  .array(fc.constantFrom('a', 'b', 'B', 'c', '1', '.', '-', ' ', '_', 'é'), { maxLength: 12 })
  .map((all) => all.join(''));
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 1e9);

describe('a pattern', () => {
  test(`fits what JavaScript's own matcher fits (FC_SEED=${seed})`, () => {
    fc.assert(
      fc.property(expressions, fc.array(texts, { minLength: 1, maxLength: 8 }), (expression, all) => {
        const parsed = Pattern.parse(expression);
        if (!parsed.ok) {
          expect(parsed.failure).toMatch(/fits every text|repeats a place|takes \d+ steps/);
          return;
        }
        for (const text of all) expect(parsed.value.test(text), text).toBe(new RegExp(expression, 'i').test(text));
      }),
      { seed, numRuns: 3000 },
    );
  });

  test('is done with the worst of texts in a number of steps that its length bounds, where others take for ever', () => {
    const text = 'a'.repeat(512);
    for (const evil of ['(a+)+b', '(a|a)*b', '.*.*.*.*.*.*.*.*b', '(a?){50}a{50}b', '(x+x+)+y', '([a-z]+)*=']) {
      expect(patternOf(evil).test(text), evil).toBe(false);
      expect(patternOf(evil).test(`${text}b=xxy`), evil).toBe(true);
    }
  });

  test('that is not taken says why, and what to write instead', () => {
    const said = (text: string) => {
      const parsed = Pattern.parse(text);
      return parsed.ok ? null : parsed.failure;
    };
    for (const [text, why] of [
      ['', /^fits every text/],
      ['bot|', /^fits every text/],
      ['a*', /^fits every text/],
      ['(?=a)b', /^looks ahead or behind.*only \( and \(\?: are taken$/],
      ['(?<!a)b', /^looks ahead or behind/],
      ['(a)\\1', /^refers back to a group with \\1; write out/],
      ['a{101}', /^repeats more than 100 times; use \+ or \*$/],
      ['a{3,2}', /^repeats at least 3 and at most 2 times; put the smaller one first$/],
      ['(a{50}){50}', /^takes 2500 steps where 1000 are allowed/],
      ['a**', /^repeats a repetition/],
      ['^*a', /^repeats a place/],
      ['*a', /^has nothing before \* to repeat; write \\\* for/],
      ['a{x', /^has nothing before \{ to repeat; write \\\{/],
      ['(a', /^does not close a group; write \\\(/],
      ['a)', /^closes a group that was not opened; write \\\)/],
      ['[a', /^does not close a \[; write \\\[/],
      ['[b-a]', /^has a range in \[\] that does not rise/],
      ['[\\d-z]', /^has a range in \[\] that does not rise/],
      ['a\\', /^ends in a \\/],
      ['\\pL', /^holds \\p, which is not taken/],
      ['é', /^holds characters that are not ASCII/],
      ['a'.repeat(1001), /^is longer than 1000 characters/],
      ['('.repeat(51) + 'a' + ')'.repeat(51), /^nests groups deeper than 50/],
    ] as const)
      expect(said(text), text).toMatch(why);
  });
});
