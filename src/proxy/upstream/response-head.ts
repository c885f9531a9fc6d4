import { RESPONSE_FIELDS, sift, type Sifted } from '../headers.ts';

/**
 * The head of an answer, read strictly (RFC 9112 sections 4, 5 and 6.3). Agents are not trusted: a head that two readers
 * could take differently is refused, since whatever follows it would then be an answer to somebody else's request. The
 * whole head is at hand when this is called, so it is read as one text and not byte by byte.
 */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** Sifted already: what is left may go to the client. */
  readonly lines: Sifted;
  /** Where the body ends. `none`: with the head. `close`: with the connection. */
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** Bytes of the body, where framing is `length`; else 0. */
  readonly length: number;
  /** The connection may carry another request after this answer. */
  readonly keepAlive: boolean;
}

/** Why an answer cannot be read, in words for the operator. Nothing of the answer is repeated. */
export interface ResponseFault {
  readonly fault: string;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 section 5.5, without the obs-fold of RFC 9112 section 5.2. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Beyond 15 digits a number is not exact any more. */
const LENGTH = /^\d{1,15}$/;

const SP = 0x20;
const HTAB = 0x09;

/** Reads `text`: latin1, without the empty line that ends it. `method`: of the request that is answered. */
export function readResponseHead(text: string, method: string): ResponseHead | ResponseFault {
  const end = text.indexOf('\r\n');
  const statusLine = STATUS_LINE.exec(end === -1 ? text : text.slice(0, end));
  if (statusLine === null) return { fault: 'no status line' };
  const raw: string[] = [];
  if (end !== -1) {
    const fault = readFields(text, end + 2, raw);
    if (fault !== null) return fault;
  }
  const lines = sift(raw, RESPONSE_FIELDS, false);
  const status = Number(statusLine[2]);
  const isHttp11 = statusLine[1] === '1';
  const framed = framingOf(status, method, isHttp11, lines);
  if ('fault' in framed) return framed;
  // A kept connection of HTTP/1.0 is possible and not worth its ambiguities (RFC 9112 section 9.3).
  const keepAlive = isHttp11 && framed.framing !== 'close' && !lines.connection.includes('close');
  // RFC 9112 section 9.6, RFC 9110 section 15.2: nothing may follow, and yet it is not the answer.
  if (status < 200 && !keepAlive && status !== 101) return { fault: 'an informational answer that ends its connection' };
  return {
    status,
    reason: statusLine[3] ?? '',
    lines,
    framing: framed.framing,
    length: framed.length,
    keepAlive,
  };
}

/** Reads `name: value` lines from `at` on into `raw`, as name, value, name, value. Trailers are read by it too. */
export function readFields(text: string, at: number, raw: string[]): ResponseFault | null {
  let start = at;
  while (start < text.length) {
    let end = text.indexOf('\r\n', start);
    if (end === -1) end = text.length;
    const colon = text.indexOf(':', start);
    if (colon === -1 || colon >= end) return { fault: 'a header line without a colon' };
    const name = text.slice(start, colon);
    if (!TOKEN.test(name)) return { fault: 'a header name that is no token' };
    let from = colon + 1;
    let to = end;
    while (from < to && isBlank(text.charCodeAt(from))) from += 1;
    while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
    if (to < end && isHiddenCoding(name, text.slice(to, end))) return { fault: 'a tab behind a transfer coding' };
    const value = text.slice(from, to);
    if (!VALUE.test(value)) return { fault: 'a control character in a header value' };
    raw.push(name, value);
    start = end + 2;
  }
  return null;
}

/** llhttp, among others, does not know a coding with a tab behind it, and reads on until the connection ends. */
const isHiddenCoding = (name: string, blanks: string): boolean =>
  blanks.includes('\t') && name.toLowerCase() === 'transfer-encoding';

const isBlank = (code: number): boolean => code === SP || code === HTAB;

type Framed = Pick<ResponseHead, 'framing' | 'length'>;

/** RFC 9112 section 6.3. What is wrong with the framing lines is wrong where they have no effect, too. */
function framingOf(status: number, method: string, isHttp11: boolean, lines: Sifted): Framed | ResponseFault {
  const { contentLength, transferCoding } = lines;
  // Two lines have been joined, and then are no number. A list of equal numbers (section 6.3 rule 5) is refused with them.
  if (contentLength !== null && !LENGTH.test(contentLength)) return { fault: 'a Content-Length that is no number' };
  if (transferCoding !== null) {
    if (contentLength !== null) return { fault: 'Content-Length beside Transfer-Encoding' };
    if (!isHttp11) return { fault: 'Transfer-Encoding in HTTP/1.0' };
    if (transferCoding.toLowerCase() !== 'chunked') return { fault: 'an unknown transfer coding' };
  }
  if (status < 200 || status === 204 || status === 304 || method === 'HEAD') return { framing: 'none', length: 0 };
  if (transferCoding !== null) return { framing: 'chunked', length: 0 };
  if (contentLength === null) return { framing: 'close', length: 0 };
  const length = Number(contentLength);
  return length === 0 ? { framing: 'none', length } : { framing: 'length', length };
}
