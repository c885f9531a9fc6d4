import { describe, expect, it } from 'vitest';
import { readText } from './tree.ts';

/** docs/http.md promises that a test proves each rule it names. Whether it does is for the test to show; here it is looked up. */
const rows = readText('docs/http.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('](../test/'));

describe('docs/http.md', () => {
  it('names no rule that the tests beside it do not name', () => {
    expect(rows.length).toBeGreaterThan(50);
    const missing = rows.flatMap((row) => {
      const tests = [...row.matchAll(/\]\(\.\.\/(test\/[^)]+)\)/g)].map(([, path = '']) => readText(path)).join('\n');
      const rules = row.match(/CVE-\d+-\d+|RFC \d+ section [\d.]*\d/g) ?? [];
      return rules.filter((rule) => !tests.includes(rule)).map((rule) => `${rule}: ${row.slice(0, 80)}`);
    });
    expect(missing).toEqual([]);
  });
});
