import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../ports/clock.ts';
import { after, type Instant, type Millis, millisOf } from '../std/time.ts';
import { CLOSE_GOING_AWAY, CLOSE_GOING_AWAY_MASKED, FrameScanner } from './frames.ts';
import type { PulseSource, Watched } from './pulse.ts';
import { StallWatch } from './stall-watch.ts';
import type { Limits } from './upstream/upstream.ts';

/** Contract section 2: after the first end of either side the whole tunnel is gone within 2 s. */
const CLOSING_MAX = millisOf(1800);

/** Told of a tunnel's life. */
export interface TunnelWatcher {
  /** Bytes read from one side and handed to the other. `dataFrames`: heads of data frames among them. */
  passed(direction: 'in' | 'out', bytes: number, dataFrames: number): void;
  /** Either side has ended, or the tunnel was closed. Called once. */
  tunnelEnded(): void;
}

/** One direction: what is read from one side is written to the other, at the pace of the slower. */
class Flow {
  readonly scanner = new FrameScanner();
  private readonly from: Duplex;
  private readonly to: Duplex;
  private readonly passed: (bytes: number, dataFrames: number) => void;
  private readonly stall: StallWatch;
  private isOpen = true;

  constructor(from: Duplex, to: Duplex, passed: (bytes: number, dataFrames: number) => void) {
    this.from = from;
    this.to = to;
    this.passed = passed;
    this.stall = new StallWatch(to);
    from.on('data', (chunk: Buffer) => this.pass(chunk));
    to.on('drain', () => {
      this.stall.reset();
      from.resume();
    });
  }

  /** Whoever reads has taken nothing for `limit`. Meanwhile the other side is not read, so that not even its end is noticed. */
  isStalled(now: Instant, limit: Millis): boolean {
    return this.to.writableNeedDrain && this.stall.isStalled(now, limit);
  }

  pass(chunk: Buffer): void {
    if (!this.isOpen) return;
    this.passed(chunk.length, this.scanner.scan(chunk));
    if (!this.to.write(chunk)) this.from.pause();
  }

  /** No more passes. What was written is still delivered, then `last` if it may stand there, then the end. */
  close(last: Buffer | null): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    // Read on and throw away: a full socket would keep its end, and ours, from being noticed.
    this.from.resume();
    if (this.to.destroyed || !this.to.writable) return;
    if (last !== null && this.scanner.atBoundary) this.to.end(last);
    else this.to.end();
  }
}

/**
 * A WebSocket after its 101: bytes both ways, untouched. There is no half-close, since neither end of a WebSocket has a use
 * for one and a forgotten half is a connection nobody ends.
 */
export class Tunnel implements Watched {
  place = -1;
  private readonly client: Socket;
  private readonly agent: Duplex;
  private readonly clock: Clock;
  private readonly pulses: PulseSource;
  private readonly watcher: TunnelWatcher;
  private readonly inward: Flow;
  private readonly outward: Flow;
  private destroyAt: Instant | null = null;

  constructor(client: Socket, agent: Duplex, clock: Clock, pulses: PulseSource, watcher: TunnelWatcher) {
    this.client = client;
    this.agent = agent;
    this.clock = clock;
    this.pulses = pulses;
    this.watcher = watcher;
    this.inward = new Flow(client, agent, (bytes, dataFrames) => watcher.passed('in', bytes, dataFrames));
    this.outward = new Flow(agent, client, (bytes, dataFrames) => watcher.passed('out', bytes, dataFrames));
    for (const side of [client, agent]) {
      // The reason of a reset is of no use to anybody; `close` follows it.
      side.on('error', () => undefined);
      side.on('end', () => this.close(null, null));
      side.on('close', () => this.sideClosed());
    }
  }

  /** `early`: what the client sent before its upgrade was answered. */
  start(early: readonly Buffer[]): void {
    for (const chunk of early) this.inward.pass(chunk);
    if (this.client.destroyed || this.client.readableEnded || this.agent.destroyed) {
      this.close(null, null);
      return;
    }
    this.client.resume();
    this.agent.resume();
  }

  /** Says Close 1001 to both, where a frame may stand; inside a frame the side is just ended. */
  goAway(): void {
    this.close(CLOSE_GOING_AWAY, CLOSE_GOING_AWAY_MASKED);
  }

  /** Bytes wait for a side that takes none: a client may keep us waiting as with an answer, an agent as with an upload. */
  isStalled(now: Instant, { body_idle, first_byte }: Limits): boolean {
    return this.outward.isStalled(now, body_idle) || this.inward.isStalled(now, first_byte);
  }

  destroy(): void {
    this.client.destroy();
    this.agent.destroy();
  }

  pulse(now: Instant): void {
    if (this.destroyAt !== null && now >= this.destroyAt) this.destroy();
  }

  private close(toClient: Buffer | null, toAgent: Buffer | null): void {
    if (this.destroyAt !== null) return;
    this.destroyAt = after(this.clock.now(), CLOSING_MAX);
    this.pulses.watch(this);
    this.outward.close(toClient);
    this.inward.close(toAgent);
    this.watcher.tunnelEnded();
  }

  private sideClosed(): void {
    this.close(null, null);
    // The other side has what was read, or is getting it; once it is gone too there is nothing left to limit.
    if (this.client.destroyed && this.agent.destroyed) this.pulses.forget(this);
  }
}
