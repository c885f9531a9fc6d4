// A turn of the event loop, which no clock tells.
// eslint-disable-next-line no-restricted-imports
import { setImmediate } from 'node:timers';
import type { Clock } from '../../ports/clock.ts';
import type { Target } from '../../runtime/traffic.ts';
import { after, type Instant } from '../../std/time.ts';
import { PulseSource, type Watched } from '../pulse.ts';
import { TurnEnd } from '../turn-end.ts';
import { AgentConnection } from './agent-connection.ts';
import { ReadBuffers } from './read-buffers.ts';
import type { Limits } from './upstream.ts';

/** Kept connections per target. More would only be idle ones left over from a burst. */
const IDLE_MAX = 128;

/** All connections to agents. One is shared, one after another, by requests with the same `Target.key` and by nobody else. */
export class Pool implements Watched {
  place = -1;
  limits: Limits;
  readonly turnEnd = new TurnEnd();
  private readonly clock: Clock;
  private readonly pulses: PulseSource;
  private readonly buffers = new ReadBuffers();
  private readonly all = new Set<AgentConnection>();
  /** By when those that do not stand yet have to. */
  private readonly connecting = new Map<AgentConnection, Instant>();
  /** By target key, the one used last at the end: it is the least likely to be stale. */
  private readonly idle = new Map<string, AgentConnection[]>();
  /** Given back in this turn of the event loop. */
  private resting: AgentConnection[] = [];

  constructor(clock: Clock, limits: Limits) {
    this.clock = clock;
    this.limits = limits;
    this.pulses = new PulseSource(clock);
  }

  /** Idle ones included. */
  get size(): number {
    return this.all.size;
  }

  /** A kept connection to exactly this target, or null. */
  takeIdle(target: Target): AgentConnection | null {
    const idle = this.idle.get(target.key);
    for (let last = idle?.pop(); last !== undefined; last = idle?.pop()) if (last.isUsable) return last;
    return null;
  }

  open(target: Target, forUpgrade: boolean): AgentConnection {
    const connection = new AgentConnection(target, forUpgrade, this.buffers, this.gone);
    this.all.add(connection);
    this.connecting.set(connection, after(this.clock.now(), this.limits.connect));
    this.pulses.watch(this);
    return connection;
  }

  /**
   * Keeps it for the next request, from the next turn of the event loop on: what its agent may have written behind its
   * answer shows by then, and ends it.
   */
  giveBack(connection: AgentConnection): void {
    connection.giveBack();
    if (this.limits.upstream_idle === 0) {
      connection.end();
      return;
    }
    if (this.resting.length === 0) setImmediate(this.rested);
    this.resting.push(connection);
  }

  /** It was taken and not used: it is as old as before, and its agent may be about to end it. */
  putBack(connection: AgentConnection): void {
    connection.giveBack();
    const idle = this.idle.get(connection.key) ?? [];
    let at = idle.length;
    while (at > 0 && (idle[at - 1]?.idleSince ?? 0) > (connection.idleSince ?? 0)) at -= 1;
    idle.splice(at, 0, connection);
    this.idle.set(connection.key, idle);
    this.pulses.watch(this);
  }

  /** The key of a target begins with its agent. */
  endIdle(agent: string): void {
    this.rested();
    for (const [key, idle] of this.idle) if (key.startsWith(`${agent} `)) for (const connection of idle) connection.end();
  }

  close(): void {
    for (const connection of this.all) connection.end();
  }

  pulse(now: Instant): void {
    for (const [connection, due] of this.connecting) {
      if (connection.isConnected) this.connecting.delete(connection);
      else if (now >= due) connection.giveUp();
    }
    const oldest = now - this.limits.upstream_idle;
    for (const [key, idle] of this.idle) {
      if (idle.length === 0) this.idle.delete(key);
      // They were pushed in the order in which they came to rest.
      for (const connection of idle) {
        if (connection.idleSince === null || connection.idleSince > oldest) break;
        connection.end();
      }
    }
    if (this.connecting.size === 0 && this.idle.size === 0) this.pulses.forget(this);
  }

  private readonly rested = (): void => {
    const since = this.clock.now();
    const { resting } = this;
    this.resting = [];
    for (const connection of resting) {
      if (!connection.isUsable) continue;
      connection.idleSince = since;
      const idle = this.idle.get(connection.key);
      if (idle === undefined) this.idle.set(connection.key, [connection]);
      else if (idle.length < IDLE_MAX) idle.push(connection);
      else connection.end();
    }
    this.pulses.watch(this);
  };

  private readonly gone = (connection: AgentConnection): void => {
    this.all.delete(connection);
    this.connecting.delete(connection);
    const idle = this.idle.get(connection.key);
    const at = idle?.indexOf(connection) ?? -1;
    if (at !== -1) idle?.splice(at, 1);
  };
}
