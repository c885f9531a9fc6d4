import type { Socket } from 'node:net';
import type { PutOff } from '../turn-end.ts';
import type { AgentConnection, ConnectionUser } from './agent-connection.ts';
import type { Pool } from './pool.ts';
import { requestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';
import { type BodySink, type Caller, type Forwarding, type ForwardOrder, SMALL_BYTES, type UpstreamProblem } from './upstream.ts';

/** RFC 9110 section 9.2.2, and QUERY, which is safe by its definition. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'QUERY']);

/** One order on one connection or, where the first turns out stale, on two, one after the other. */
export class Attempt implements Forwarding, ConnectionUser, BodySink, PutOff {
  private readonly pool: Pool;
  private readonly order: ForwardOrder;
  private readonly caller: Caller;
  private connection: AgentConnection;
  private retried = false;
  /** The connection stood when the request was given to it, or stands since. */
  private isConnected = false;
  /** Something was sent on this connection. The head goes out with the first bytes of the body, if they are at hand. */
  private isBegun = false;
  private isSent = false;
  private isAnswering = false;
  private hasResponded = false;
  private keepAlive = false;
  private isOver = false;

  constructor(pool: Pool, order: ForwardOrder, caller: Caller) {
    this.pool = pool;
    this.order = order;
    this.caller = caller;
    // An upgrade has a connection of its own from the start: it keeps it.
    this.connection = (order.upgrade ? null : pool.takeIdle(order.target)) ?? pool.open(order.target, order.upgrade);
    this.connection.use(this);
  }

  resume(): void {
    if (!this.isOver) this.connection.resume();
  }

  abort(): void {
    if (!this.isOver) this.endConnection();
  }

  // The request, on its way to the agent.

  connected(): void {
    const { order } = this;
    this.isConnected = true;
    if (order.body === null) {
      this.pool.turnEnd.add(this);
      return;
    }
    order.body.open(this);
    // Behind the turn in which the body gives what it has at hand. An agent may answer the head alone, so it waits for no more.
    process.nextTick(beginAlone, this);
  }

  /** A request without a body goes out. */
  turnEnded(): void {
    if (this.isOver || this.isBegun || !this.isConnected) return;
    this.connection.writeText(this.begin());
    this.isSent = true;
  }

  /** The head as it is to be written; from now on an answer is expected. */
  private begin(): string {
    const { order, connection } = this;
    this.isBegun = true;
    connection.expect(order.method, order.upgrade);
    return requestHead(order);
  }

  /** The body is still to come. */
  beginAlone(): void {
    const { connection, order } = this;
    if (this.isBegun || this.isOver || !this.isConnected) return;
    if (connection.kept) {
      // Should a kept connection turn out stale, a request whose head is out cannot be sent again. A new one is not stale.
      order.body?.stop();
      this.pool.putBack(connection);
      this.useNew();
    } else {
      connection.writeText(this.begin());
    }
  }

  take(chunk: Buffer): boolean {
    const { connection, order } = this;
    if (this.isOver) return false;
    const isChunked = order.contentLength === null;
    const before = (this.isBegun ? '' : this.begin()) + (isChunked ? `${chunk.length.toString(16)}\r\n` : '');
    const behind = isChunked ? '\r\n' : '';
    if (chunk.length <= SMALL_BYTES) connection.writeText(before + chunk.toString('latin1') + behind);
    else connection.writeAll([before, chunk, behind]);
    return !connection.isFull;
  }

  end(trailers: readonly (readonly [name: string, value: string])[]): void {
    if (this.isOver) return;
    this.isSent = true;
    let last = this.isBegun ? '' : this.begin();
    if (this.order.contentLength === null) {
      last += '0\r\n';
      for (const [name, value] of trailers) last += `${name}: ${value}\r\n`;
      last += '\r\n';
    }
    if (last !== '') this.connection.writeText(last);
  }

  drained(): void {
    this.order.body?.resume();
  }

  // The answer, on its way to the caller.

  answering(): void {
    this.isAnswering = true;
  }

  head(head: ResponseHead): void {
    if (head.status < 200) {
      this.caller.informed(head.status, head.lines);
      return;
    }
    this.hasResponded = true;
    this.keepAlive = head.keepAlive;
    this.caller.responded(head);
  }

  body(chunk: Buffer, taken: () => void): boolean {
    return this.caller.received(chunk, taken);
  }

  caughtUp(): boolean {
    return !this.hasResponded || this.caller.caughtUp();
  }

  whole(trailers: readonly string[]): void {
    // An agent that was asked to switch may have taken its parser off the connection before it said no.
    if (this.isSent && this.keepAlive && !this.order.upgrade) {
      this.isOver = true;
      this.pool.giveBack(this.connection);
    } else {
      // The agent has said all it has to say, perhaps before it has read everything (413). The rest is for nobody.
      this.endConnection();
    }
    this.caller.ended(trailers);
  }

  switched(head: ResponseHead, socket: Socket): void {
    this.isOver = true;
    this.caller.switched(head.lines, socket);
  }

  // Ways to end early.

  fault(why: string): void {
    this.fail('upstream-invalid', why);
  }

  lost(why: string): void {
    if (!this.isConnected) {
      this.fail(this.connection.timedOut ? 'upstream-timeout' : 'upstream-refused', why);
    } else if (this.mayRetry()) {
      this.retried = true;
      this.order.body?.stop();
      // Not another kept one: that might be stale too, and there is no third attempt.
      this.useNew();
    } else {
      this.fail('upstream-broken', why);
    }
  }

  private mayRetry(): boolean {
    const { order } = this;
    if (this.retried || this.isAnswering || !this.connection.kept) return false;
    return !this.isBegun || (order.body === null && IDEMPOTENT.has(order.method));
  }

  private useNew(): void {
    this.isConnected = false;
    this.isBegun = false;
    this.isSent = false;
    this.connection = this.pool.open(this.order.target, false);
    this.connection.use(this);
  }

  private fail(problem: UpstreamProblem, why: string): void {
    this.endConnection();
    this.caller.failed(problem, why);
  }

  private endConnection(): void {
    this.isOver = true;
    this.order.body?.stop();
    this.connection.end();
  }
}

const beginAlone = (attempt: Attempt): void => {
  attempt.beginAlone();
};
