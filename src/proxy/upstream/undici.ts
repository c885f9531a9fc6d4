import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Clock } from '../../ports/clock.ts';
import type { Target } from '../../runtime/traffic.ts';
import { PulseSource } from '../pulse.ts';
import { CONNECT_TIMEOUT, Lane } from './lane.ts';
import type { Caller, Forwarding, ForwardOrder, Limits, Upstream, UpstreamProblem } from './upstream.ts';

/** Kept connections per target. More would only be idle ones left over from a burst. */
const IDLE_LANES_MAX = 128;

/** RFC 9110 section 9.2.2, and QUERY, which is safe by its definition. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'QUERY']);

/**
 * {@link Upstream} over undici, until a slim client of our own takes its place. What undici cannot do, and this therefore
 * does not: a request's head goes out only with the first byte of its body, so an agent cannot refuse an upload on its
 * head; trailers of a request are dropped; a 100 from an agent that was not asked for one counts as broken off.
 */
export class UndiciUpstream implements Upstream {
  private readonly clock: Clock;
  private readonly pulses: PulseSource;
  private limits: Limits;
  /** Idle lanes by target key, the one used last at the end: it is the least likely to be stale. */
  private readonly idle = new Map<string, Lane[]>();
  private readonly lanes = new Set<Lane>();

  constructor(options: { readonly clock: Clock; readonly limits: Limits }) {
    this.clock = options.clock;
    this.limits = options.limits;
    this.pulses = new PulseSource(options.clock);
  }

  /** Connections held, idle ones included. */
  get connections(): number {
    return this.lanes.size;
  }

  forward(order: ForwardOrder, caller: Caller): Forwarding {
    return new Attempt(this, order, caller);
  }

  updateLimits(limits: Limits): void {
    this.limits = limits;
  }

  close(): void {
    for (const lane of this.lanes) this.discard(lane);
  }

  /** A kept connection to exactly this target, or null. */
  takeIdle(target: Target): Lane | null {
    const lanes = this.idle.get(target.key);
    if (lanes === undefined) return null;
    for (;;) {
      const lane = lanes.pop();
      if (lanes.length === 0) this.idle.delete(target.key);
      if (lane === undefined || lane.usable) return lane ?? null;
      this.discard(lane);
    }
  }

  open(target: Target): Lane {
    const limits = { connect: this.limits.connect, idle: this.limits.upstream_idle };
    const lane = new Lane(target.key, target.address, limits, this.clock, this.pulses);
    // Undici would connect again by itself for the next request; a lane ends with its connection instead.
    lane.client.on('disconnect', () => {
      if (this.forgetIdle(lane)) this.discard(lane);
    });
    this.lanes.add(lane);
    return lane;
  }

  release(lane: Lane): void {
    const lanes = this.idle.get(lane.key) ?? [];
    if (lanes.length >= IDLE_LANES_MAX) {
      this.discard(lane);
      return;
    }
    lane.kept = true;
    lanes.push(lane);
    this.idle.set(lane.key, lanes);
  }

  discard(lane: Lane): void {
    this.forgetIdle(lane);
    this.lanes.delete(lane);
    lane.end();
  }

  private forgetIdle(lane: Lane): boolean {
    const lanes = this.idle.get(lane.key);
    const at = lanes?.indexOf(lane) ?? -1;
    if (lanes === undefined || at === -1) return false;
    lanes.splice(at, 1);
    if (lanes.length === 0) this.idle.delete(lane.key);
    return true;
  }
}

/**
 * One order, tried once or twice. Undici's older handler interface (onConnect, onHeaders, ...) is used on purpose: the newer
 * one builds an object of headers for every answer, which we never read.
 */
class Attempt implements Forwarding, Dispatcher.DispatchHandler {
  private readonly upstream: UndiciUpstream;
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

  constructor(upstream: UndiciUpstream, order: ForwardOrder, caller: Caller) {
    this.upstream = upstream;
    this.order = order;
    this.caller = caller;
    this.lane = upstream.takeIdle(order.target) ?? upstream.open(order.target);
    this.dispatch();
  }

  resume(): void {
    this.resumeBody?.();
  }

  abort(): void {
    if (this.over) return;
    this.over = true;
    this.abortExchange?.();
    this.upstream.discard(this.lane);
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
    if (status === 101 || status > 599) {
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
    this.upstream.release(this.lane);
    this.caller.ended(Array.isArray(trailers) ? textOf(trailers as Buffer[]) : []);
  }

  onUpgrade(_status: number, raw: Buffer[] | string[] | null, socket: Duplex): void {
    if (this.over) {
      socket.destroy();
      return;
    }
    this.over = true;
    this.upstream.discard(this.lane);
    this.caller.switched(textOf((raw ?? []) as Buffer[]), socket);
  }

  onError(error: Error): void {
    // Undici reports an order it does not take from within dispatch; the caller is promised to be told later.
    if (this.dispatching) queueMicrotask(() => this.settle(error));
    else this.settle(error);
  }

  private settle(error: Error): void {
    if (this.over) return;
    // A 304 may say how long the answer would have been (RFC 9110 section 8.6). Undici misses a body of that length.
    if (this.headOnly && 'code' in error && error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
      this.over = true;
      this.upstream.discard(this.lane);
      this.caller.ended([]);
      return;
    }
    const { problem, detail } = failureOf(error, this.connected, this.responded);
    if (problem === 'upstream-broken' && this.mayRetry()) {
      this.retried = true;
      this.connected = false;
      this.abortExchange = null;
      this.upstream.discard(this.lane);
      // A new connection, not another kept one: that might be stale too, and there is no third attempt.
      this.lane = this.upstream.open(this.order.target);
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
    this.upstream.discard(this.lane);
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
