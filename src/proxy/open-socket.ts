import type { Duplex } from 'node:stream';
import type { Work } from '../runtime/traffic.ts';
import { elapsed, type Instant, instantOf } from '../std/time.ts';
import type { ClientConnection, OpenWork } from './connection.ts';
import type { AgentFigures } from './figures.ts';
import type { Front } from './front.ts';
import type { Watched } from './pulse.ts';
import { type Asked, logRequest } from './request-log.ts';
import { Tunnel, type TunnelWatcher } from './tunnel.ts';

/** What is known of an upgrade once it went through. */
export interface Upgraded {
  readonly asked: Asked;
  readonly agent: string | null;
  readonly requestId: string;
  readonly startedAt: Instant;
  readonly work: Work;
  readonly figures: AgentFigures | null;
}

/**
 * A WebSocket after its 101: the work that it is, and what counts and limits it. It takes the place of the request that asked
 * for it, whose head, parser and answer are thousands of bytes that thousands of silent sockets would keep for hours.
 */
export class OpenSocket implements OpenWork, TunnelWatcher, Watched {
  place = -1;
  /** As long as it is open nobody has to wonder whether the client still reads. */
  readonly lastProgress = instantOf(Number.POSITIVE_INFINITY);
  private readonly front: Front;
  private readonly connection: ClientConnection;
  private readonly upgraded: Upgraded;
  private readonly tunnel: Tunnel;
  private detail: string | null = null;
  private isOver = false;

  /** `early`: what the client sent before its upgrade was answered. */
  constructor(front: Front, connection: ClientConnection, agent: Duplex, early: readonly Buffer[], upgraded: Upgraded) {
    this.front = front;
    this.connection = connection;
    this.upgraded = upgraded;
    this.tunnel = new Tunnel(connection.socket, agent, front.clock, front.pulses, this);
    connection.begin(this);
    front.pulses.watch(this);
    upgraded.work.upgraded(() => this.tunnel.goAway());
    this.tunnel.start(early);
    if (front.draining) this.tunnel.goAway();
  }

  passed(direction: 'in' | 'out', bytes: number, dataFrames: number): void {
    const { figures, work } = this.upgraded;
    (direction === 'in' ? figures?.bytesIn : figures?.bytesOut)?.add(bytes);
    for (let frame = 0; frame < dataFrames; frame += 1) work.touch();
  }

  tunnelEnded(): void {
    this.finish();
  }

  pulse(now: Instant): void {
    if (!this.tunnel.isStalled(now, this.front.limits)) return;
    this.detail = 'one side of the WebSocket took no byte for too long';
    this.tunnel.destroy();
  }

  clientGone(): void {
    this.detail ??= 'the client has gone';
    this.finish();
  }

  /** No parser reads any more. */
  inputBroken(): boolean {
    return false;
  }

  drain(): void {
    this.tunnel.goAway();
  }

  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { front, connection, upgraded } = this;
    const { asked, agent, requestId, startedAt, work } = upgraded;
    front.pulses.forget(this);
    work.end();
    connection.end(this);
    const took = elapsed(startedAt, front.clock.now());
    logRequest(front, { asked, status: 101, took, agent, requestId, problem: null, detail: this.detail });
    front.workEnded();
  }
}
