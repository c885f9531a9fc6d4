import type { IncomingMessage } from 'node:http';
import { REQUEST_FIELDS, sift, siftTrailers } from './headers.ts';
import type { BodySink, BodySource } from './upstream/upstream.ts';

/** Told of a request body on its way to the agent. */
export interface BodyWatcher {
  /** More is taken and none is at hand: from now on we wait for the client. */
  bodyWanted(): void;
  bodyCame(bytes: number): void;
  /** Nobody takes more of it for now, or there is no more. */
  bodyUnwanted(isWhole: boolean): void;
}

/**
 * The body of a request, from the client to whoever has opened it. The IncomingMessage itself is handed to nobody: whoever
 * destroys that destroys the client's connection, and with it the answer of an agent that needs no more of the body (413).
 */
export class RequestBody implements BodySource {
  private readonly source: IncomingMessage;
  private readonly watcher: BodyWatcher;
  /** How much is read before anybody takes it, in bytes. */
  private readonly aheadMax: number;
  /** Read before anybody took it. */
  private ahead: Buffer[] = [];
  private aheadBytes = 0;
  private sink: BodySink | null = null;
  private isAttached = false;
  private isWhole = false;
  private isFull = false;

  constructor(source: IncomingMessage, watcher: BodyWatcher, aheadMax: number) {
    this.source = source;
    this.watcher = watcher;
    this.aheadMax = aheadMax;
  }

  /** Begins to read before anybody takes it, as far as was said; the rest stays with the client. */
  readAhead(): void {
    if (this.aheadMax > 0) this.read();
  }

  open(sink: BodySink): void {
    this.sink = sink;
    this.isFull = false;
    // It may have ended while nobody took it, which is told once.
    this.isWhole ||= this.source.readableEnded;
    // What the client has sent with the head comes in this turn of the event loop, either way.
    if (this.ahead.length > 0 || this.isWhole) process.nextTick(pump, this);
    else this.read();
  }

  resume(): void {
    if (this.sink === null || !this.isFull) return;
    this.isFull = false;
    this.pump();
  }

  stop(): void {
    this.sink = null;
    if (!this.isAttached) return;
    this.isAttached = false;
    this.source.off('data', this.onChunk).off('end', this.onEnd).pause();
    this.watcher.bodyUnwanted(true);
  }

  pump(): void {
    while (this.sink !== null && !this.isFull) {
      const chunk = this.ahead.shift();
      if (chunk === undefined) {
        if (this.isWhole) this.finish();
        else this.read();
        return;
      }
      this.give(chunk);
    }
  }

  private read(): void {
    this.watcher.bodyWanted();
    if (!this.isAttached) this.source.on('data', this.onChunk).on('end', this.onEnd);
    this.isAttached = true;
    this.source.resume();
  }

  /** False: the sink takes no more for now. */
  private give(chunk: Buffer): boolean {
    this.isFull = this.sink?.take(chunk) === false;
    return !this.isFull;
  }

  private finish(): void {
    const { sink, source } = this;
    this.sink = null;
    sink?.end(source.rawTrailers.length === 0 ? NO_TRAILERS : this.trailers());
  }

  private trailers(): readonly [string, string][] {
    const { connection } = sift(this.source.rawHeaders, REQUEST_FIELDS, false);
    return siftTrailers(this.source.rawTrailers, REQUEST_FIELDS, connection);
  }

  private readonly onChunk = (chunk: Buffer): void => {
    this.watcher.bodyCame(chunk.length);
    if (this.sink === null || this.isFull || this.ahead.length > 0) {
      this.ahead.push(chunk);
      this.aheadBytes += chunk.length;
      if (this.aheadBytes < this.aheadMax) return;
    } else {
      if (this.give(chunk)) return;
    }
    this.source.pause();
    this.watcher.bodyUnwanted(false);
  };

  private readonly onEnd = (): void => {
    this.isWhole = true;
    this.watcher.bodyUnwanted(true);
    // What was read ahead goes first: it is on its way in this turn of the event loop.
    if (this.sink !== null && !this.isFull && this.ahead.length === 0) this.finish();
  };
}

const pump = (body: RequestBody): void => {
  body.pump();
};

const NO_TRAILERS: readonly [string, string][] = [];
