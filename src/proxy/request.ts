import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ProblemCode } from '../contract/problems.ts';
import type { Admission, Work } from '../runtime/traffic.ts';
import { assert } from '../std/assert.ts';
import { after, elapsed, type Instant } from '../std/time.ts';
import { admit, type Asking, type Decision, type Hold } from './admit.ts';
import { Answer } from './answer.ts';
import { type BodyWatcher, RequestBody } from './body.ts';
import { addForwarding, believedRequestId } from './client-address.ts';
import type { ClientConnection, OpenWork } from './connection.ts';
import type { AgentFigures } from './figures.ts';
import type { Front } from './front.ts';
import { readHead, type RequestHead } from './head.ts';
import { listOf, type Sifted } from './headers.ts';
import { waitingPage } from './page/waiting-page.ts';
import type { Watched } from './pulse.ts';
import { OpenSocket } from './open-socket.ts';
import { headBytes, jsonAnswer, type OwnAnswer, problemAnswer, textAnswer } from './refusal.ts';
import { askedIn, logRequest } from './request-log.ts';
import { READERS_RETRY_SECONDS } from './state-readers.ts';
import { StateStream } from './state-stream.ts';
import type { UpgradeWait } from './upgrade.ts';
import type { ResponseHead } from './upstream/response-head.ts';
import type { Caller, Forwarding, UpstreamProblem } from './upstream/upstream.ts';

/** How to refuse. `close`: the connection ends with the refusal. */
interface Refusing {
  readonly close: boolean;
  readonly detail?: string | undefined;
  readonly retryAfterSeconds?: number | null;
  readonly allow?: string | undefined;
}

/**
 * One request from its head to its end, and one upgrade up to its 101, where an OpenSocket takes over. Read it from top to
 * bottom; that is the order in which things happen. Whatever happens, it ends once, in `finish`.
 */
export class Exchange implements Asking, Caller, BodyWatcher, OpenWork, Watched {
  place = -1;
  private readonly front: Front;
  private readonly connection: ClientConnection;
  private readonly request: IncomingMessage;
  private readonly upgrade: UpgradeWait | null;
  private readonly answer: Answer;
  private readonly startedAt: Instant;
  private requestId = '';
  private head: RequestHead | null = null;
  private agent: string | null = null;
  private figures: AgentFigures | null = null;
  private work: Work | null = null;
  /** While the request waits for its agent. */
  private hold: Hold | null = null;
  private body: RequestBody | null = null;
  private forwarding: Forwarding | null = null;
  private stream: StateStream | null = null;
  private problem: ProblemCode | null = null;
  private detail: string | null = null;
  private isOver = false;
  private forwardedAt: Instant;
  private firstByteDue: Instant | null = null;
  private bodyWantedSince: Instant | null = null;
  /** By when the agent has to take more of the body: it may have answered, and nothing else limits it then. */
  private takeDue: Instant | null = null;

  /** `upgrade`: the request is a WebSocket upgrade, and `response` the one it waits with. */
  constructor(
    front: Front,
    connection: ClientConnection,
    request: IncomingMessage,
    response: ServerResponse,
    upgrade: UpgradeWait | null,
  ) {
    this.front = front;
    this.connection = connection;
    this.request = request;
    this.upgrade = upgrade;
    this.answer = new Answer(front, connection, response, () => this.finish());
    this.startedAt = this.answer.progressAt;
    this.forwardedAt = this.startedAt;
  }

  start(): void {
    const { front, connection } = this;
    connection.begin(this);
    front.pulses.watch(this);
    const head = readHead(this.request, front.limits, connection.peer.trusted, this.upgrade !== null);
    this.requestId = believedRequestId(head.lines.requestId, connection.peer) ?? randomUUID();
    if ('fault' in head) {
      this.refuse(head.fault, { close: true, detail: head.detail });
      return;
    }
    this.head = head;
    const kind = this.upgrade === null ? 'request' : 'upgrade';
    this.follow(head, admit(head, kind, front, connection.peer, this));
  }

  private follow(head: RequestHead, decision: Decision): void {
    this.agent = decision.agent;
    // A stream is no request that was served: it would count its hours as the time an answer took.
    if (decision.agent !== null && decision.kind !== 'state-stream') this.figures = this.front.figures.of(decision.agent);
    switch (decision.kind) {
      case 'refuse':
        this.refuse(decision.problem, { ...decision, close: false });
        break;
      case 'answer':
        this.send(jsonAnswer(decision.status, decision.json, this.requestId, decision.retryAfterSeconds), false);
        break;
      case 'text':
        this.send(textAnswer(decision, this.requestId), false);
        break;
      case 'page':
        this.send(waitingPage(this.front.brandOf(decision.agent), decision.outlook, this.requestId), false);
        break;
      case 'state-stream':
        if (this.front.stateReaders.enter(decision.agent))
          this.stream = new StateStream(this.front, this.answer, decision.destination, this.requestId);
        else this.refuse('reader-limit', { close: false, retryAfterSeconds: READERS_RETRY_SECONDS });
        break;
      case 'hold':
        this.hold = decision;
        // A body that asks first whether it may come has to wait: that is the agent's to say.
        if (head.hasBody && !head.expectsContinue) {
          this.body = new RequestBody(this.request, this, decision.bodyBufferMax);
          this.body.readAhead();
        }
        break;
      case 'proxy':
        this.work = decision.work;
        this.forward(head, decision.work);
        break;
    }
  }

  settled(admission: Admission): void {
    const { head, hold } = this;
    assert(head !== null && hold !== null, 'only a request that waits is settled');
    this.hold = null;
    this.follow(head, hold.afterwards(admission));
  }

  private forward(head: RequestHead, work: Work): void {
    const { front, connection } = this;
    const { kept } = head.lines;
    addForwarding(kept, head.lines, connection.peer, front.peers, head.hostValue);
    // RFC 9110 section 7.6.3: with the version that the client spoke.
    kept.push('Via', head.speaks11 ? '1.1 reveille' : '1.0 reveille', 'X-Request-Id', this.requestId);
    if (head.expectsContinue) kept.push('Expect', '100-continue');
    if (head.lines.trailer !== null && head.lines.transferCoding !== null) kept.push('Trailer', head.lines.trailer);
    // RFC 9110 section 10.1.4: about this connection, so it is said anew, and only what we can pass on.
    if (this.upgrade === null && head.lines.connection.includes('te') && listOf(head.lines.te ?? '').includes('trailers'))
      kept.push('TE', 'trailers', 'Connection', 'TE');
    if (head.hasBody) this.body ??= new RequestBody(this.request, this, 0);
    this.forwardedAt = front.clock.now();
    this.firstByteDue = after(this.forwardedAt, front.limits.first_byte);
    this.forwarding = front.upstream.forward(
      {
        target: work.target,
        method: head.method,
        path: head.target,
        headers: kept,
        host: head.hostValue,
        contentLength: head.contentLength,
        body: this.body,
        upgrade: this.upgrade !== null,
      },
      this,
    );
  }

  // The request's body, on its way to the agent.

  bodyWanted(): void {
    this.takeDue = null;
    // A client that waits to be asked is waited for from then on.
    if (this.head?.expectsContinue !== true || this.answer.hasAskedForBody) this.bodyWantedSince = this.front.clock.now();
  }

  bodyCame(bytes: number): void {
    const now = this.front.clock.now();
    this.bodyWantedSince = now;
    this.takeDue = null;
    this.answer.progressAt = now;
    this.figures?.bytesIn.add(bytes);
    // An agent may only have something to say once it has the whole upload.
    if (this.firstByteDue !== null) this.firstByteDue = after(now, this.front.limits.first_byte);
  }

  bodyUnwanted(isWhole: boolean): void {
    this.bodyWantedSince = null;
    const { front, forwarding } = this;
    this.takeDue = isWhole || forwarding === null ? null : after(front.clock.now(), front.limits.first_byte);
  }

  // The answer, on its way to the client.

  informed(status: number, lines: Sifted): void {
    if (this.isOver) return;
    if (status !== 100) {
      // RFC 9110 section 15.2: never to HTTP/1.0.
      if (this.head?.speaks11 === true) this.answer.inform(status, lines);
    } else if (this.head?.expectsContinue === true) {
      this.answer.askForBody();
      this.bodyWanted();
    }
  }

  responded(response: ResponseHead): void {
    if (this.isOver || this.head === null) return;
    this.upstreamAnswered(response.status);
    if (this.isLast) this.connection.serveNoMore();
    this.answer.begin(this.head, response, this.requestId);
  }

  private upstreamAnswered(status: number): void {
    this.firstByteDue = null;
    this.figures?.upstreamAnswered(elapsed(this.forwardedAt, this.front.clock.now()));
    this.figures?.answered(status);
  }

  received(chunk: Buffer, taken: () => void): boolean {
    if (this.isOver) return true;
    this.figures?.bytesOut.add(chunk.length);
    return this.answer.write(chunk, taken, this.resumeAnswer);
  }

  caughtUp(): boolean {
    return this.isOver || this.answer.caughtUp(this.resumeAnswer);
  }

  private readonly resumeAnswer = (): void => {
    this.forwarding?.resume();
  };

  ended(trailers: readonly string[]): void {
    if (!this.isOver) this.answer.end(trailers);
  }

  /** The agent has agreed to speak WebSocket. */
  switched(lines: Sifted, socket: Duplex): void {
    // RFC 6455 section 4.1, as the client would judge if it saw these lines: it sees ours.
    const isWebSocket = lines.upgrade?.toLowerCase() === 'websocket' && lines.connection.includes('upgrade');
    if (this.isOver || this.upgrade === null || !isWebSocket) {
      socket.destroy();
      this.failed('upstream-invalid', 'a switch to another protocol than was asked for');
      return;
    }
    const { front, connection, agent, requestId, startedAt, work, figures } = this;
    assert(work !== null, 'who is answered was admitted');
    this.upstreamAnswered(101);
    const early = this.upgrade.release();
    lines.kept.push('X-Request-Id', requestId, 'Connection', 'Upgrade', 'Upgrade', 'websocket');
    connection.socket.write(headBytes(101, lines.kept), 'latin1');
    this.isOver = true;
    front.pulses.forget(this);
    const asked = askedIn(this.request, this.head);
    new OpenSocket(front, connection, socket, early, { asked, agent, requestId, startedAt, work, figures });
    connection.end(this);
    // It may have ended already, and then was not the last that was open here.
    front.workEnded();
  }

  // Ways to end early.

  failed(problem: UpstreamProblem, detail: string): void {
    if (this.isOver) return;
    this.figures?.upstreamFailed(problem);
    this.detail = detail;
    this.breakOff(problem, false);
  }

  /** The runtime may not wait for this any longer. */
  cut(): void {
    if (this.isOver) return;
    this.forwarding?.abort();
    this.failed('upstream-broken', 'the agent was taken away');
  }

  clientGone(): void {
    if (this.isOver) return;
    this.forwarding?.abort();
    this.detail ??= 'the client has gone';
    this.finish();
  }

  inputBroken(problem: ProblemCode): boolean {
    if (this.request.complete || this.isOver) return false;
    this.forwarding?.abort();
    this.breakOff(problem, true);
    return true;
  }

  /** Limits of time, all of them looked at here. */
  pulse(now: Instant): void {
    this.stream?.pulse(now);
    const { body_idle } = this.front.limits;
    if (this.firstByteDue !== null && now >= this.firstByteDue) {
      this.forwarding?.abort();
      this.failed('upstream-timeout', 'no answer within limits.first_byte');
    } else if (this.takeDue !== null && now >= this.takeDue) {
      this.forwarding?.abort();
      this.failed('upstream-timeout', 'the agent took nothing of the body within limits.first_byte');
    } else if (this.bodyWantedSince !== null && now >= after(this.bodyWantedSince, body_idle)) {
      this.forwarding?.abort();
      this.breakOff('request-timeout', true);
    } else if (this.answer.isStalled(now, body_idle)) {
      this.forwarding?.abort();
      this.detail = 'the client took no byte within limits.body_idle';
      this.answer.cut();
      this.finish();
    }
  }

  /** Answers with `problem` if nothing was sent yet; else the connection is cut, so that nobody takes the answer for whole. */
  private breakOff(problem: ProblemCode, close: boolean): void {
    this.problem = problem;
    if (!this.answer.begun) {
      this.refuse(problem, { close });
      return;
    }
    this.answer.cut();
    this.finish();
  }

  private refuse(problem: ProblemCode, how: Refusing): void {
    this.problem = problem;
    this.front.figures.refused(problem);
    this.send(problemAnswer(problem, this.requestId, how.detail, how.retryAfterSeconds ?? null, how.allow), how.close);
  }

  /** A body may follow or not, since its client was not asked for it: node ends the connection with this answer. */
  private get isLast(): boolean {
    return this.head?.expectsContinue === true && !this.answer.hasAskedForBody;
  }

  private send(answer: OwnAnswer, close: boolean): void {
    this.leaveHold();
    this.figures?.answered(answer.status);
    this.firstByteDue = null;
    this.bodyWantedSince = null;
    // node reads on, and hands over what it takes for requests, until the answer is out and the connection closed.
    if (close || this.isLast) this.connection.serveNoMore();
    this.answer.send(answer, close);
  }

  drain(): void {
    if (this.stream !== null) this.stream.end();
    else this.answer.beLast();
    if (this.hold !== null) this.refuse('draining', { close: true });
  }

  get lastProgress(): Instant {
    return this.answer.progressAt;
  }

  private leaveHold(): void {
    this.hold?.held.leave();
    this.hold = null;
  }

  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { front, connection, request } = this;
    const now = front.clock.now();
    front.pulses.forget(this);
    this.leaveHold();
    this.body?.stop();
    this.work?.end();
    this.stream?.close();
    this.figures?.ended(elapsed(this.startedAt, now));
    if (this.upgrade === null && !request.complete && !connection.socket.destroyed) {
      connection.dropRest(request, after(now, front.limits.body_idle));
    }
    connection.end(this);
    logRequest(front, {
      asked: askedIn(request, this.head),
      status: this.answer.status,
      took: elapsed(this.startedAt, now),
      agent: this.agent,
      requestId: this.requestId,
      problem: this.problem,
      detail: this.detail,
    });
    front.workEnded();
  }
}
