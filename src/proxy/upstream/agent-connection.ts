import { connect, type Socket } from 'node:net';
import type { Address } from '../../ports/engine.ts';
import type { Instant } from '../../std/time.ts';
import type { Lease, ReadBuffers } from './read-buffers.ts';
import type { ResponseHead } from './response-head.ts';
import { type ResponseEvents, ResponseParser } from './response-parser.ts';
import { SMALL_BYTES } from './upstream.ts';

/** Dead peers of connections that are silent on purpose are noticed by the kernel. */
const KEEP_ALIVE_PROBE_AFTER_MS = 60_000;
/** With this much of a body to come, and with this much at once, reading into a large buffer pays. */
const LEASE_FROM_BYTES = 64 * 1024;
const LEASE_FROM_READ_BYTES = 32 * 1024;

/** Whose request is on the connection. */
export interface ConnectionUser {
  /** The connection stands, and can be written to. */
  connected(): void;
  /** Bytes of an answer have come. */
  answering(): void;
  /** Of a 1xx too, but for a 101. */
  head(head: ResponseHead): void;
  /** As `Caller.received`. */
  body(chunk: Buffer, taken: () => void): boolean;
  whole(trailers: readonly string[]): void;
  /** As `Caller.caughtUp`. */
  caughtUp(): boolean;
  /** A 101. The connection is no more; its socket goes on, with everything in it that came behind the 101. */
  switched(head: ResponseHead, socket: Socket): void;
  /** What came is no answer. */
  fault(why: string): void;
  /** More can be written. */
  drained(): void;
  /** The connection has gone, or its agent has ended it within an answer. */
  lost(why: string): void;
}

/**
 * One connection to an agent, used by one request after another. Whatever comes while nobody uses it ends it: an answer
 * that nobody asked for would be taken for that of the next request (CVE-2026-48931, CVE-2026-6733).
 */
export class AgentConnection implements ResponseEvents {
  readonly key: string;
  /** It has carried a whole exchange before. */
  kept = false;
  /** Since when it is at rest, while it is. */
  idleSince: Instant | null = null;
  isConnected = false;
  /** It was given up before it stood. */
  timedOut = false;
  private readonly socket: Socket;
  private readonly buffers: ReadBuffers;
  private readonly gone: (connection: AgentConnection) => void;
  private readonly parser: ResponseParser;
  private user: ConnectionUser | null = null;
  private lease: Lease | null = null;
  private lastRead = 0;
  private isPaused = false;
  private switching: ResponseHead | null = null;
  private cause: Error | null = null;

  /** `gone`: told once its socket has closed, whoever closed it. */
  constructor(
    to: { readonly key: string; readonly address: Address },
    forUpgrade: boolean,
    buffers: ReadBuffers,
    gone: (connection: AgentConnection) => void,
  ) {
    this.key = to.key;
    this.buffers = buffers;
    this.gone = gone;
    this.parser = new ResponseParser(this);
    const { host, port } = to.address;
    const options = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_PROBE_AFTER_MS };
    // Whose socket will be somebody else's has to read as any other does.
    this.socket = forUpgrade
      ? connect(options).on('data', this.onBytes)
      : connect({ ...options, onread: { buffer: this.nextBuffer, callback: this.onRead } }).resume();
    this.socket.on('connect', this.onConnect).on('drain', this.onDrain).on('end', this.onEnd).on('close', this.onClose);
    this.socket.on('error', this.onError);
  }

  get isUsable(): boolean {
    return this.isConnected && this.socket.writable && !this.socket.destroyed;
  }

  /** `user` has it until it ends the connection or gives it back. Tells it `connected`, now or later. */
  use(user: ConnectionUser): void {
    this.user = user;
    if (this.isConnected) user.connected();
  }

  /** The exchange was whole. From now on nothing may come. */
  giveBack(): void {
    this.user = null;
    this.kept = true;
    this.resume();
  }

  /** An answer is read from now on. `isUpgrade`: it may be a 101. */
  expect(method: string, isUpgrade: boolean): void {
    this.parser.expect(method, isUpgrade);
  }

  /** Latin1. */
  writeText(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** In one write to the system. */
  writeAll(parts: readonly (string | Buffer)[]): void {
    this.socket.cork();
    for (const part of parts) {
      if (typeof part === 'string') this.socket.write(part, 'latin1');
      else this.socket.write(part);
    }
    this.socket.uncork();
  }

  /** Writing on has to wait for `drained`. */
  get isFull(): boolean {
    return this.socket.writableNeedDrain;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.socket.resume();
  }

  /** It does not come about in time. */
  giveUp(): void {
    this.timedOut = true;
    this.cause ??= new Error('no connection within limits.connect');
    this.socket.destroy();
  }

  /** Ends it and whatever is on it. Its user is told nothing any more. */
  end(): void {
    this.user = null;
    this.socket.destroy();
  }

  // From the parser.

  head(head: ResponseHead): void {
    if (head.status === 101) this.switching = head;
    else this.user?.head(head);
  }

  body(bytes: Buffer): void {
    const { user, lease } = this;
    if (user === null) return;
    let chunk = bytes;
    let taken = nothing;
    // Whatever buffer it lies in is read into again, so it may stay there only if it is small, or counted.
    if (bytes.length > SMALL_BYTES) {
      if (lease === null) chunk = Buffer.from(bytes);
      else {
        lease.lend();
        taken = lease.giveBack;
      }
    }
    if (!user.body(chunk, taken)) this.pause();
  }

  whole(trailers: readonly string[]): void {
    this.user?.whole(trailers);
  }

  fault(why: string): void {
    this.user?.fault(why);
  }

  // From the socket.

  private readonly nextBuffer = (): Buffer => {
    // Asked after each read, so the last one has filled what was leased.
    this.lease?.readDone();
    const isFast = this.lastRead >= LEASE_FROM_READ_BYTES && this.parser.bodyLeft >= LEASE_FROM_BYTES;
    this.lease = isFast ? this.buffers.lease() : null;
    return this.lease?.buffer ?? this.buffers.shared;
  };

  private readonly onRead = (length: number, buffer: Uint8Array): boolean => {
    this.lastRead = length;
    this.onBytes((buffer as Buffer).subarray(0, length));
    return true;
  };

  private readonly onBytes = (bytes: Buffer): void => {
    const { user } = this;
    // With a user, but before its request was sent, it is no answer to it either.
    if (user === null || this.parser.isIdle) {
      this.socket.destroy();
      return;
    }
    user.answering();
    const end = this.parser.feed(bytes);
    if (this.switching !== null) this.switchOver(user, this.switching, bytes.subarray(end));
    else if (end < bytes.length) this.socket.destroy();
    else if (this.user?.caughtUp() === false) this.pause();
  };

  private pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.socket.pause();
  }

  private switchOver(user: ConnectionUser, head: ResponseHead, rest: Buffer): void {
    const { socket } = this;
    this.user = null;
    // Nothing of this may live as long as a socket that is somebody else's.
    socket.off('data', this.onBytes).off('connect', this.onConnect).off('drain', this.onDrain).off('end', this.onEnd);
    socket.off('close', this.onClose).on('error', nothing).off('error', this.onError).pause();
    this.gone(this);
    if (rest.length > 0) socket.unshift(rest);
    user.switched(head, socket);
  }

  private readonly onConnect = (): void => {
    this.isConnected = true;
    this.user?.connected();
  };

  private readonly onError = (error: Error): void => {
    this.cause ??= error;
  };

  private readonly onDrain = (): void => {
    this.user?.drained();
  };

  private readonly onEnd = (): void => {
    if (this.user !== null && !this.parser.end()) this.lose('the agent ended the connection');
    this.socket.destroy();
  };

  private readonly onClose = (): void => {
    this.lease?.readDone();
    this.lease = null;
    this.lose(this.cause?.message ?? 'the connection was closed');
    this.gone(this);
  };

  private lose(why: string): void {
    const { user } = this;
    this.user = null;
    user?.lost(why);
  }
}

const nothing = (): void => undefined;
