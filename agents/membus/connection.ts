import type { Socket } from 'node:net';
import type { Answer } from './answer.ts';
import { Parser } from './parser.ts';
import type { Request } from './request.ts';

/**
 * One client. Reads while its answers go out, and stops reading while they do not: what it holds is then what it had read,
 * and the answers to one batch, in which values are the store's own and not copies.
 */
export interface ConnectionLimits {
  /** For a request to arrive whole once it has begun, and for an answer to be taken. */
  readonly stuckMs: number;
  /** Without a request. */
  readonly idleMs: number;
}

export type CarryOut = (requests: readonly Request[]) => readonly Answer[];

/** Requests that are carried out, and written down, together. Each key of a `get` counts. */
const BATCH_MAX = 128;
/** Of answers that are not taken yet, before no more is read. The largest batch comes on top of it. */
const WAITING_BYTES_MAX = 2 * 1024 * 1024;
/** Up to so much it is cheaper to copy an answer into one piece than to hand over its parts. */
const COPIED_BYTES_MAX = 64 * 1024;

export class Connection {
  private readonly socket: Socket;
  private readonly carryOut: CarryOut;
  private readonly parser = new Parser();
  private blocked = false;
  private stopping = false;
  private ended = false;
  private activeAt: number;
  /** Since when something is under way that does not move on; null when nothing is. */
  private stuckAt: number | null = null;
  private readonly now: () => number;

  /** `now` is any clock in milliseconds that does not go back. */
  constructor(socket: Socket, carryOut: CarryOut, now: () => number) {
    this.socket = socket;
    this.carryOut = carryOut;
    this.now = now;
    this.activeAt = now();
    socket.on('data', (chunk: Buffer) => {
      this.parser.push(chunk);
      this.work();
    });
    socket.on('drain', () => {
      this.blocked = false;
      socket.resume();
      this.work();
    });
    // A reset is the end of it like any other; the socket closes itself.
    socket.on('error', () => undefined);
  }

  /** Ends once what is under way has been answered. */
  stop(): void {
    this.stopping = true;
    this.endIfDone();
  }

  /** Cuts the connection where it stands still. */
  cutIfOverdue({ stuckMs, idleMs }: ConnectionLimits): void {
    const now = this.now();
    this.stuckAt = this.underWay ? (this.stuckAt ?? now) : null;
    if (this.stuckAt !== null ? now - this.stuckAt > stuckMs : now - this.activeAt > idleMs) this.socket.destroy();
  }

  private work(): void {
    let moved = false;
    while (!this.blocked && !this.ended) {
      const requests = this.batch();
      if (requests.length === 0) break;
      moved = true;
      this.say(this.carryOut(requests).flat());
      if (requests.at(-1)?.kind === 'end') this.end();
    }
    const now = this.now();
    if (moved) [this.activeAt, this.stuckAt] = [now, null];
    this.stuckAt = this.underWay ? (this.stuckAt ?? now) : null;
    this.endIfDone();
  }

  /** Whether the other side has to send, or to take, more. */
  private get underWay(): boolean {
    return this.parser.inTheMiddle || this.socket.writableLength > 0;
  }

  private batch(): readonly Request[] {
    const requests: Request[] = [];
    for (let cost = 0; cost < BATCH_MAX;) {
      const request = this.parser.next();
      if (request === null) break;
      requests.push(request);
      if (request.kind === 'end') break;
      cost += request.kind === 'get' ? request.keys.length : 1;
    }
    return requests;
  }

  private say(parts: Answer): void {
    if (parts.length === 0) return;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length <= COPIED_BYTES_MAX) {
      const whole = Buffer.allocUnsafe(length);
      let at = 0;
      for (const part of parts) at += typeof part === 'string' ? whole.write(part, at, 'latin1') : part.copy(whole, at);
      this.socket.write(whole);
    } else {
      this.socket.cork();
      for (const part of parts) this.socket.write(part, 'latin1');
      this.socket.uncork();
    }
    if (this.socket.writableLength <= WAITING_BYTES_MAX) return;
    this.blocked = true;
    this.socket.pause();
  }

  private endIfDone(): void {
    if (this.stopping && !this.blocked && !this.parser.inTheMiddle) this.end();
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.socket.end();
    // What still comes is read and dropped, so that the other side hears the end and not a reset.
    this.socket.resume();
  }
}
