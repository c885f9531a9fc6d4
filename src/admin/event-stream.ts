import type { ServerResponse } from 'node:http';
import type { Alarm, Clock } from '../ports/clock.ts';
import { after, millisOf } from '../std/time.ts';

/**
 * One reader of Server-Sent Events (WHATWG HTML section 9.2). It is bounded by the bytes that wait for it in the socket, not by
 * a queue of events beside it: those bytes are the memory it costs us. Skipping events for a slow reader was rejected, since a
 * stream with holes looks like a whole one.
 */
const COMMENT_EVERY = millisOf(15_000);
/** About a thousand events. A reader that is this far behind is not reading. */
const WAITING_BYTES_MAX = 256 * 1024;
/** How long a reader who is told again what was may take nothing of it. */
const DRAIN_PATIENCE = millisOf(30_000);
/** How long a dropped reader has to take what already waits, and the notice after it. */
const FAREWELL = millisOf(5_000);
const DROPPED = 'event: dropped\ndata: {"type":"dropped","detail":"You read too slowly; events were lost from here on."}\n\n';

/** Ends once, for whichever reason comes first. */
export class EventStream {
  whenDropped: () => void = () => undefined;
  /** No more is sent from here on. */
  whenOver: () => void = () => undefined;
  private readonly response: ServerResponse;
  private readonly clock: Clock;
  private alarm: Alarm | null = null;
  private patience: Alarm | null = null;
  private over = false;

  constructor(response: ServerResponse, clock: Clock) {
    this.response = response;
    this.clock = clock;
    // A write may come between the reset of the connection and its `close`.
    response.on('error', () => undefined);
    response.on('close', () => {
      this.stop();
      this.alarm?.cancel();
    });
  }

  /** Sends the head at once: a client that has it misses nothing that happens afterwards. */
  open(headers: Readonly<Record<string, string>>): void {
    this.response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
      connection: 'close',
    });
    this.response.flushHeaders();
    this.armComment();
  }

  /** False: the socket takes no more at the moment. What was sent waits, and too much of it drops the reader. */
  send(text: string): boolean {
    if (this.over) return false;
    const taken = this.response.write(text);
    if (this.response.writableLength > WAITING_BYTES_MAX) this.drop();
    return taken;
  }

  /** Calls `then` once all that was sent is taken; a reader that takes too long for it is dropped instead. */
  whenDrained(then: () => void): void {
    if (this.over) return;
    this.patience = this.clock.alarm(after(this.clock.now(), DRAIN_PATIENCE), () => this.drop());
    this.response.once('drain', () => {
      this.patience?.cancel();
      if (!this.over) then();
    });
  }

  /** Sends `last` and closes; what is not taken within the farewell is thrown away with the connection. */
  end(last: string): void {
    if (this.over) return;
    this.stop();
    this.response.end(last);
    this.alarm?.cancel();
    this.alarm = this.clock.alarm(after(this.clock.now(), FAREWELL), () => this.response.destroy());
  }

  private drop(): void {
    this.whenDropped();
    this.end(DROPPED);
  }

  private stop(): void {
    if (this.over) return;
    this.over = true;
    this.patience?.cancel();
    this.whenOver();
  }

  private armComment(): void {
    this.alarm = this.clock.alarm(after(this.clock.now(), COMMENT_EVERY), () => {
      // Armed first: sending may end the stream, which sets the alarm for something else.
      this.armComment();
      this.send(': still here\n\n');
    });
  }
}
