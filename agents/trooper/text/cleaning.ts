/**
 * What a model wrote, made into three words or a haiku, or refused. Programs that ask models print more than the answer: log
 * lines, colours, a banner. Models print more than they were asked for. Whatever is not surely the answer is no answer: there
 * is always another source.
 *
 * The result is plain text. It may still look like HTML; whoever shows it escapes it.
 */
const WORDS_CHARS_MAX = 50;
const HAIKU_CHARS_MAX = 500;
const HAIKU_LINES = 3;

/** Escape sequences as terminals read them: strings (OSC, DCS and the like), then CSI, then the short ones. */
const ESCAPES =
  /(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|\u001b[ -/]*[0-~]?/gu;
/** Lines end at any of these. A bare return too: what a terminal would write over is told apart at least. */
const LINE_ENDS = /\r\n|[\r\u2028\u2029]/gu;
/** Control, direction and invisible characters, lone surrogates, and what stands for bytes that are no text; not the newline. */
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ud800-\udfff\ufff9-\uffff\u{e0000}-\u{e0fff}]/gu;

const LEVELS = 'TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|PANIC';
/** How PicoClaw of several years logs, and most others: `[INFO]`, `WARNING:`, a date or a time in front, logfmt, JSON. */
const LOG_LINE = new RegExp(
  [
    `\\[(?:${LEVELS})\\]`,
    `\\b(?:${LEVELS}):`,
    '^\\d{4}[-/]\\d\\d[-/]\\d\\d[ T]',
    '^\\d\\d:\\d\\d(?::\\d\\d)?(?:AM|PM)? (?:TRC|DBG|INF|WRN|ERR|FTL|PNC)\\b',
    '^(?:time|level|ts)=',
    '^\\{.*"level"',
    '^Error: ',
  ].join('|'),
  'u',
);
/** PicoClaw's own mark, before its answer. */
const LOBSTER = '\u{1f99e}';

/** Lines that may be the answer, trimmed, with single spaces; an empty one between paragraphs. */
export function answerLines(output: string): readonly string[] {
  const plain = output.replace(ESCAPES, '').replace(LINE_ENDS, '\n').replace(UNSEEN, '');
  const lines = plain.split('\n').map((line) => line.replaceAll(/\s+/gu, ' ').trim());
  // What stands before the mark is the program's. Of a later mark in the same answer nothing is known, so that one counts.
  const marked = lines.findLastIndex((line) => line.startsWith(LOBSTER));
  return lines
    .slice(Math.max(marked, 0))
    .map((line) => line.replaceAll(LOBSTER, '').trim())
    .filter((line) => line === '' || (/\p{L}/u.test(line) && !LOG_LINE.test(line)));
}

/** Three different words with single spaces, lower-case letters and hyphens only; null where there are not. */
export function threeWordsIn(output: string): string | null {
  const last = answerLines(output).findLast((line) => line !== '') ?? '';
  // Longer ones are not searched, there nor below: some patterns take the square of the time for a run of the same character.
  if (last.length > HAIKU_CHARS_MAX) return null;
  const words = last
    .replaceAll(/[,;:/|.&]/g, ' ')
    .replaceAll(/[^A-Za-z -]/g, '')
    .toLowerCase()
    .split(' ')
    .map((word) => word.replaceAll(/^-+|-+$/g, '').replaceAll(/-{2,}/g, '-'))
    .filter((word) => word !== '');
  const text = words.join(' ');
  return words.length === 3 && new Set(words).size === 3 && text.length <= WORDS_CHARS_MAX ? text : null;
}

/** Three lines, at most 500 characters; null where there is not exactly one such poem. */
export function haikuIn(output: string): string | null {
  const lines = answerLines(output)
    // `Here is your haiku:`
    .filter((line) => !line.endsWith(':'))
    .map((line) => (line.length > HAIKU_CHARS_MAX ? line : withoutDecoration(line)));
  const text = poemOf(lines)?.join('\n') ?? null;
  return text !== null && text.length <= HAIKU_CHARS_MAX ? text : null;
}

function poemOf(lines: readonly string[]): readonly string[] | null {
  const paragraphs = paragraphsOf(lines);
  const all = paragraphs.flat();
  if (all.length === HAIKU_LINES) return all;
  const slashed = all[0]?.split(' / ') ?? [];
  if (all.length === 1 && slashed.length === HAIKU_LINES && slashed.every((line) => line !== '')) return slashed;
  const [poem, another] = paragraphs.filter((paragraph) => paragraph.length === HAIKU_LINES);
  return poem === undefined || another !== undefined ? null : poem;
}

function paragraphsOf(lines: readonly string[]): readonly (readonly string[])[] {
  const paragraphs: string[][] = [[]];
  for (const line of lines) {
    if (line === '') paragraphs.push([]);
    else paragraphs.at(-1)?.push(line);
  }
  return paragraphs.filter((paragraph) => paragraph.length > 0);
}

/** Quotation and list marks of Markdown, and quotation marks around a line. */
const withoutDecoration = (line: string): string =>
  line
    .replace(/^(?:[>*_#-]+ ?|\d[.)] )+/u, '')
    .replace(/^["“”'*_]+(?=.*\p{L})|["“”*_]+$/gu, '')
    .trim();
