import type { ServerResponse } from 'node:http';
import type { Instant, Millis } from '../std/time.ts';
import type { ClientConnection } from './connection.ts';
import type { Front } from './front.ts';
import type { RequestHead } from './head.ts';
import { RESPONSE_FIELDS, siftTrailers, type Sifted } from './headers.ts';
import { headBytes, type OwnAnswer } from './refusal.ts';
import { StallWatch } from './stall-watch.ts';
import type { ResponseHead } from './upstream/response-head.ts';
import type { PutOff } from './turn-end.ts';
import { SMALL_BYTES } from './upstream/upstream.ts';

/**
 * How one answer reaches its client: framing made anew, bytes at the client's pace, and an end that never looks whole when
 * the answer is not. node's ServerResponse writes; this says what.
 */
export class Answer implements PutOff {
  /** Null: none yet. */
  status: number | null = null;
  hasAskedForBody = false;
  /** When something last moved, either way, as far as that is known. */
  progressAt: Instant;
  private readonly front: Front;
  private readonly connection: ClientConnection;
  private readonly response: ServerResponse;
  private readonly sent: () => void;
  /** Only the connection's end tells where the answer ends. */
  private closeDelimited = false;
  /** The agent's head, before anything of the answer was handed to node. */
  private waiting: WaitingHead | null = null;
  private headFlushed = false;
  /** Small parts of the body that came in one turn, as latin1: one write with the head, and often with the end, too. */
  private pending = '';
  private paused = false;
  private readonly stall: StallWatch;
  /** By the agent's Connection. */
  private nominated: readonly string[] = [];

  /** `sent`: called once the answer is whole and node has it, in order behind earlier ones. */
  constructor(front: Front, connection: ClientConnection, response: ServerResponse, sent: () => void) {
    this.front = front;
    this.connection = connection;
    this.response = response;
    this.sent = sent;
    this.stall = new StallWatch(connection.socket);
    this.progressAt = front.clock.now();
  }

  /** A final answer has begun, if only its head is known yet: nothing else can be answered any more. */
  get begun(): boolean {
    return this.status !== null;
  }

  /** Tells the client to send its body. Once, and never behind a final answer. */
  askForBody(): void {
    if (this.hasAskedForBody || this.begun) return;
    this.hasAskedForBody = true;
    this.response.writeContinue();
  }

  /**
   * A 1xx of the agent's. Behind an earlier answer it is dropped, which every 1xx may be; and where the client does not keep
   * up, since nothing makes the agent wait with the next one, and all that it sends would wait here.
   */
  inform(status: number, lines: Sifted): void {
    const { socket } = this.response;
    if (this.begun || socket === null || socket.writableNeedDrain) return;
    socket.write(headBytes(status, lines.kept), 'latin1');
  }

  /** The agent's answer begins. Its head goes out with what else has come by {@link caughtUp}. */
  begin(head: RequestHead, { status, reason, lines, framing }: ResponseHead, requestId: string): void {
    const { kept, contentLength } = lines;
    // What a HEAD or a 304 says of a length is passed on; a 204 has none (RFC 9110 section 8.6).
    const hasLength = contentLength !== null && status !== 204;
    if (hasLength) kept.push('Content-Length', String(Number(contentLength)));
    // node refuses the field where trailers cannot follow.
    if (lines.trailer !== null && framing !== 'none' && !hasLength && head.speaks11) kept.push('Trailer', lines.trailer);
    kept.push('X-Request-Id', requestId);
    this.closeDelimited = framing !== 'none' && !hasLength && !head.speaks11;
    this.nominated = lines.connection;
    this.status = status;
    this.progressAt = this.front.clock.now();
    // Whether a client that was not asked sends its body all the same cannot be known (RFC 9110 section 10.1.1).
    if (this.front.draining || (head.expectsContinue && !this.hasAskedForBody)) this.response.shouldKeepAlive = false;
    // Told apart here, where it is known: what is whole in hand and needs nothing of node's can go out as one text.
    const isWhole = hasLength && framing !== 'close' && head.speaks11;
    this.waiting = { status, reason, lines: kept, canBeText: isWhole || (framing === 'none' && head.speaks11) };
  }

  private handOver(): void {
    const { waiting } = this;
    if (waiting === null) return;
    this.waiting = null;
    this.response.on('finish', this.sent);
    this.response.writeHead(waiting.status, waiting.reason, waiting.lines);
  }

  /** The daemon's own answer, which goes on: the head, sent at once. */
  open(headers: readonly string[]): void {
    this.headFlushed = true;
    this.status = 200;
    if (this.front.draining) this.response.shouldKeepAlive = false;
    this.response.on('finish', this.sent);
    this.response.writeHead(200, [...headers]);
    this.response.flushHeaders();
  }

  /** A part of the daemon's own answer. False: the client does not keep up. */
  say(text: string): boolean {
    return this.response.write(text);
  }

  /** As `Caller.received`. `resume`: called once the client has caught up, where the answer was false. */
  write(chunk: Buffer, taken: () => void, resume: () => void): boolean {
    if (chunk.length <= SMALL_BYTES) {
      const hasRoom = this.pending.length <= SMALL_BYTES || this.written(this.writePending(), resume);
      // Always copied: it is lent for this call, and another answer is read into the same memory before a slow client has it.
      this.pending += chunk.toString('latin1');
      return hasRoom;
    }
    this.handOver();
    if (this.pending !== '') this.writePending();
    this.headFlushed = true;
    return this.written(this.response.write(chunk, taken), resume);
  }

  /** Nothing more is at hand. What is here goes out, the head alone too, since the rest may come in an hour (SSE). */
  caughtUp(resume: () => void): boolean {
    if (this.pending !== '') return this.written(this.writePending(), resume);
    if (this.headFlushed) return true;
    this.handOver();
    this.headFlushed = true;
    this.response.flushHeaders();
    return true;
  }

  end(trailers: readonly string[]): void {
    if (this.waiting?.canBeText === true && this.endAsText(this.waiting)) return;
    this.handOver();
    if (trailers.length > 0 && this.response.chunkedEncoding)
      this.response.addTrailers(siftTrailers(trailers, RESPONSE_FIELDS, this.nominated));
    if (this.pending === '') this.response.end();
    else this.response.end(this.pending, 'latin1');
    this.pending = '';
  }

  /**
   * Head and body as one write of one text, past node's ServerResponse, which is told by its own event that it is done: it
   * checks each line again, writes in parts, and that is an eighth of what a small request costs. Only where the answer is
   * the next on its connection, nothing waits there, and the connection goes on; else false, and nothing was done.
   */
  private endAsText({ status, reason, lines }: WaitingHead): boolean {
    const { response } = this;
    const { socket } = response;
    if (socket === null || socket.writableLength > 0 || !socket.writable || !response.shouldKeepAlive || !response.req.complete)
      return false;
    let hasDate = false;
    let text = `HTTP/1.1 ${status} ${reason}\r\n`;
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const name = lines[at] ?? '';
      if (name.length === 4 && name.toLowerCase() === 'date') hasDate = true;
      text += `${name}: ${lines[at + 1]}\r\n`;
    }
    // RFC 9110 section 6.6.1: node knows how to add one.
    if (!hasDate) return false;
    const keepAliveSeconds = Math.floor(this.front.limits.keep_alive / 1000);
    text += `Connection: keep-alive\r\nKeep-Alive: timeout=${keepAliveSeconds}\r\n\r\n${this.pending}`;
    this.waiting = null;
    this.pending = text;
    this.front.turnEnd.add(this);
    return true;
  }

  turnEnded(): void {
    const { socket } = this.connection;
    if (socket.destroyed) return;
    if (socket.write(this.pending, 'latin1') && socket.writableLength === 0) {
      this.textSent();
    } else {
      // Nothing else tells that it waits: node does not know of its end.
      this.paused = true;
      socket.write('', () => this.textSent());
    }
  }

  private textSent(): void {
    if (!this.connection.socket.destroyed) this.response.emit('finish');
    this.sent();
  }

  private writePending(): boolean {
    this.handOver();
    const { pending } = this;
    this.pending = '';
    this.headFlushed = true;
    return this.response.write(pending, 'latin1');
  }

  private written(hasRoom: boolean, resume: () => void): boolean {
    if (hasRoom) {
      this.progressAt = this.front.clock.now();
      return true;
    }
    if (this.paused) return false;
    this.paused = true;
    this.response.once('drain', () => {
      this.paused = false;
      this.stall.reset();
      this.progressAt = this.front.clock.now();
      resume();
    });
    return false;
  }

  /** The daemon's own answer, whole. */
  send(answer: OwnAnswer, close: boolean): void {
    this.status = answer.status;
    if (close || this.front.draining) this.response.shouldKeepAlive = false;
    this.response.on('finish', this.sent);
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
    return isWaiting && this.stall.isStalled(now, limit);
  }

  /** Ends the connection in the middle. Where only the connection's end tells that an answer is whole, with a reset. */
  cut(): void {
    const { socket, peer } = this.connection;
    if (this.closeDelimited && peer.address !== null) socket.resetAndDestroy();
    else socket.destroy();
  }
}

interface WaitingHead {
  readonly status: number;
  readonly reason: string;
  readonly lines: string[];
  /** It can go out as one text with its body, should that be at hand by its end. */
  readonly canBeText: boolean;
}
