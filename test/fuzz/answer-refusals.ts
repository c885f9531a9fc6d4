import type { AnswerCase, Reading } from './answer-reading.ts';

/**
 * Everything that is refused in an answer, each with its rule. What llhttp takes and we do not has to be found on this list,
 * and to be there in the bytes, which is looked for without the parser. docs/http.md shows it.
 */
export interface AnswerRefusal {
  /** As the operator reads it in the log. */
  readonly fault: string;
  /** What of an answer it means. */
  readonly what: string;
  readonly rule: string;
  /** Where llhttp takes it: whether it is in these bytes. Null: llhttp refuses it as well. */
  readonly isIn: ((at: Place) => boolean) | null;
}

/** Where we have stopped reading. */
interface Place {
  readonly asked: AnswerCase;
  /** The head at fault, or the last one that was right. With the empty line behind it, if that has come. */
  readonly head: string;
  /** Lines with sizes of chunks, up to the one at fault. */
  readonly sizeLines: readonly string[];
  readonly trailers: string;
}

const codings = (head: string): string =>
  [...head.matchAll(/^transfer-encoding:([^\r\n]*)/gim)]
    .map((match) => match[1]!.replaceAll(/^[ \t]+|[ \t]+$/g, '').toLowerCase())
    .join(', ');

const extensionsOf = (line: string): string => line.slice(/^[0-9a-f]*/i.exec(line)![0].length);

/** Without its CR LF. */
const SIZE_LINE_MAX = 1022;
const EXTENSION = /;[^\s;="\\]+(?:=(?:[^\s;="\\]+|"(?:[^"\\]|\\.)*"))?/g;
const hasMalformedExtension = (line: string): boolean => extensionsOf(line).replaceAll(EXTENSION, '') !== '';

export const ANSWER_REFUSALS: readonly AnswerRefusal[] = [
  {
    fault: 'no status line',
    what: 'another protocol, or another version than HTTP/1.0 and HTTP/1.1',
    rule: 'RFC 9112 section 2.3',
    isIn: ({ head }) => /^(?:RTSP|ICE)\/|^HTTP\/(?!1\.[01])/.test(head),
  },
  {
    fault: 'no status line',
    what: 'a status below 100 or above 599',
    rule: 'RFC 9110 section 15',
    isIn: ({ head }) => /^HTTP\/1\.[01] [06-9]/.test(head),
  },
  {
    fault: 'no status line',
    what: 'an empty line before it; only requests may have one',
    rule: 'RFC 9112 section 2.2',
    isIn: ({ head }) => /^[\r\n]/.test(head),
  },
  {
    fault: 'no status line',
    what: 'a control character in the reason',
    rule: 'RFC 9112 section 4',
    isIn: ({ head }) => /^HTTP\/1\.[01] \d{3} [^\r\n]*[\x00-\x08\x0b-\x1f\x7f]/.test(head),
  },
  { fault: 'no status line', what: 'anything else there, a bare LF at its end too', rule: 'RFC 9112 section 4', isIn: null },
  {
    fault: 'a head of more than 64 KiB',
    what: 'a head of more than 64 KiB',
    rule: 'RFC 9110 section 5.4',
    isIn: ({ head }) => head.length > 64 * 1024,
  },
  { fault: 'a header line without a colon', what: 'a header line without a colon', rule: 'RFC 9112 section 5', isIn: null },
  {
    fault: 'a header name that is no token',
    what: 'a name that is no token: empty, with a blank before its colon, or a folded line',
    rule: 'RFC 9112 sections 5.1 and 5.2',
    isIn: null,
  },
  {
    fault: 'a control character in a header value',
    what: 'a control character in a value; a bare CR or LF is one',
    rule: 'RFC 9110 section 5.5',
    isIn: null,
  },
  {
    fault: 'a tab behind a transfer coding',
    what: '`chunked` with a tab behind it, which some readers do not know as `chunked`',
    rule: 'RFC 9112 section 6.1',
    isIn: ({ head }) => /^transfer-encoding:[^\r\n]*\t *\t*\r?$/im.test(head),
  },
  {
    fault: 'a Content-Length that is no number',
    what: 'a length that is not plain digits: empty, signed, a list, or two lines',
    rule: 'RFC 9110 section 8.6',
    isIn: null,
  },
  {
    fault: 'a Content-Length that is no number',
    what: 'a length of more than 15 digits, which not every reader counts exactly',
    rule: 'RFC 9110 section 8.6',
    isIn: ({ head }) => /^content-length:[ \t]*\d{16,}[ \t]*\r?$/im.test(head),
  },
  {
    fault: 'Content-Length beside Transfer-Encoding',
    what: 'both framings at once',
    rule: 'RFC 9112 section 6.3',
    isIn: null,
  },
  {
    fault: 'Transfer-Encoding in HTTP/1.0',
    what: 'a transfer coding in HTTP/1.0',
    rule: 'RFC 9112 section 6.1',
    isIn: ({ head }) => head.startsWith('HTTP/1.0') && codings(head) !== '',
  },
  {
    fault: 'an unknown transfer coding',
    what: 'a coding other than `chunked` alone, which was never offered',
    rule: 'RFC 9112 section 7.4',
    isIn: ({ head }) => !['', 'chunked'].includes(codings(head)),
  },
  {
    fault: 'an informational answer that ends its connection',
    what: 'a 1xx with `Connection: close`, or in HTTP/1.0: nothing may follow, and yet it is not the answer',
    rule: 'RFC 9112 section 9.6, RFC 9110 section 15.2',
    isIn: ({ head }) => /^HTTP\/1\.0 1|^HTTP\/1\.1 1[^]*^connection:.*\bclose\b/im.test(head),
  },
  {
    fault: 'a switch of protocols that nobody asked for',
    what: 'a 101 to a request that was no upgrade',
    rule: 'RFC 9110 section 15.2.2',
    isIn: ({ head, asked }) => /^HTTP\/1\.[01] 101/.test(head) && !asked.isUpgrade,
  },
  {
    fault: 'a chunk size that is none',
    what: 'a chunk size that is not plain hex digits, or whose line ends without CR',
    rule: 'RFC 9112 section 7.1',
    isIn: null,
  },
  {
    fault: 'a chunk size that is none',
    what: 'a chunk size of more than 13 digits',
    rule: 'RFC 9112 section 7.1',
    isIn: ({ sizeLines }) => /^[0-9a-f]{14}/i.test(sizeLines.at(-1) ?? ''),
  },
  {
    fault: 'a chunk size that is none',
    what: 'a chunk extension that is malformed, or has blanks around its `=`',
    rule: 'RFC 9112 section 7.1.1',
    isIn: ({ sizeLines }) => hasMalformedExtension(sizeLines.at(-1) ?? ''),
  },
  {
    fault: 'a chunk size line without an end',
    what: 'a chunk size with extensions of more than 1 KiB',
    rule: 'RFC 9112 section 7.1.1',
    isIn: ({ sizeLines }) => (sizeLines.at(-1) ?? '').length > SIZE_LINE_MAX,
  },
  {
    fault: 'too many chunk extensions',
    what: 'more than 16 KiB of extensions in one answer',
    rule: 'RFC 9112 section 7.1.1',
    isIn: ({ sizeLines }) => sizeLines.reduce((sum, line) => sum + extensionsOf(line).length, 0) > 16 * 1024,
  },
  {
    fault: 'a chunk that is longer than its size',
    what: 'anything but CR LF behind the bytes of a chunk',
    rule: 'RFC 9112 section 7.1',
    isIn: null,
  },
  {
    fault: 'a trailer that ends without CR',
    what: 'a trailer line that ends in a bare LF',
    rule: 'RFC 9112 section 2.2',
    isIn: null,
  },
  {
    fault: 'too many trailers',
    what: 'more than 16 KiB of trailers',
    rule: 'RFC 9110 section 5.4',
    isIn: ({ trailers }) => trailers.length > 16 * 1024,
  },
  {
    fault: 'framing in a trailer',
    what: '`Content-Length` or `Transfer-Encoding` in a trailer',
    rule: 'RFC 9110 section 6.5.1',
    isIn: ({ trailers }) => /^(?:content-length|transfer-encoding):/im.test(trailers),
  },
];

/** Why we refused what llhttp takes. Undefined: for no reason that is on the list. */
export function refusalOf(asked: AnswerCase, ours: Reading): AnswerRefusal | undefined {
  const at = placeOf(asked, ours.heads.filter(({ status }) => status < 200 && status !== 101).length);
  return ANSWER_REFUSALS.find(({ fault, isIn }) => fault === ours.why && isIn?.(at) === true);
}

/** Behind so many heads of 1xx. */
function placeOf(asked: AnswerCase, informational: number): Place {
  let rest = asked.bytes;
  for (let left = informational; left > 0; left -= 1) rest = rest.slice(rest.indexOf('\r\n\r\n') + 4);
  const headEnd = rest.indexOf('\r\n\r\n');
  const head = headEnd === -1 ? rest : rest.slice(0, headEnd + 4);
  let body = headEnd === -1 ? '' : rest.slice(headEnd + 4);
  const sizeLines: string[] = [];
  for (;;) {
    const end = body.indexOf('\n');
    const line = (end === -1 ? body : body.slice(0, end)).replace(/\r$/, '');
    sizeLines.push(line);
    const size = /^[0-9a-f]{1,13}(?![0-9a-f])/i.exec(line);
    if (end === -1 || size === null || hasMalformedExtension(line) || line.length > SIZE_LINE_MAX)
      return { asked, head, sizeLines, trailers: '' };
    body = body.slice(end + 1);
    if (Number.parseInt(size[0], 16) === 0) return { asked, head, sizeLines, trailers: body };
    body = body.slice(Number.parseInt(size[0], 16) + 2);
  }
}
