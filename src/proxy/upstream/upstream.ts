import type { Duplex, Readable } from 'node:stream';
import type { ProblemCode } from '../../contract/problems.ts';
import type { Target } from '../../runtime/traffic.ts';
import type { Config } from '../../contract/config.ts';

/** The port between the data plane and whatever speaks HTTP to agents. */
export type Limits = Config['limits'];

/**
 * How bytes move between the data plane and an agent. What stands behind it may be replaced; who calls it sees no pool, no
 * connection and no retry. Connections are shared only between requests with the same `Target.key`.
 */
export interface Upstream {
  /**
   * Sends one request. Nothing of `caller` but `openBody` is called before this returns. A failed attempt is repeated at
   * most once, on a new connection, and only where the first connection was a kept one that turned out stale, no byte of
   * an answer came, and the request is either idempotent and whole in hand, or had no byte sent (RFC 9110 section 9.2.2).
   */
  forward(order: ForwardOrder, caller: Caller): Forwarding;
  /** Limits for connections made from now on. */
  updateLimits(limits: Limits): void;
  /** Ends the connections to this agent on which nothing is under way. */
  endIdle(agent: string): void;
  /** Ends idle connections, and open ones too. */
  close(): void;
}

export interface ForwardOrder {
  readonly target: Target;
  readonly method: string;
  readonly path: string;
  /** Raw lines, sifted, without Host and framing. */
  readonly headers: readonly string[];
  readonly host: string;
  /** Null: no body, or one of unknown length. */
  readonly contentLength: string | null;
  readonly hasBody: boolean;
  /** A WebSocket upgrade: a 101 is an answer. */
  readonly upgrade: boolean;
}

/** Who ordered it. Exactly one of `ended`, `switched` and `failed` comes last; after `abort` nothing comes at all. */
export interface Caller {
  /** Called once per attempt, when there is a body. Reading from the stream starts the body. */
  openBody(): Readable;
  /** No byte of the body was read yet. */
  bodyUntouched(): boolean;
  /** A 1xx other than 100 and 101. */
  informed(status: number, headers: readonly string[]): void;
  responded(status: number, reason: string, headers: readonly string[]): void;
  /** False: no more until `resume`. */
  received(chunk: Buffer): boolean;
  /** The answer is whole. */
  ended(trailers: readonly string[]): void;
  /** 101: from now on `socket` is the caller's, with its `error` listener to be set at once. Unread bytes are in it. */
  switched(headers: readonly string[], socket: Duplex): void;
  /** Also after `responded`: then the answer is not whole. */
  failed(problem: UpstreamProblem, detail: string): void;
}

export type UpstreamProblem = Extract<ProblemCode, `upstream-${string}` | 'internal-error'>;

export interface Forwarding {
  resume(): void;
  /** The answer is not wanted any more. Frees the connection at once, whatever has happened so far. */
  abort(): void;
}
