import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** Told of a request body on its way to the agent. */
export interface BodyWatcher {
  /** The agent takes more and none is at hand: from now on we wait for the client. */
  bodyWanted(): void;
  bodyCame(bytes: number): void;
  bodyWhole(): void;
}

/**
 * The body of a request as the upstream reads it. Not the IncomingMessage itself: whoever destroys that destroys the
 * client's connection, and an HTTP client destroys a body it does not need any more, for instance since the agent has
 * already answered 413. The client would never see that answer.
 */
export class RequestBody extends Readable {
  /** Bytes taken from the client. Once there are any, the body cannot be opened again. */
  bytesTaken = 0;
  /** Nobody reads it yet. */
  isAhead = false;
  private readonly source: IncomingMessage;
  private readonly watcher: BodyWatcher;
  private attached = false;

  /** Begins to read before anybody wants it, as far as `bytesMax`; the rest stays with the client. */
  static ahead(source: IncomingMessage, watcher: BodyWatcher, bytesMax: number): RequestBody {
    const body = new RequestBody(source, watcher, bytesMax);
    body.isAhead = true;
    body.read(0);
    return body;
  }

  constructor(source: IncomingMessage, watcher: BodyWatcher, highWaterMark?: number) {
    super(highWaterMark === undefined ? {} : { highWaterMark });
    this.source = source;
    this.watcher = watcher;
  }

  override _read(): void {
    this.watcher.bodyWanted();
    if (this.attached) {
      this.source.resume();
      return;
    }
    this.attached = true;
    this.source.on('data', this.onData).on('end', this.onEnd).resume();
  }

  /** Errors end here: the exchange learns from its upstream or its connection what became of it. */
  override _destroy(_error: Error | null, callback: () => void): void {
    this.source.off('data', this.onData).off('end', this.onEnd).pause();
    callback();
  }

  private readonly onData = (chunk: Buffer): void => {
    this.bytesTaken += chunk.length;
    if (!this.push(chunk)) this.source.pause();
    this.watcher.bodyCame(chunk.length);
  };

  private readonly onEnd = (): void => {
    this.watcher.bodyWhole();
    this.push(null);
  };
}
