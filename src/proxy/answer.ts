import type { ServerResponse } from 'node:http';
import { after, type Instant, type Millis } from '../std/time.ts';
import type { ClientConnection } from './connection.ts';
import type { Front } from './front.ts';
import type { RequestHead } from './head.ts';
import { RESPONSE_FIELDS, sift, siftTrailers, type Sifted } from './headers.ts';
import { headBytes, type OwnAnswer } from './refusal.ts';

/**
 * How one answer reaches its client: framing made anew, bytes at the client's pace, and an end that never looks whole when
 * the answer is not. node's ServerResponse writes; this says what.
 */
export class Answer {
  /** Null: none yet. */
  status: number | null = null;
  /** When the client last took, or sent, something. */
  progressAt: Instant;
  private readonly front: Front;
  private readonly connection: ClientConnection;
  private readonly response: ServerResponse;
  /** Only the connection's end tells where the answer ends. */
  private closeDelimited = false;
  private headFlushed = false;
  private paused = false;
  private stalledSince: Instant | null = null;
  private queuedBytes = 0;
  private sentContinue = false;

  constructor(front: Front, connection: ClientConnection, response: ServerResponse) {
    this.front = front;
    this.connection = connection;
    this.response = response;
    this.progressAt = front.clock.now();
  }

  /** Bytes of a final answer are under way: nothing else can be answered any more. */
  get begun(): boolean {
    return this.response.headersSent;
  }

  /** Tells the client to send its body. Once, and never behind a final answer. */
  askForBody(): void {
    if (this.sentContinue || this.begun) return;
    this.sentContinue = true;
    this.response.writeContinue();
  }

  /**
   * A 1xx of the agent's. Behind an earlier answer it is dropped, which every 1xx may be; and where the client does not keep
   * up, since nothing makes the agent wait with the next one, and all that it sends would wait here.
   */
  inform(status: number, headers: readonly string[]): void {
    const { socket } = this.response;
    if (this.begun || socket === null || socket.writableNeedDrain) return;
    socket.write(headBytes(status, sift(headers, RESPONSE_FIELDS, false).kept), 'latin1');
  }

  /** The agent's answer begins. `lines` have been sifted. */
  begin(head: RequestHead, status: number, reason: string, lines: Sifted, requestId: string): void {
    const { kept } = lines;
    const hasLength = lines.contentLength !== null && status !== 204;
    if (hasLength) kept.push('Content-Length', lines.contentLength ?? '');
    // node refuses the field where trailers cannot follow.
    const isBare = head.method === 'HEAD' || status === 204 || status === 304;
    if (lines.trailer !== null && !hasLength && head.speaks11 && !isBare) kept.push('Trailer', lines.trailer);
    kept.push('X-Request-Id', requestId);
    this.closeDelimited = !hasLength && !isBare && !head.speaks11;
    this.status = status;
    this.progressAt = this.front.clock.now();
    if (this.front.draining) this.response.shouldKeepAlive = false;
    this.response.writeHead(status, /^[\t\x20-\x7e\x80-\xff]*$/.test(reason) ? reason : '', kept);
    // With the first bytes of the body, if they came along; else at once, since they may come in an hour (SSE).
    process.nextTick(flushHead, this);
  }

  /** The daemon's own answer, which goes on: the head, sent at once. */
  open(headers: readonly string[]): void {
    this.headFlushed = true;
    this.status = 200;
    if (this.front.draining) this.response.shouldKeepAlive = false;
    this.response.writeHead(200, [...headers]);
    this.response.flushHeaders();
  }

  flushHead(): void {
    if (this.headFlushed) return;
    this.headFlushed = true;
    this.response.flushHeaders();
  }

  /** False: the client is slower than this; `resume` is called once it has caught up. */
  write(chunk: Buffer, resume: () => void): boolean {
    this.headFlushed = true;
    if (this.response.write(chunk)) {
      this.progressAt = this.front.clock.now();
      return true;
    }
    if (this.paused) return false;
    this.paused = true;
    this.response.once('drain', () => {
      this.paused = false;
      this.stalledSince = null;
      this.progressAt = this.front.clock.now();
      resume();
    });
    return false;
  }

  end(trailers: readonly string[]): void {
    this.headFlushed = true;
    if (trailers.length > 0 && this.response.chunkedEncoding) this.response.addTrailers(siftTrailers(trailers));
    this.response.end();
  }

  /** The daemon's own answer, whole. */
  send(answer: OwnAnswer, close: boolean): void {
    this.headFlushed = true;
    this.status = answer.status;
    if (close || this.front.draining) this.response.shouldKeepAlive = false;
    this.response.writeHead(answer.status, [...answer.headers]);
    this.response.end(answer.body);
  }

  /** The daemon is shutting down: this is the last answer on its connection, as far as that can still be said. */
  beLast(): void {
    if (!this.begun) this.response.shouldKeepAlive = false;
  }

  /** Bytes wait for the client, and it has taken none of them for `limit`. Asked on every pulse. */
  isStalled(now: Instant, limit: Millis): boolean {
    const isWaiting = (this.paused || this.response.writableEnded) && this.response.socket !== null;
    if (!isWaiting) return false;
    const queued = queuedBytes(this.connection);
    if (this.stalledSince === null || queued !== this.queuedBytes) {
      this.stalledSince = now;
      this.queuedBytes = queued;
      return false;
    }
    return now >= after(this.stalledSince, limit);
  }

  /** Ends the connection in the middle. Where only the connection's end tells that an answer is whole, with a reset. */
  cut(): void {
    const { socket, peer } = this.connection;
    if (this.closeDelimited && peer.address !== null) socket.resetAndDestroy();
    else socket.destroy();
  }
}

const flushHead = (answer: Answer): void => {
  answer.flushHead();
};

/** Bytes that the client's side has not taken yet. Falls within a large chunk too, unlike writableLength alone. */
function queuedBytes(connection: ClientConnection): number {
  const handle = (connection.socket as { readonly _handle?: { readonly writeQueueSize?: number } | null })._handle;
  return connection.socket.writableLength + (handle?.writeQueueSize ?? 0);
}
