import { type Line, readLine } from './line.ts';
import { type Request, SAID } from './request.ts';

/**
 * Bytes in, requests out, however the bytes were cut on their way. It is asked for one request at a time, so that whoever
 * answers slowly lets the rest wait here, and here is where it is bounded: by what was pushed, one command line, and one value.
 * What is refused and what it was refused for do not depend on how the bytes were cut either.
 */
export class Parser {
  private chunks: Buffer[] = [];
  private waiting: Extract<Line, { kind: 'block' }> | null = null;
  /** Bytes of a block that is too large which are still to come. */
  private toSwallow = 0;
  private bytes = 0;
  private ended = false;

  /** How much has been pushed and not been taken. */
  get pending(): number {
    return this.bytes;
  }

  /** Whether something was begun that does not end yet. */
  get inTheMiddle(): boolean {
    return this.bytes > 0 || this.waiting !== null;
  }

  /** After the end of the connection was asked for, what comes is dropped. */
  push(chunk: Buffer): void {
    if (this.ended || chunk.length === 0) return;
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    // Or a value that comes byte by byte would take a hundred times its size.
    if (this.chunks.length > Math.max(64, this.bytes / 1024)) this.joined();
  }

  /** The next request; null until more is pushed. */
  next(): Request | null {
    for (;;) {
      if (this.waiting !== null) return this.block(this.waiting);
      const text = this.line();
      if (text === null) return null;
      if (text === 'too long') return this.end({ kind: 'end', text: SAID.lineTooLong });
      const line = readLine(text.line);
      if (line.kind === 'whole') return line.request.kind === 'end' ? this.end(line.request) : line.request;
      this.waiting = line;
      if (line.tooLarge) this.toSwallow = line.bytes + 2;
    }
  }

  private end(request: Request): Request {
    this.ended = true;
    this.chunks = [];
    this.bytes = 0;
    return request;
  }

  private line(): { readonly line: string } | 'too long' | null {
    const all = this.joined();
    const length = all.indexOf(NEWLINE);
    const isGet = all.length > LINE_BYTES_MAX && /^ *gets? /.test(all.toString('latin1', 0, LINE_BYTES_MAX));
    // The list of keys of a `get` may be long; no other line needs to be.
    if ((length < 0 ? all.length : length) > (isGet ? GET_LINE_BYTES_MAX : LINE_BYTES_MAX)) return 'too long';
    if (length < 0) return null;
    const text = this.take(length + 1).toString('latin1', 0, length);
    return { line: text.endsWith('\r') ? text.slice(0, -1) : text };
  }

  private block(line: Extract<Line, { kind: 'block' }>): Request | null {
    if (line.tooLarge) {
      this.toSwallow -= this.take(Math.min(this.toSwallow, this.bytes)).length;
      if (this.toSwallow > 0) return null;
      this.waiting = null;
      return line.finish(NOTHING);
    }
    if (this.bytes < line.bytes + 2) return null;
    this.waiting = null;
    const value = this.copied(line.bytes);
    if (!this.take(2).equals(END_OF_LINE)) {
      // Only whether it is answered is wanted of it.
      const { noreply } = line.finish(NOTHING) as { readonly noreply: boolean };
      return { kind: 'say', text: SAID.badChunk, noreply };
    }
    return line.finish(value);
  }

  /** In memory of its own: part of a larger buffer would keep all of that for as long as the value lives. */
  private copied(count: number): Buffer {
    const value = Buffer.allocUnsafeSlow(count);
    for (let at = 0; at < count;) {
      const piece = this.take(Math.min(count - at, this.chunks[0]?.length ?? 0));
      at += piece.copy(value, at);
    }
    return value;
  }

  private take(count: number): Buffer {
    const first = this.chunks[0] ?? NOTHING;
    const all = first.length >= count ? first : this.joined();
    this.bytes -= count;
    if (all.length > count) this.chunks[0] = all.subarray(count);
    else this.chunks.shift();
    return all.subarray(0, count);
  }

  private joined(): Buffer {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0] ?? NOTHING;
  }
}

const NOTHING = Buffer.alloc(0);
const END_OF_LINE = Buffer.from('\r\n');
const NEWLINE = 10;
/** As in memcached, where the rule depends on how the bytes were cut. */
const LINE_BYTES_MAX = 2048;
const GET_LINE_BYTES_MAX = 64 * 1024;
