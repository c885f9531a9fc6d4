import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ProblemCode } from '../contract/problems.ts';
import type { Work } from '../runtime/traffic.ts';
import { assert } from '../std/assert.ts';
import { after, elapsed, type Instant, instantOf } from '../std/time.ts';
import { admit, type Decision } from './admit.ts';
import { type BodyWatcher, RequestBody } from './body.ts';
import { addForwarding, believedRequestId } from './client-address.ts';
import type { ClientConnection, OpenWork } from './connection.ts';
import type { AgentFigures } from './figures.ts';
import type { Front } from './front.ts';
import { readHead, type RequestHead } from './head.ts';
import { listOf, RESPONSE_FIELDS, sift, siftTrailers } from './headers.ts';
import type { Watched } from './pulse.ts';
import { headBytes, jsonAnswer, type OwnAnswer, problemAnswer } from './refusal.ts';
import { logRequest } from './request-log.ts';
import { Tunnel, type TunnelWatcher } from './tunnel.ts';
import type { UpgradeWait } from './upgrade.ts';
import type { Caller, Forwarding, UpstreamProblem } from './upstream/upstream.ts';

/**
 * One request from its head to its end, and one upgrade: they differ only in what a 101 means. Read it from top to bottom;
 * that is the order in which things happen.
 */
export class Exchange implements Caller, BodyWatcher, OpenWork, Watched, TunnelWatcher {
  private readonly front: Front;
  private readonly connection: ClientConnection;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly upgrade: UpgradeWait | null;
  private readonly startedAt: Instant;
  private requestId = '';
  private head: RequestHead | null = null;
  private agent: string | null = null;
  private figures: AgentFigures | null = null;
  private work: Work | null = null;
  private body: RequestBody | null = null;
  private forwarding: Forwarding | null = null;
  private tunnel: Tunnel | null = null;
  private status: number | null = null;
  private problem: ProblemCode | null = null;
  private detail: string | null = null;
  private isOver = false;
  private sentContinue = false;
  private sentBody = false;
  /** The answer's end is told only by the connection's end. */
  private closeDelimited = false;
  private paused = false;
  private forwardedAt: Instant;
  private firstByteDue: Instant | null = null;
  private bodyWantedSince: Instant | null = null;
  private stalledSince: Instant | null = null;
  private queuedBytes = 0;
  private progressAt: Instant;

  constructor(
    front: Front,
    connection: ClientConnection,
    request: IncomingMessage,
    response: ServerResponse | null,
    upgrade: UpgradeWait | null,
  ) {
    const answer = response ?? upgrade?.response;
    assert(answer !== undefined, 'an exchange has something to answer through');
    this.front = front;
    this.connection = connection;
    this.request = request;
    this.response = answer;
    this.upgrade = upgrade;
    this.startedAt = front.clock.now();
    this.forwardedAt = this.startedAt;
    this.progressAt = this.startedAt;
  }

  start(): void {
    const { front, connection } = this;
    connection.begin(this);
    front.pulses.watch(this);
    this.response.on('finish', () => this.finish());
    const head = readHead(this.request, front.limits, connection.peer.trusted, this.upgrade !== null);
    this.requestId = believedRequestId(head.lines.requestId, connection.peer) ?? randomUUID();
    if ('fault' in head) return this.refuse(head.fault, { close: true, detail: head.detail });
    this.head = head;
    const kind = this.upgrade === null ? 'request' : 'upgrade';
    this.follow(
      head,
      admit(head, kind, front.traffic, front.draining, () => this.cut()),
    );
  }

  private follow(head: RequestHead, decision: Decision): void {
    this.agent = decision.agent;
    if (decision.agent !== null) this.figures = this.front.figures.of(decision.agent);
    switch (decision.kind) {
      case 'refuse':
        return this.refuse(decision.problem, { retryAfterSeconds: decision.retryAfterSeconds });
      case 'answer':
        return this.send(jsonAnswer(decision.status, decision.json, this.requestId, decision.retryAfterSeconds), false);
      case 'proxy':
        this.work = decision.work;
        return this.forward(head, decision.work);
    }
  }

  private forward(head: RequestHead, work: Work): void {
    const { front, connection } = this;
    const { kept } = head.lines;
    addForwarding(kept, head.lines, connection.peer, front.peers, head.hostValue);
    kept.push('X-Request-Id', this.requestId);
    this.forwardedAt = front.clock.now();
    this.firstByteDue = after(this.forwardedAt, front.limits.first_byte);
    this.forwarding = front.upstream.forward(
      {
        target: work.target,
        method: head.method,
        path: head.target,
        headers: kept,
        host: head.hostValue,
        contentLength: head.lines.contentLength,
        hasBody: head.hasBody,
        upgrade: this.upgrade !== null,
      },
      this,
    );
  }

  // The request's body, on its way to the agent.

  openBody(): RequestBody {
    this.body = new RequestBody(this.request, this);
    return this.body;
  }

  bodyUntouched(): boolean {
    return this.body === null || this.body.bytesTaken === 0;
  }

  bodyWanted(): void {
    this.bodyWantedSince ??= this.front.clock.now();
    // The agent is there and takes the body, so the client may send it. Before that a 100 would be a promise we cannot keep.
    if (this.head?.expectsContinue !== true || this.sentContinue || this.response.headersSent) return;
    this.sentContinue = true;
    this.response.writeContinue();
  }

  bodyCame(bytes: number): void {
    const now = this.front.clock.now();
    this.bodyWantedSince = null;
    this.progressAt = now;
    this.figures?.bytesIn.add(bytes);
    // An agent may only have something to say once it has the whole upload.
    if (this.firstByteDue !== null) this.firstByteDue = after(now, this.front.limits.first_byte);
  }

  bodyWhole(): void {
    this.bodyWantedSince = null;
  }

  // The answer, on its way to the client.

  informed(status: number, headers: readonly string[]): void {
    // RFC 9110 section 15.2: never to HTTP/1.0. Behind an earlier answer it is dropped, which every 1xx may be.
    if (this.isOver || this.head?.speaks11 !== true || this.response.headersSent) return;
    this.response.socket?.write(headBytes(status, sift(headers, RESPONSE_FIELDS, false).kept), 'latin1');
  }

  responded(status: number, reason: string, headers: readonly string[]): void {
    if (this.isOver) return;
    const { response } = this;
    const lines = sift(headers, RESPONSE_FIELDS, false);
    if (lines.transferCoding !== null && lines.transferCoding.toLowerCase() !== 'chunked') {
      this.forwarding?.abort();
      return this.failed('upstream-invalid', 'an unknown transfer coding');
    }
    const now = this.front.clock.now();
    this.firstByteDue = null;
    this.figures?.upstreamAnswered(elapsed(this.forwardedAt, now));
    this.progressAt = now;
    this.status = status;
    this.figures?.answered(status);
    const { kept } = lines;
    const hasLength = lines.contentLength !== null && status !== 204;
    if (hasLength) kept.push('Content-Length', lines.contentLength ?? '');
    const speaks11 = this.head?.speaks11 === true;
    // node refuses the field where trailers cannot follow.
    const isBare = this.head?.method === 'HEAD' || status === 204 || status === 304;
    if (lines.trailer !== null && !hasLength && speaks11 && !isBare) kept.push('Trailer', lines.trailer);
    kept.push('X-Request-Id', this.requestId);
    this.closeDelimited = !hasLength && !speaks11;
    if (this.front.draining) response.shouldKeepAlive = false;
    response.writeHead(status, /^[\t\x20-\x7e\x80-\xff]*$/.test(reason) ? reason : '', kept);
    // With the first bytes of the body, if they came along; at once if not, since the next may come in an hour (SSE).
    process.nextTick(flushHead, this);
  }

  flush(): void {
    if (!this.sentBody && !this.isOver) this.response.flushHeaders();
  }

  received(chunk: Buffer): boolean {
    if (this.isOver) return true;
    this.sentBody = true;
    this.figures?.bytesOut.add(chunk.length);
    if (this.response.write(chunk)) {
      this.progressAt = this.front.clock.now();
      return true;
    }
    if (!this.paused) this.response.once('drain', () => this.drained());
    this.paused = true;
    return false;
  }

  private drained(): void {
    this.paused = false;
    this.stalledSince = null;
    this.progressAt = this.front.clock.now();
    this.forwarding?.resume();
  }

  ended(trailers: readonly string[]): void {
    if (this.isOver) return;
    this.sentBody = true;
    if (trailers.length > 0 && this.response.chunkedEncoding) this.response.addTrailers(siftTrailers(trailers));
    this.response.end();
  }

  /** The agent has agreed to speak WebSocket. */
  switched(headers: readonly string[], socket: Duplex): void {
    if (this.isOver) return void socket.destroy();
    const lines = sift(headers, RESPONSE_FIELDS, false);
    if (this.upgrade === null || !listOf(lines.upgrade ?? '').includes('websocket')) {
      socket.destroy();
      return this.failed('upstream-invalid', 'a switch to another protocol than was asked for');
    }
    const { front, connection } = this;
    this.firstByteDue = null;
    this.figures?.upstreamAnswered(elapsed(this.forwardedAt, front.clock.now()));
    this.status = 101;
    this.figures?.answered(101);
    this.work?.upgraded();
    const early = this.upgrade.release();
    lines.kept.push('X-Request-Id', this.requestId, 'Connection', 'Upgrade', 'Upgrade', 'websocket');
    connection.socket.write(headBytes(101, lines.kept), 'latin1');
    this.tunnel = new Tunnel(connection.socket, socket, front.clock, front.pulses, this);
    this.tunnel.start(early);
    if (front.draining) this.tunnel.goAway();
  }

  passed(direction: 'in' | 'out', bytes: number, dataFrames: number): void {
    (direction === 'in' ? this.figures?.bytesIn : this.figures?.bytesOut)?.add(bytes);
    for (let frame = 0; frame < dataFrames; frame += 1) this.work?.touch();
  }

  tunnelEnded(): void {
    this.finish();
  }

  // Ways to end early.

  failed(problem: UpstreamProblem, detail: string): void {
    if (this.isOver) return;
    this.figures?.upstreamFailed(problem);
    this.problem = problem;
    this.detail = detail;
    if (problem === 'internal-error') this.front.log.error('A request could not be handed to its agent.', { detail });
    if (this.response.headersSent) this.cutConnection();
    else this.refuse(problem, { close: false });
  }

  /** The runtime may not wait for this any longer. */
  private cut(): void {
    if (this.isOver) return;
    if (this.tunnel !== null) return this.tunnel.goAway();
    this.forwarding?.abort();
    this.failed('upstream-broken', 'the agent was taken away');
  }

  clientGone(): void {
    if (this.isOver) return;
    if (this.tunnel === null) this.forwarding?.abort();
    this.detail ??= 'the client has gone';
    this.finish();
  }

  inputBroken(problem: ProblemCode): boolean {
    if (this.request.complete || this.isOver) return false;
    this.giveUp(problem);
    return true;
  }

  /** Answers with `problem` if nothing was sent yet, and ends the connection in any case. */
  private giveUp(problem: ProblemCode): void {
    this.forwarding?.abort();
    this.problem = problem;
    if (this.response.headersSent) this.cutConnection();
    else this.refuse(problem, { close: true });
  }

  drain(): void {
    if (this.tunnel !== null) this.tunnel.goAway();
    else if (!this.response.headersSent) this.response.shouldKeepAlive = false;
  }

  get lastProgress(): Instant {
    return this.tunnel === null ? this.progressAt : instantOf(Number.POSITIVE_INFINITY);
  }

  /** Limits of time, all of them looked at here. */
  pulse(now: Instant): void {
    if (this.tunnel !== null) return;
    if (this.firstByteDue !== null && now >= this.firstByteDue) {
      this.forwarding?.abort();
      return this.failed('upstream-timeout', 'no answer within limits.first_byte');
    }
    const { body_idle } = this.front.limits;
    if (this.bodyWantedSince !== null && now >= after(this.bodyWantedSince, body_idle)) return this.giveUp('request-timeout');
    const isWaiting = (this.paused || this.response.writableEnded) && this.response.socket !== null;
    if (!isWaiting) return;
    const queued = queuedBytes(this.connection);
    if (this.stalledSince === null || queued !== this.queuedBytes) {
      this.stalledSince = now;
      this.queuedBytes = queued;
    } else if (now >= after(this.stalledSince, body_idle)) {
      this.forwarding?.abort();
      this.detail = 'the client took no byte within limits.body_idle';
      this.cutConnection();
    }
  }

  /** Never an end that looks whole: where only the connection's end tells, it is a reset. */
  private cutConnection(): void {
    const { socket, peer } = this.connection;
    if (this.closeDelimited && peer.address !== null) socket.resetAndDestroy();
    else socket.destroy();
    this.finish();
  }

  private refuse(
    problem: ProblemCode,
    how: {
      readonly close?: boolean | undefined;
      readonly detail?: string | undefined;
      readonly retryAfterSeconds?: number | null;
    },
  ): void {
    this.problem = problem;
    this.front.figures.refused(problem);
    this.send(problemAnswer(problem, this.requestId, how.detail, how.retryAfterSeconds ?? null), how.close === true);
  }

  private send(answer: OwnAnswer, close: boolean): void {
    const { response } = this;
    this.status = answer.status;
    this.figures?.answered(answer.status);
    this.firstByteDue = null;
    this.bodyWantedSince = null;
    if (close || this.front.draining) response.shouldKeepAlive = false;
    response.writeHead(answer.status, [...answer.headers]);
    response.end(answer.body);
  }

  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { front, connection, request } = this;
    const now = front.clock.now();
    front.pulses.forget(this);
    this.work?.end();
    if (this.tunnel === null) this.figures?.ended(elapsed(this.startedAt, now));
    if (this.upgrade === null && !request.complete && !connection.socket.destroyed) {
      request.resume();
      connection.dropRest(after(now, front.limits.body_idle));
    }
    connection.end(this);
    logRequest(front, {
      request,
      head: this.head,
      status: this.status,
      took: elapsed(this.startedAt, now),
      agent: this.agent,
      requestId: this.requestId,
      problem: this.problem,
      detail: this.detail,
    });
    front.workEnded();
  }
}

const flushHead = (exchange: Exchange): void => exchange.flush();

/** Bytes handed to the socket that the client's side has not taken yet. Falls within a large chunk too, unlike writableLength. */
function queuedBytes(connection: ClientConnection): number {
  const handle = (connection.socket as { readonly _handle?: { readonly writeQueueSize?: number } | null })._handle;
  return connection.socket.writableLength + (handle?.writeQueueSize ?? 0);
}
