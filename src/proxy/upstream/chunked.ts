import { readFields, type ResponseFault } from './response-head.ts';

/** A chunk's size line with its extensions. Longer ones have no use but to be read for ever (CVE-2024-22019). */
const SIZE_LINE_BYTES_MAX = 1024;
/** All extensions of one answer. */
const EXTENSION_BYTES_MAX = 16 * 1024;
const TRAILER_BYTES_MAX = 16 * 1024;

/** RFC 9112 section 7.1, with extensions of section 7.1.1 that are well formed and have no blanks in them. */
const SIZE_LINE =
  /^([0-9A-Fa-f]{1,13})((?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*)$/;

const CR = 0x0d;
const LF = 0x0a;

/** Told of the parts of a chunked body. */
export interface ChunkedParts {
  body(bytes: Buffer): void;
  /** The body is whole. `trailers`: raw lines. */
  whole(trailers: readonly string[]): void;
}

type Where = 'size' | 'bytes' | 'after-bytes' | 'trailers' | 'end';

/**
 * Decodes one chunked body (RFC 9112 section 7.1). Strict: every line ends with CR LF, a size is plain hex digits, and each
 * deviation is a fault, because chunk tricks live from readers that forgive different things.
 */
export class ChunkedDecoder {
  private where: Where = 'size';
  /** Bytes of the current chunk that have not come. */
  private left = 0;
  /** A line that has come in part. */
  private partial = '';
  private extensionBytes = 0;

  reset(): void {
    this.where = 'size';
    this.left = 0;
    this.partial = '';
    this.extensionBytes = 0;
  }

  /** Takes bytes from `at` on. Returns where the body ended or, within it, `bytes.length`. */
  decode(bytes: Buffer, at: number, parts: ChunkedParts): number | ResponseFault {
    let next = at;
    while (next < bytes.length && this.where !== 'end') {
      const done = this.step(bytes, next, parts);
      if (typeof done !== 'number') return done;
      next = done;
    }
    return next;
  }

  private step(bytes: Buffer, at: number, parts: ChunkedParts): number | ResponseFault {
    switch (this.where) {
      case 'size':
        return this.sizeLine(bytes, at);
      case 'bytes': {
        const end = Math.min(bytes.length, at + this.left);
        this.left -= end - at;
        if (this.left === 0) this.where = 'after-bytes';
        parts.body(bytes.subarray(at, end));
        return end;
      }
      case 'after-bytes':
        return this.afterBytes(bytes, at);
      case 'trailers':
        return this.trailers(bytes, at, parts);
      case 'end':
        return at;
    }
  }

  private sizeLine(bytes: Buffer, at: number): number | ResponseFault {
    const lf = bytes.indexOf(LF, at);
    const end = lf === -1 ? bytes.length : lf + 1;
    if (this.partial.length + end - at > SIZE_LINE_BYTES_MAX) return { fault: 'a chunk size line without an end' };
    const line = this.partial + bytes.toString('latin1', at, end);
    if (lf === -1) {
      this.partial = line;
      return end;
    }
    this.partial = '';
    const match = line.endsWith('\r\n') ? SIZE_LINE.exec(line.slice(0, -2)) : null;
    if (match === null) return { fault: 'a chunk size that is none' };
    this.extensionBytes += match[2]?.length ?? 0;
    if (this.extensionBytes > EXTENSION_BYTES_MAX) return { fault: 'too many chunk extensions' };
    this.left = Number.parseInt(match[1] ?? '', 16);
    this.where = this.left === 0 ? 'trailers' : 'bytes';
    return end;
  }

  private afterBytes(bytes: Buffer, at: number): number | ResponseFault {
    const wanted = this.partial === '' ? CR : LF;
    if (bytes[at] !== wanted) return { fault: 'a chunk that is longer than its size' };
    if (wanted === CR) {
      this.partial = '\r';
    } else {
      this.partial = '';
      this.where = 'size';
    }
    return at + 1;
  }

  /** One line at a time; an empty one is the end. */
  private trailers(bytes: Buffer, at: number, parts: ChunkedParts): number | ResponseFault {
    const lf = bytes.indexOf(LF, at);
    const end = lf === -1 ? bytes.length : lf + 1;
    if (this.partial.length + end - at > TRAILER_BYTES_MAX) return { fault: 'too many trailers' };
    this.partial += bytes.toString('latin1', at, end);
    if (lf === -1) return end;
    const isLast = this.partial === '\r\n' || this.partial.endsWith('\r\n\r\n');
    if (!isLast) return this.partial.endsWith('\r\n') ? end : { fault: 'a trailer that ends without CR' };
    const raw: string[] = [];
    const fault = readFields(this.partial.slice(0, -2), 0, raw);
    if (fault !== null) return fault;
    for (let name = 0; name < raw.length; name += 2)
      if (FRAMING.has(raw[name]?.toLowerCase() ?? '')) return { fault: 'framing in a trailer' };
    this.partial = '';
    this.where = 'end';
    parts.whole(raw);
    return end;
  }
}

/** RFC 9110 section 6.5.1: what frames a message must not come behind it. */
const FRAMING: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);
