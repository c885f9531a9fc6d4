import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerLines, haikuIn, threeWordsIn } from '../../../agents/trooper/text/cleaning.ts';

const POEM = 'Boots on frozen mud\nthe radio spits and dies\nwe hold the line here';

describe('what PicoClaw prints around its answer', () => {
  it.each([
    ['an old one', `2026/02/11 12:00:00 [2026-02-11T12:00:00Z] [INFO] agent: Agent initialized {tools=0}\n\n🦞 ANSWER\n`],
    ['a newer one', `15:04:05 INF agent loop.go:12 > Agent initialized tools_count=0\n\n🦞 ANSWER\n`],
    ['a banner in colour', `\u001b[1;34m██████╗ ██╗\u001b[0m\n╚═╝  PicoClaw\n\n🦞 ANSWER\n`],
    ['warnings before and after', `WARNING: no skills\n\n🦞 ANSWER\n2026/02/11 12:00:01 [WARN] bye\n[ERROR] cannot save`],
    ['other logs', `time=2026 level=info msg=x\n{"level":"info","msg":"y"}\nANSWER`],
    ['no lobster', `[INFO] up\nANSWER`],
    ['a title for the terminal', `\u001b]0;agent\u0007\u001b[2K\rANSWER\u001b[0m\r\n`],
    ['what nobody would take for a log line', `Loading skills from disk\n🦞 ANSWER`],
    ['characters that nobody sees', `\u200b\u202e\u0000ANSWER\ufeff\u0085\ud83e`],
    ['one-byte control sequences', `\u009b31mANSWER\u009b0m`],
  ])('is dropped: %s', (_name, printed) => {
    expect(threeWordsIn(printed.replace('ANSWER', 'grim lantern holds'))).toBe('grim lantern holds');
    expect(haikuIn(printed.replace('ANSWER', POEM))).toBe(POEM);
  });
});

describe('three words', () => {
  it.each([
    ['Grim, Lantern, Holds.', 'grim lantern holds'],
    ['Sure, here are my words:\n\n  grim   dug-in  holds ', 'grim dug-in holds'],
    ['**grim** -- *lantern* holds!', 'grim lantern holds'],
  ])('of %j are %j', (printed, words) => {
    expect(threeWordsIn(printed)).toBe(words);
  });

  it.each([
    ['nothing', ''],
    ['two', 'grim lantern'],
    ['four', 'grim lantern holds fast'],
    ['one twice, however it is written', 'grim Grim holds'],
    ['more than 50 characters', `${'a'.repeat(20)} ${'b'.repeat(20)} ${'c'.repeat(9)}`],
    ['no letters', '1 2 3'],
    ['markup', '<script>alert(1)</script>'],
    ['markup around them', '<b>grim</b> lantern holds'],
    ['log lines only', '[INFO] one two three'],
  ])('are refused: %s', (_name, printed) => {
    expect(threeWordsIn(printed)).toBeNull();
  });

  it('may have 50 characters, and no more', () => {
    expect(threeWordsIn(`${'a'.repeat(20)} ${'b'.repeat(20)} ${'c'.repeat(8)}`)).toHaveLength(50);
  });

  it('are three different words of letters and hyphens, of at most 50 characters, whatever was printed', () => {
    fc.assert(
      fc.property(printed(), (text) => {
        const words = threeWordsIn(text);
        if (words === null) return;
        expect(words).toMatch(/^[a-z]+(?:-[a-z]+)* [a-z]+(?:-[a-z]+)* [a-z]+(?:-[a-z]+)*$/);
        expect(new Set(words.split(' ')).size).toBe(3);
        expect(words.length).toBeLessThanOrEqual(50);
      }),
    );
  });
});

describe('a haiku', () => {
  it.each([
    ['as it stands', POEM],
    ['with its lines apart', POEM.replaceAll('\n', '\n\n')],
    ['with a word before it', `Here is your haiku:\n\n${POEM}`],
    ['with a word before and after it', `Sure! I am glad to.\n\n${POEM}\n\nI hope that it pleases.`],
    ['in one line', POEM.replaceAll('\n', ' / ')],
    ['as a list', POEM.replaceAll(/^/gm, '- ')],
    ['as a block of code', `\`\`\`\n${POEM}\n\`\`\``],
    ['in quotation marks', `"${POEM}"`],
    ['with ends of line of another system', `${POEM.replaceAll('\n', '\r\n')}\r\n`],
  ])('is found: %s', (_name, printed) => {
    expect(haikuIn(printed)).toBe(POEM);
  });

  it.each([
    ['nothing', ''],
    ['two lines', 'one line\nanother line'],
    ['four lines', `${POEM}\nand one more`],
    ['two poems', `${POEM}\n\n${POEM}`],
    ['more than 500 characters', `${'a'.repeat(200)}\n${'b'.repeat(200)}\n${'c'.repeat(99)}`],
    ['a JSON document', '{"error": "no model"}'],
  ])('is refused: %s', (_name, printed) => {
    expect(haikuIn(printed)).toBeNull();
  });

  it('stays as plain as it is where it looks like HTML: whoever shows it escapes it', () => {
    expect(haikuIn('<script>alert(1)</script>\n<b>two</b>\nthree & four')).toBe(
      '<script>alert(1)</script>\n<b>two</b>\nthree & four',
    );
  });

  it('has three lines, at most 500 characters and no control characters, whatever was printed', () => {
    fc.assert(
      fc.property(printed(), (text) => {
        const haiku = haikuIn(text);
        if (haiku === null) return;
        expect(haiku.split('\n')).toHaveLength(3);
        expect(haiku.length).toBeLessThanOrEqual(500);
        expect(haiku).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
        expect(haiku.isWellFormed()).toBe(true);
      }),
    );
  });
});

it('64 KB of anything are read in no time: no pattern goes back over what it has read', () => {
  for (const piece of [
    '\u001b]',
    '\u001b[',
    '\u001bP;',
    '\u009d',
    '> ',
    '"',
    '_*',
    ' ',
    '[INFO',
    '🦞',
    'a / ',
    '\r',
    '{',
    '2026-',
  ]) {
    const begun = performance.now();
    const text = piece.repeat(Math.ceil(65_536 / piece.length));
    for (const read of [answerLines, threeWordsIn, haikuIn]) read(text);
    // Backwards over 64 KB it would be minutes.
    expect(performance.now() - begun, JSON.stringify(piece)).toBeLessThan(5000);
  }
});

/** Text in which what matters here is likely. */
function printed(): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom(...['grim', 'Lantern', 'holds', '-', ',', ' ', ' ', '\n', '\n', '\r\n', '🦞 ', '[INFO] ', 'WARNING: ', '/ ']),
    fc.constantFrom(
      ...['\u001b[31m', '\u001b]0;x\u0007', '\u001b', '\u009b', '\u0000', '\u0085', '\u202e', '\u200b', '\ud83e', '<b>'],
    ),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  return fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(''));
}

it('a long run of one character is looked at once, and not once for each of them', () => {
  // Forty seconds and more, where it is searched from each character to its end.
  for (const character of ['-', '"']) {
    const text = `x a${character.repeat(300_000)}b y`;
    expect([threeWordsIn(text), haikuIn(text)]).toEqual([null, null]);
  }
});

it('what is written in characters that nobody sees is taken away from a poem', () => {
  const unseen = ['\u{e0041}\u{e007f}', '\u{e0100}', '\u3164', '\u115f', '\u034f', '\u180e'];
  for (const text of unseen) expect(haikuIn(`one${text}\ntwo\nthree`)).toBe('one\ntwo\nthree');
});
