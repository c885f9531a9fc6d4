import { assert } from '../../std/assert.ts';
import { ChunkedDecoder } from './chunked.ts';
import { readResponseHead, type ResponseHead } from './response-head.ts';

/** An answer's head may not be larger. Agents are ours, so this is generous, but it is a limit. */
const HEAD_BYTES_MAX = 64 * 1024;

const HEAD_END = Buffer.from('\r\n\r\n');

/** Told of one answer, in this order: heads of 1xx, the head, parts of the body, the end. Or a fault, and nothing after it. */
export interface ResponseEvents {
  /** Of a 1xx too. After a 101 all that comes is in `rest` of {@link ResponseParser.feed}. */
  head(head: ResponseHead): void;
  /** Lent for the call. */
  body(bytes: Buffer): void;
  /** `trailers`: raw lines. */
  whole(trailers: readonly string[]): void;
  fault(why: string): void;
}

type Where = 'idle' | 'head' | 'length' | 'chunked' | 'close' | 'switched' | 'broken';

/**
 * Bytes of one connection to answers. Pure: it knows no socket and no time. It is told which request is answered
 * ({@link expect}), since the meaning of a head depends on it (RFC 9112 section 6.3); bytes that nothing was asked for are
 * the first half of a poisoned connection (CVE-2026-6733), and its user has to end it.
 */
export class ResponseParser {
  private where: Where = 'idle';
  private readonly events: ResponseEvents;
  private readonly chunked = new ChunkedDecoder();
  private method = '';
  private isUpgrade = false;
  /** A head that has come in part. */
  private partial: Buffer | null = null;
  /** Bytes of the body that have not come, where its length is known. */
  private left = 0;

  constructor(events: ResponseEvents) {
    this.events = events;
  }

  /** A request was sent, and this is how it is answered. `isUpgrade`: a 101 is an answer. */
  expect(method: string, isUpgrade: boolean): void {
    assert(this.where === 'idle', 'one answer at a time is expected on a connection');
    this.where = 'head';
    this.method = method;
    this.isUpgrade = isUpgrade;
  }

  /** No answer is under way. */
  get isIdle(): boolean {
    return this.where === 'idle';
  }

  /** Bytes of the body that are still to come, as far as is known. */
  get bodyLeft(): number {
    switch (this.where) {
      case 'length':
        return this.left;
      case 'chunked':
      case 'close':
        return Number.POSITIVE_INFINITY;
      case 'idle':
      case 'head':
      case 'switched':
      case 'broken':
        return 0;
    }
  }

  /** Takes bytes; returns how many belong to the answers that are expected. The rest does not, or follows a 101. */
  feed(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length) {
      switch (this.where) {
        case 'head':
          at = this.readHead(bytes, at);
          break;
        case 'length': {
          const end = Math.min(bytes.length, at + this.left);
          this.left -= end - at;
          const isLast = this.left === 0;
          if (isLast) this.where = 'idle';
          this.events.body(bytes.subarray(at, end));
          if (isLast) this.events.whole(NO_TRAILERS);
          at = end;
          break;
        }
        case 'chunked': {
          const end = this.chunked.decode(bytes, at, this);
          if (typeof end !== 'number') {
            this.broken(end.fault);
            return bytes.length;
          }
          at = end;
          break;
        }
        case 'close':
          this.events.body(at === 0 ? bytes : bytes.subarray(at));
          return bytes.length;
        case 'idle':
        case 'switched':
        case 'broken':
          return at;
      }
    }
    return at;
  }

  /** The agent has ended its side. False: in the middle of an answer. */
  end(): boolean {
    if (this.where === 'close') {
      this.where = 'idle';
      this.events.whole(NO_TRAILERS);
    }
    return this.where === 'idle';
  }

  /** From the decoder of chunks. */
  body(bytes: Buffer): void {
    this.events.body(bytes);
  }

  /** From the decoder of chunks. */
  whole(trailers: readonly string[]): void {
    this.where = 'idle';
    this.events.whole(trailers);
  }

  private readHead(bytes: Buffer, at: number): number {
    let whole = bytes;
    let start = at;
    let from = at;
    if (this.partial !== null) {
      whole = Buffer.concat([this.partial, bytes.subarray(at)]);
      // The end may lie across the seam.
      from = Math.max(0, this.partial.length - 3);
      start = 0;
    }
    const end = whole.indexOf(HEAD_END, from);
    if ((end === -1 ? whole.length : end + 4) - start > HEAD_BYTES_MAX) {
      this.broken('a head of more than 64 KiB');
      return bytes.length;
    }
    if (end === -1) {
      this.partial = Buffer.from(whole.subarray(start));
      return bytes.length;
    }
    const consumed = end + 4 - (whole.length - bytes.length);
    this.partial = null;
    const head = readResponseHead(whole.toString('latin1', start, end), this.method);
    if ('fault' in head) this.broken(head.fault);
    else this.headRead(head);
    return consumed;
  }

  private headRead(head: ResponseHead): void {
    if (head.status === 101) {
      if (!this.isUpgrade) {
        this.broken('a switch of protocols that nobody asked for');
        return;
      }
      this.where = 'switched';
    } else if (head.status >= 200) {
      this.where = head.framing === 'none' ? 'idle' : head.framing;
      this.left = head.length;
      if (head.framing === 'chunked') this.chunked.reset();
    }
    this.events.head(head);
    if (head.status >= 200 && head.framing === 'none') this.events.whole(NO_TRAILERS);
  }

  private broken(why: string): void {
    this.where = 'broken';
    this.partial = null;
    this.events.fault(why);
  }
}

const NO_TRAILERS: readonly string[] = [];
