import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { after, type Instant, millisOf } from '../std/time.ts';
import type { Peer } from './client-address.ts';
import type { Front } from './front.ts';
import { answerBytes, problemAnswer } from './refusal.ts';
import type { ProblemCode } from '../contract/problems.ts';
import type { Watched } from './pulse.ts';
import { randomUUID } from 'node:crypto';

/**
 * A client that ended its side looks the same whether it still reads (`nc -N`) or has gone. It gets what is under way, as
 * long as it moves; silence for this long after its end means that nobody is there, and the work must not go on for nobody.
 */
const HALF_CLOSED_SILENCE_MAX = millisOf(500);

/** How long a refused connection is read on, so that the refusal arrives before a reset does. */
const LINGER = millisOf(1000);

/** What a connection asks of the work that is open on it. */
export interface OpenWork {
  /** The client is gone. */
  clientGone(): void;
  /** The parser met nonsense behind what it had read of this request. True: it has answered that, or ended the connection. */
  inputBroken(problem: ProblemCode): boolean;
  /** The daemon is shutting down. */
  drain(): void;
  /** When something last moved between client and agent. */
  readonly lastProgress: Instant;
}

/**
 * One client connection on the public port. It knows the work open on it, since node:http tells a response nothing of its
 * connection's end while it still waits behind an earlier one (pipelining).
 */
export class ClientConnection implements Watched {
  readonly socket: Socket;
  readonly peer: Peer;
  /** In the order in which it came; more than one piece only where the client pipelines. */
  readonly open: OpenWork[] = [];
  place = -1;
  /**
   * The request at hand asks for an upgrade that it does not get. node reads it as a plain one, but throws away what came behind
   * it in the same packet and takes the next packet for the start of a request: whoever chooses where packets end would
   * choose what a request is. So it is the last one here.
   */
  upgradeDeclined = false;
  private readonly front: Front;
  /** Answered by a raw refusal, or given up: nothing on it is served any more. */
  private refused = false;
  private ending = false;
  private destroyAt: Instant | null = null;
  private halfClosedAt: Instant | null = null;

  constructor(front: Front, socket: Socket, peer: Peer) {
    this.front = front;
    this.socket = socket;
    this.peer = peer;
    socket.on('error', () => undefined);
    socket.on('end', () => this.clientEnded());
    socket.on('close', () => this.closed());
  }

  get isRefused(): boolean {
    return this.refused || this.ending;
  }

  /** What is under way is answered, and whatever node hands over behind it is not looked at. */
  serveNoMore(): void {
    this.ending = true;
  }

  /** New work begins here; whatever limit held for the pause before it is off. */
  begin(work: OpenWork): void {
    this.open.push(work);
    this.destroyAt = null;
  }

  end(work: OpenWork): void {
    const at = this.open.indexOf(work);
    if (at !== -1) this.open.splice(at, 1);
    if (this.open.length > 0) return;
    if (this.front.draining || this.refused) this.finishSoon();
  }

  /** The rest of a body that nobody wants is read and dropped, but not for ever. Behind it the connection goes on. */
  dropRest(body: Readable, limit: Instant): void {
    this.destroyAt = limit;
    this.front.pulses.watch(this);
    body.resume().once('end', () => {
      if (!this.refused) this.destroyAt = null;
    });
  }

  /** A refusal as bytes, for a connection without a request to answer. Nothing else is served on it. */
  refuse(problem: ProblemCode): void {
    if (this.refused) return;
    this.refused = true;
    this.front.figures.refused(problem);
    if (this.socket.writable) this.socket.end(answerBytes(problemAnswer(problem, randomUUID())), 'latin1');
    this.destroyAt = after(this.front.clock.now(), LINGER);
    this.front.pulses.watch(this);
  }

  /** node's parser has given up on this connection. */
  inputBroken(problem: ProblemCode): void {
    if (this.refused) return;
    const [current] = this.open;
    if (current === undefined) {
      this.refuse(problem);
      return;
    }
    // Answers are owed in order: only the request whose own body broke is answered with what broke it. Behind complete ones
    // the connection just ends once they are answered.
    this.refused = true;
    for (const work of [...this.open]) if (work.inputBroken(problem)) return;
  }

  /** Ends the connection once what was written is sent. */
  finishSoon(): void {
    this.refused = true;
    if (!this.socket.destroyed) this.socket.destroySoon();
  }

  destroy(): void {
    this.socket.destroy();
  }

  drain(): void {
    for (const work of [...this.open]) work.drain();
  }

  pulse(now: Instant): void {
    if (this.destroyAt !== null && now >= this.destroyAt) {
      this.destroy();
      return;
    }
    if (this.halfClosedAt === null) {
      if (this.destroyAt === null) this.front.pulses.forget(this);
      return;
    }
    let progress = this.halfClosedAt;
    for (const work of this.open) if (work.lastProgress > progress) progress = work.lastProgress;
    if (now >= after(progress, HALF_CLOSED_SILENCE_MAX)) this.destroy();
  }

  private clientEnded(): void {
    if (this.halfClosedAt !== null) return;
    this.halfClosedAt = this.front.clock.now();
    if (this.open.length > 0) this.front.pulses.watch(this);
  }

  private closed(): void {
    this.front.pulses.forget(this);
    for (const work of [...this.open]) work.clientGone();
  }
}
