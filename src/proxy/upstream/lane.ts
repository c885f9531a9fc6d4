import { connect, type Socket } from 'node:net';
import { Client } from 'undici';
import type { Address } from '../../ports/engine.ts';
import { type Instant, type Millis, after } from '../../std/time.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PulseSource, Watched } from '../pulse.ts';

/** An answer's head may not be larger. Agents are ours, so this is generous, but it is a limit. */
const RESPONSE_HEAD_BYTES_MAX = 64 * 1024;

/** Dead peers of connections that are silent on purpose are noticed by the kernel. */
const KEEP_ALIVE_PROBE_AFTER_MS = 60_000;

/** Set on the error when a connection did not come about in time. */
export const CONNECT_TIMEOUT = 'CONNECT_TIMEOUT';

/**
 * Undici wants a URL. Never the agent's own: what the config takes for a host is not all a host to `new URL` (`999.1.1.1`,
 * `a.0x4`), which throws. Where to connect and which Host to send is said otherwise.
 */
const ORIGIN = 'http://agent.invalid';

export interface LaneLimits {
  readonly connect: Millis;
  readonly idle: Millis;
}

/**
 * One undici client, which is one connection at a time. Undici's own pool is not used: it hides whether a connection was
 * fresh or kept, on which the retry rule turns, and a request cannot be taken back from it while it connects.
 */
export class Lane implements Watched {
  readonly key: string;
  readonly client: Client;
  /** It has carried a whole exchange before. */
  kept = false;
  private readonly clock: Clock;
  private readonly pulses: PulseSource;
  private readonly limits: LaneLimits;
  private socket: Socket | null = null;
  private connectDue: Instant | null = null;

  constructor(key: string, address: Address, limits: LaneLimits, clock: Clock, pulses: PulseSource) {
    this.key = key;
    this.clock = clock;
    this.pulses = pulses;
    this.limits = limits;
    this.client = new Client(ORIGIN, {
      connect: (_options, callback) => this.dial(address, callback),
      pipelining: 1,
      // Time limits of ours are kept by the caller, on the Clock; an idle connection is the one thing undici times itself.
      headersTimeout: 0,
      bodyTimeout: 0,
      // It takes no 0. Whoever wants no idle connection gets none: see Lanes.release.
      keepAliveTimeout: Math.max(1, limits.idle),
      keepAliveMaxTimeout: Math.max(1, limits.idle),
      keepAliveTimeoutThreshold: 1000,
      maxHeaderSize: RESPONSE_HEAD_BYTES_MAX,
    });
  }

  /** The connection can still carry a request, as far as can be told. */
  get usable(): boolean {
    return this.socket !== null && !this.socket.destroyed && this.socket.writable;
  }

  pulse(now: Instant): void {
    if (this.connectDue === null || now < this.connectDue) return;
    this.socket?.destroy(Object.assign(new Error('no connection in time'), { code: CONNECT_TIMEOUT }));
  }

  /** Ends the connection and whatever is on it. */
  end(): void {
    this.connected();
    // An upgraded connection is not the client's any more, and outlives it.
    this.client.destroy().catch(() => undefined);
    if (this.socket?.connecting === true) this.socket.destroy();
  }

  private dial(address: Address, callback: (...result: [null, Socket] | [Error, null]) => void): void {
    const socket = connect({
      host: address.host,
      port: address.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_AFTER_MS,
    });
    this.socket = socket;
    this.kept = false;
    this.connectDue = after(this.clock.now(), this.limits.connect);
    this.pulses.watch(this);
    let cause: Error | null = null;
    // Stays for the life of the socket: undici takes its own listeners off when a connection is upgraded.
    socket.on('error', (error) => (cause ??= error));
    const failed = (): void => {
      this.connected();
      callback(cause ?? new Error('the connection was given up'), null);
    };
    socket.once('close', failed);
    socket.once('connect', () => {
      socket.off('close', failed);
      this.connected();
      callback(null, socket);
    });
  }

  private connected(): void {
    this.connectDue = null;
    this.pulses.forget(this);
  }
}
