import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { Violation } from '../../std/assert.ts';
import { CONNECT_TIMEOUT, type Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { Caller, Forwarding, ForwardOrder, UpstreamProblem } from './upstream.ts';

/** RFC 9110 section 9.2.2, and QUERY, which is safe by its definition. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'QUERY']);

/**
 * One order, tried once or twice. Undici's older handler interface (onConnect, onHeaders, ...) is used on purpose: the newer
 * one builds an object of headers for every answer, which we never read.
 */
export class Attempt implements Forwarding, Dispatcher.DispatchHandler {
  private readonly lanes: Lanes;
  private readonly order: ForwardOrder;
  private readonly caller: Caller;
  private lane: Lane;
  private retried = false;
  /** Undici has a connection for it and writes. */
  private connected = false;
  /** A byte of an answer has come. */
  private answering = false;
  /** The head of the answer has come. */
  private responded = false;
  /** The answer is a 304, which ends with its head. */
  private headOnly = false;
  private over = false;
  private dispatching = false;
  private abortExchange: (() => void) | null = null;
  private resumeBody: (() => void) | null = null;

  constructor(lanes: Lanes, order: ForwardOrder, caller: Caller) {
    this.lanes = lanes;
    this.order = order;
    this.caller = caller;
    this.lane = lanes.takeIdle(order.target) ?? lanes.open(order.target);
    this.dispatch();
  }

  resume(): void {
    this.resumeBody?.();
  }

  abort(): void {
    if (this.over) return;
    this.over = true;
    this.abortExchange?.();
    this.lanes.discard(this.lane);
  }

  private dispatch(): void {
    const { order } = this;
    const headers = ['host', order.host, ...order.headers];
    if (order.contentLength !== null) headers.push('content-length', order.contentLength);
    this.dispatching = true;
    this.lane.client.dispatch(
      {
        path: order.path,
        method: order.method,
        headers,
        body: order.hasBody ? this.caller.openBody() : null,
        upgrade: order.upgrade ? 'websocket' : null,
      },
      this,
    );
    this.dispatching = false;
  }

  onConnect(abort: () => void): void {
    this.connected = true;
    this.abortExchange = abort;
    if (this.over) abort();
  }

  onResponseStarted(): void {
    this.answering = true;
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, reason: string): boolean {
    if (this.over) return true;
    this.resumeBody = resume;
    if (status === 101 || status < 100 || status > 599) {
      this.fail('upstream-invalid', `an answer with status ${status}`);
    } else if (status < 200) {
      this.caller.informed(status, textOf(raw));
    } else {
      this.responded = true;
      this.headOnly = status === 304;
      this.caller.responded(status, reason, textOf(raw));
    }
    return true;
  }

  onData(chunk: Buffer): boolean {
    return this.over || this.caller.received(chunk);
  }

  onComplete(trailers: unknown): void {
    if (this.over) return;
    this.over = true;
    // Undici closes the connection right after this where it may not be used again; `usable` tells when it is next taken.
    this.lanes.release(this.lane);
    this.caller.ended(Array.isArray(trailers) ? textOf(trailers as Buffer[]) : []);
  }

  onUpgrade(_status: number, raw: Buffer[] | string[] | null, socket: Duplex): void {
    if (this.over) {
      socket.destroy();
      return;
    }
    this.over = true;
    this.lanes.discard(this.lane);
    this.caller.switched(textOf((raw ?? []) as Buffer[]), socket);
  }

  onError(error: Error): void {
    // Undici reports an order it does not take from within dispatch; the caller is promised to be told later. And it catches
    // what its handlers throw: a broken promise of ours must get past it, and is no fault of the agent's (law 5).
    if (this.dispatching || error instanceof Violation) queueMicrotask(() => this.settle(error));
    else this.settle(error);
  }

  private settle(error: Error): void {
    if (error instanceof Violation) throw error;
    if (this.over) return;
    // A 304 may say how long the answer would have been (RFC 9110 section 8.6). Undici misses a body of that length.
    if (this.headOnly && 'code' in error && error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
      this.over = true;
      this.lanes.discard(this.lane);
      this.caller.ended([]);
      return;
    }
    const { problem, detail } = failureOf(error, this.connected, this.responded);
    if (problem === 'upstream-broken' && this.mayRetry()) {
      this.retried = true;
      this.connected = false;
      this.abortExchange = null;
      this.lanes.discard(this.lane);
      // A new connection, not another kept one: that might be stale too, and there is no third attempt.
      this.lane = this.lanes.open(this.order.target);
      this.dispatch();
      return;
    }
    this.fail(problem, detail);
  }

  private mayRetry(): boolean {
    if (this.retried || this.answering || !this.lane.kept) return false;
    if (this.order.hasBody) return this.caller.bodyUntouched();
    return !this.connected || IDEMPOTENT.has(this.order.method);
  }

  private fail(problem: UpstreamProblem, detail: string): void {
    this.over = true;
    this.abortExchange?.();
    this.lanes.discard(this.lane);
    this.caller.failed(problem, detail);
  }
}

/** Header bytes are latin1 on the wire, and stay what they were. */
function textOf(raw: readonly Buffer[]): string[] {
  const text = new Array<string>(raw.length);
  for (let at = 0; at < raw.length; at += 1) text[at] = raw[at]?.toString('latin1') ?? '';
  return text;
}

function failureOf(
  error: Error,
  connected: boolean,
  responded: boolean,
): { readonly problem: UpstreamProblem; readonly detail: string } {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const detail = code === '' || error.message.includes(code) ? error.message : `${code}: ${error.message}`;
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') return { problem: 'internal-error', detail };
  if (code === CONNECT_TIMEOUT) return { problem: 'upstream-timeout', detail };
  if (!connected) return { problem: 'upstream-refused', detail };
  const isNonsense =
    // Its code is not always set. An end in the middle is a parser's error too, but not nonsense.
    (error.name === 'HTTPParserError' && !error.message.includes('EOF')) ||
    // Undici's word for any fault of a head that has a Content-Length.
    (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && !responded) ||
    code === 'UND_ERR_HEADERS_OVERFLOW' ||
    (code === 'UND_ERR_SOCKET' && error.message === 'bad upgrade');
  return { problem: isNonsense ? 'upstream-invalid' : 'upstream-broken', detail };
}
