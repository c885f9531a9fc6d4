import type { Duplex } from 'node:stream';
import type { Config } from '../../contract/config.ts';
import type { ProblemCode } from '../../contract/problems.ts';
import type { Target } from '../../runtime/traffic.ts';
import type { Sifted } from '../headers.ts';
import type { ResponseHead } from './response-head.ts';

/** The port between the data plane and whatever speaks HTTP to agents. */
export type Limits = Config['limits'];

/** Bytes up to which copying costs less than keeping what they are cut from. */
export const SMALL_BYTES = 4 * 1024;

/**
 * How bytes move between the data plane and an agent. What stands behind it may be replaced; who calls it sees no pool, no
 * connection and no retry. Connections are shared only between requests with the same `Target.key`.
 */
export interface Upstream {
  /**
   * Sends one request. Nothing of `caller` is called before this returns. A failed attempt is repeated at most once, on a
   * new connection, and only where the first connection was a kept one that turned out stale, no byte of an answer came,
   * and the request is either idempotent and without a body, or had no byte sent (RFC 9110 section 9.2.2).
   */
  forward(order: ForwardOrder, caller: Caller): Forwarding;
  /** Limits from now on: `connect` for new connections, `upstream_idle` for all. */
  updateLimits(limits: Limits): void;
  /** Ends the connections to this agent on which nothing is under way. */
  endIdle(agent: string): void;
  /** Ends idle connections, and open ones too. */
  close(): void;
}

export interface ForwardOrder {
  readonly target: Target;
  readonly method: string;
  /** In origin-form. */
  readonly path: string;
  /** Raw lines, sifted, without Host and framing. */
  readonly headers: readonly string[];
  readonly host: string;
  /** Null: no body, or one of unknown length, which goes in chunks. */
  readonly contentLength: string | null;
  /** Null: the request ends with its head. */
  readonly body: BodySource | null;
  /** A WebSocket upgrade: a 101 is an answer. */
  readonly upgrade: boolean;
}

/** The body of a request, where it comes from. One sink at a time. */
export interface BodySource {
  /** Gives it to `sink`, from now on and never within this call. */
  open(sink: BodySink): void;
  /** After a `take` that was answered with false: the sink takes more. */
  resume(): void;
  /** The sink takes no more. The rest stays where it is. */
  stop(): void;
}

/** Where the body of a request goes. */
export interface BodySink {
  /** False: no more until `resume`. */
  take(chunk: Buffer): boolean;
  /** The body is whole. `trailers`: sifted. */
  end(trailers: readonly (readonly [name: string, value: string])[]): void;
}

/** Who ordered it. Exactly one of `ended`, `switched` and `failed` comes last; after `abort` nothing comes at all. */
export interface Caller {
  /** A 1xx other than 101. After a 100 the agent takes the body that it was asked about. */
  informed(status: number, lines: Sifted): void;
  responded(head: ResponseHead): void;
  /**
   * Up to {@link SMALL_BYTES} the bytes are lent for this call alone. More are lent until `taken` is called, which a caller
   * that is over need not do. False: no more until `resume`.
   */
  received(chunk: Buffer, taken: () => void): boolean;
  /** After `responded`: all that has come has been told, and it is not the whole. False: no more until `resume`. */
  caughtUp(): boolean;
  /** The answer is whole. `trailers`: raw lines. */
  ended(trailers: readonly string[]): void;
  /** 101: from now on `socket` is the caller's, with its `error` listener to be set at once. Unread bytes are in it. */
  switched(lines: Sifted, socket: Duplex): void;
  /** Also after `responded`: then the answer is not whole. */
  failed(problem: UpstreamProblem, detail: string): void;
}

export type UpstreamProblem = Extract<ProblemCode, `upstream-${string}`>;

export interface Forwarding {
  resume(): void;
  /** The answer is not wanted any more. Frees the connection at once, whatever has happened so far. */
  abort(): void;
}
