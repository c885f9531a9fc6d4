import type { Duplex } from 'node:stream';
import { after, type Instant, type Millis } from '../std/time.ts';

/**
 * Whether somebody takes anything of what waits for it. Judged by what is left and not by how much was sent, since a client
 * that takes a little of a large chunk is slow, and one that takes nothing is gone or wants to hold us.
 */
export class StallWatch {
  private readonly socket: Duplex;
  private since: Instant | null = null;
  private queuedBytes = 0;

  constructor(socket: Duplex) {
    this.socket = socket;
  }

  /** Everything was taken. As much as before may wait by the next look, and is not the same. */
  reset(): void {
    this.since = null;
  }

  /** Nothing was taken for `limit`. Asked on every pulse while bytes wait. */
  isStalled(now: Instant, limit: Millis): boolean {
    const queuedBytes = queuedIn(this.socket);
    if (this.since === null || queuedBytes !== this.queuedBytes) {
      this.since = now;
      this.queuedBytes = queuedBytes;
      return false;
    }
    return now >= after(this.since, limit);
  }
}

/** Falls within a large chunk too, unlike writableLength alone. */
function queuedIn(socket: Duplex): number {
  const handle = (socket as { readonly _handle?: { readonly writeQueueSize?: number } | null })._handle;
  return socket.writableLength + (handle?.writeQueueSize ?? 0);
}
