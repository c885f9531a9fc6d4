/**
 * Memory that sockets of agents read into. Node gives each read 64 KiB of its own otherwise, and collecting those is what
 * large answers spend their time on: 1.2 thousand of 1 MiB a second instead of 3.2 (measured). Most reads are small and are
 * done with before the next, so all connections share one buffer; a connection with much to read leases a large one of its own.
 */
const SHARED_BYTES = 64 * 1024;
const LEASED_BYTES = 256 * 1024;
/** Leased buffers kept for the next one: 4 MiB in all. */
const FREE_MAX = 16;
/** Leased at a time to be read into: 16 MiB in all, however many slow clients there are. What is over reads less at once. */
const READ_MAX = 64;

/** A large buffer, one read at a time. It is free again once everything that was cut from it has been written. */
export class Lease {
  readonly buffer: Buffer;
  private readonly buffers: ReadBuffers;
  private lent = 0;
  private isRead = false;

  constructor(buffers: ReadBuffers, buffer: Buffer) {
    this.buffers = buffers;
    this.buffer = buffer;
  }

  /** A part of it is kept by somebody until {@link giveBack}. */
  lend(): void {
    this.lent += 1;
  }

  readonly giveBack = (): void => {
    this.lent -= 1;
    this.freeIfDone();
  };

  /** Nothing more is read into it. Told once. */
  readDone(): void {
    this.isRead = true;
    this.buffers.read -= 1;
    this.freeIfDone();
  }

  private freeIfDone(): void {
    if (this.isRead && this.lent === 0) this.buffers.takeBack(this.buffer);
  }
}

export class ReadBuffers {
  readonly shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
  /** Leases that are read into. */
  read = 0;
  private readonly free: Buffer[] = [];

  /** Null: there are too many. */
  lease(): Lease | null {
    if (this.read >= READ_MAX) return null;
    this.read += 1;
    return new Lease(this, this.free.pop() ?? Buffer.allocUnsafeSlow(LEASED_BYTES));
  }

  /** What is never given back, since its reader has gone, is the garbage collector's. */
  takeBack(buffer: Buffer): void {
    if (this.free.length < FREE_MAX) this.free.push(buffer);
  }
}
