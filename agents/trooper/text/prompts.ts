/** What models are asked for. The nonce keeps a cache on the way from giving the same answer again. */
const THEMES = [
  'powered armour',
  'a drop from orbit',
  'the bug hunt',
  'boot camp',
  'the night watch',
  'the fleet in deep space',
  'a comrade who did not come back',
  'the mud of a far planet',
] as const;

/** The theme changes every second. */
export const themeAt = (nowMs: number): string => THEMES[Math.floor(nowMs / 1000) % THEMES.length] ?? THEMES[0];

export const wordsPrompt = (nowMs: number, nonce: string): string =>
  [
    `You are a mobile infantry trooper in a war against giant bugs. The theme is ${themeAt(nowMs)}.`,
    'Answer with exactly three different words in lower case, with spaces between them, in a terse military tone.',
    `No sentence, no punctuation, no explanation, nothing else. Request ${nonce}.`,
  ].join(' ');

export const haikuPrompt = (nowMs: number, nonce: string): string =>
  [
    `You are a mobile infantry trooper in a war against giant bugs. The theme is ${themeAt(nowMs)}.`,
    'Write one haiku of exactly three lines, of five, seven and five syllables, in a terse military tone.',
    `No title, no explanation, nothing but the three lines. Request ${nonce}.`,
  ].join(' ');
