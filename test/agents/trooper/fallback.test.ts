import { expect, it } from 'vitest';
import { haikuIn, threeWordsIn } from '../../../agents/trooper/text/cleaning.ts';
import { fallbackHaiku, fallbackWords } from '../../../agents/trooper/text/fallback.ts';
import { HAIKU_LINES, WORDS } from '../../../agents/trooper/text/phrases.ts';
import { haikuPrompt, themeAt, wordsPrompt } from '../../../agents/trooper/text/prompts.ts';

it('the stock depends on who speaks and in which round, and on nothing else', () => {
  expect(fallbackWords('task-1', 7)).toBe(fallbackWords('task-1', 7));
  expect(fallbackHaiku('task-1', 7)).toBe(fallbackHaiku('task-1', 7));
  const rounds = Array.from({ length: 200 }, (_, round) => round);
  for (const say of [fallbackWords, fallbackHaiku]) {
    expect(new Set(rounds.map((round) => say('task-1', round))).size).toBeGreaterThan(190);
    expect(new Set(rounds.map((round) => say(`task-${round}`, 7))).size).toBeGreaterThan(190);
  }
});

it('whatever the stock puts together is what a model would have to give', () => {
  expect(new Set(WORDS.flat()).size).toBe(WORDS.flat().length);
  const longest = WORDS.map((words) => words.toSorted((one, other) => other.length - one.length)[0] ?? '');
  expect(threeWordsIn(longest.join(' '))).toBe(longest.join(' '));
  for (const words of WORDS.flat()) expect(words).toMatch(/^[a-z]+(?:-[a-z]+)?$/);
  for (const [index, first] of HAIKU_LINES[0].entries()) {
    const haiku = [first, HAIKU_LINES[1][index], HAIKU_LINES[2][index]].join('\n');
    expect(haikuIn(haiku)).toBe(haiku);
  }
  expect(HAIKU_LINES.map((lines) => new Set(lines).size)).toEqual([16, 16, 16]);
});

it('a prompt has one of eight themes, by the second, and its nonce', () => {
  const themes = Array.from({ length: 16 }, (_, second) => themeAt(second * 1000 + 999));
  expect(new Set(themes).size).toBe(8);
  expect(themes.slice(8)).toEqual(themes.slice(0, 8));
  for (const prompt of [wordsPrompt, haikuPrompt]) {
    expect(prompt(3000, 'abcd')).toContain(themeAt(3000));
    expect(prompt(3000, 'abcd')).toContain('abcd');
    // It stands after an option of a command line.
    expect(prompt(3000, 'abcd')).toMatch(/^[A-Z]/);
  }
});
