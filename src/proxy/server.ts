import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Config } from '../contract/config.ts';
import type { ProblemCode } from '../contract/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { Address } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Traffic } from '../runtime/traffic.ts';
import { assert } from '../std/assert.ts';
import { after, type Instant, type Millis } from '../std/time.ts';
import { peerOf, TrustedPeers } from './client-address.ts';
import { ClientConnection } from './connection.ts';
import { Figures } from './figures.ts';
import { FrontRequest } from './front-request.ts';
import type { Front } from './front.ts';
import { IgnoreBook } from './ignore.ts';
import { wantsWebSocket } from './head.ts';
import { REQUEST_FIELDS, sift } from './headers.ts';
import type { Brand } from './page/brand.ts';
import { PulseSource, type Watched } from './pulse.ts';
import { Exchange } from './request.ts';
import { StateReaders } from './state-readers.ts';
import { TurnEnd } from './turn-end.ts';
import { UpgradeWait } from './upgrade.ts';
import type { Limits, Upstream } from './upstream/upstream.ts';

/** A head that is not whole by then is answered 408. Not in config: no honest client takes this long. */
const HEAD_TIMEOUT_MS = 20_000;
/** How often node looks at the former; its default of 30 s would make it 50 s. */
const HEAD_CHECK_INTERVAL_MS = 1_000;
/** Silent connections of clients that have vanished without a word are noticed by the kernel. */
const KEEP_ALIVE_PROBE_AFTER_MS = 60_000;
/** Refused connections that may linger beside `limits.connections`; beyond them even the refusal is dropped. */
const REFUSED_CONNECTIONS_MAX = 1_000;
/**
 * Requests open at a time on one connection. Each is handed to its agent as it comes, so without a limit one connection holds
 * all of limits.in_flight; and once the answers that wait behind the first fill node's buffer, it reads no more and does not
 * notice that the client has gone. Clients that pipeline at all are far below it, and have to send again what was not
 * answered (RFC 9112 section 9.3.2).
 */
const PIPELINED_MAX = 100;

export interface PublicServerOptions {
  readonly traffic: Traffic;
  readonly upstream: Upstream;
  readonly limits: Limits;
  /** CIDRs, addresses, and the words `loopback` and `private`. */
  readonly trustedProxies: readonly string[];
  /** Rules of all agents: who neither wakes them nor keeps them awake. */
  readonly ignore: Config['ignore'];
  readonly logRequests: 'all' | 'errors' | 'none';
  /** How an agent's waiting page looks. Asked anew for each. */
  readonly brandOf: (agent: string) => Brand;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What of the options a reload may change. It holds for requests (limits, rules, log) and connections (trust) that come after. */
export type PublicServerChange = Pick<PublicServerOptions, 'limits' | 'trustedProxies' | 'ignore' | 'logRequests'>;

/**
 * The public port. Requests are taken straight from node:http, before any router: its parser is strict and stands against
 * the untrusted side, and everything a router adds would be paid for by every request (adr 0001). Several listeners share
 * one handler: the public port, and the unix socket of path access, whose peers are our own and trusted.
 */
export class PublicServer implements Front {
  readonly clock: Clock;
  readonly log: Log;
  readonly traffic: Traffic;
  readonly upstream: Upstream;
  readonly figures: Figures;
  readonly pulses: PulseSource;
  readonly turnEnd = new TurnEnd();
  readonly stateReaders = new StateReaders();
  readonly brandOf: (agent: string) => Brand;
  limits: Limits;
  peers: TrustedPeers;
  ignoring: IgnoreBook;
  logRequests: 'all' | 'errors' | 'none';
  draining = false;
  private readonly servers = new Set<Server>();
  private readonly connections = new Map<Duplex, ClientConnection>();
  /** Those that count against limits.connections. */
  private publicConnections = 0;
  private drainBy: Instant | null = null;
  private drained: Promise<void> | null = null;

  constructor(options: PublicServerOptions) {
    this.clock = options.clock;
    this.log = options.log;
    this.traffic = options.traffic;
    this.upstream = options.upstream;
    this.figures = new Figures(options.metrics);
    this.pulses = new PulseSource(options.clock);
    this.brandOf = options.brandOf;
    this.limits = options.limits;
    this.peers = new TrustedPeers(options.trustedProxies);
    this.ignoring = new IgnoreBook(options.ignore);
    this.logRequests = options.logRequests;
  }

  /** Opens a TCP listener and resolves with its address; port 0 picks a free one. Rejects with node's error. */
  async listen(where: { readonly host: string; readonly port: number }): Promise<Address> {
    const server = this.makeServer(false);
    await open(server, where);
    const address = server.address();
    assert(address !== null && typeof address === 'object', 'a TCP listener has an address');
    return { host: address.address, port: address.port };
  }

  /** Opens a unix socket for the daemon's own use. Its peers are trusted, and do not count against limits.connections. */
  async listenLocal(path: string): Promise<void> {
    await open(this.makeServer(true), { path });
  }

  reconfigure(change: PublicServerChange): void {
    this.limits = change.limits;
    this.peers = new TrustedPeers(change.trustedProxies);
    this.ignoring = new IgnoreBook(change.ignore);
    this.logRequests = change.logRequests;
    this.upstream.updateLimits(change.limits);
    for (const server of this.servers) this.applyLimits(server);
  }

  /** The agent was removed: its series are not moved any more. */
  forgetAgent(agent: string): void {
    this.figures.forget(agent);
  }

  /** The agent is about to be frozen: a connection that it keeps meanwhile would be one that it has given up. */
  endConnections(agent: string): void {
    this.upstream.endIdle(agent);
  }

  /**
   * Stops accepting, lets open requests finish, closes WebSockets with 1001, and ends what is left after `timeout`.
   * Resolves once every connection has closed. A second call can only shorten the time.
   */
  drain(timeout: Millis): Promise<void> {
    const by = after(this.clock.now(), timeout);
    if (this.drainBy === null || by < this.drainBy) this.drainBy = by;
    if (this.drained !== null) {
      if (timeout <= 0) this.destroyAll();
      return this.drained;
    }
    this.draining = true;
    // close() also stops node's check for heads that never become whole; those connections go when the work is done.
    const closing = [...this.servers].map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    this.drained = Promise.all(closing).then(() => {
      this.pulses.forget(this.deadline);
      this.upstream.close();
    });
    for (const connection of [...this.connections.values()]) connection.drain();
    this.pulses.watch(this.deadline);
    if (timeout <= 0) this.destroyAll();
    else this.workEnded();
    return this.drained;
  }

  workEnded(): void {
    if (!this.draining) return;
    for (const connection of this.connections.values()) if (connection.open.length > 0) return;
    // Nothing is owed to anybody: half-sent heads and idle connections, which node closes only once, go now.
    for (const connection of [...this.connections.values()]) connection.finishSoon();
  }

  private readonly deadline: Watched = {
    place: -1,
    pulse: (now) => {
      if (this.drainBy !== null && now >= this.drainBy) this.destroyAll();
    },
  };

  private destroyAll(): void {
    for (const connection of [...this.connections.values()]) connection.destroy();
  }

  private makeServer(isLocal: boolean): Server {
    const server = createServer({
      IncomingMessage: FrontRequest,
      headersTimeout: HEAD_TIMEOUT_MS,
      // Long honest uploads exist; limits.body_idle watches for pauses instead.
      requestTimeout: 0,
      connectionsCheckingInterval: HEAD_CHECK_INTERVAL_MS,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_AFTER_MS,
      noDelay: true,
      // Ours to answer, as a problem: node's own reply is bare, and lets two Host lines through anyway.
      requireHostHeader: false,
      joinDuplicateHeaders: false,
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: (request: IncomingMessage) => {
        const isWebSocket = wantsWebSocket(request, sift(request.rawHeaders, REQUEST_FIELDS, false));
        const connection = this.connections.get(request.socket);
        if (!isWebSocket && connection !== undefined) connection.upgradeDeclined = true;
        return isWebSocket;
      },
    });
    // Counted by ourselves, on every version of node: see head.ts.
    server.maxHeadersCount = 0;
    server.maxRequestsPerSocket = 0;
    // Undocumented, but old and stable: without it a client that ends its side (`nc -N`) never gets its answer.
    Object.assign(server, { httpAllowHalfOpen: true });
    this.applyLimits(server);
    server.on('connection', (socket) => this.connected(socket, isLocal));
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => this.requested(request, response);
    // An expectation is part of the head, and decided with it.
    server.on('request', onRequest).on('checkContinue', onRequest).on('checkExpectation', onRequest);
    server.on('upgrade', (request, socket, head) => this.upgradeRequested(request, socket, head));
    server.on('connect', (_request, socket) => this.connectRequested(socket));
    server.on('clientError', (error, socket) => this.inputBroken(error, socket));
    this.servers.add(server);
    return server;
  }

  private applyLimits(server: Server): void {
    const { limits } = this;
    server.keepAliveTimeout = limits.keep_alive;
    server.maxConnections = limits.connections + REFUSED_CONNECTIONS_MAX;
    // node counts less of a head than we do, so ours strikes first; room for a long target lets that be told apart.
    Object.assign(server, { maxHeaderSize: limits.header_bytes + limits.uri_bytes });
  }

  private connected(socket: Socket, isLocal: boolean): void {
    const isOverLimit = !isLocal && this.publicConnections >= this.limits.connections;
    const connection = new ClientConnection(this, socket, peerOf(socket.remoteAddress, isLocal, this.peers));
    this.connections.set(socket, connection);
    const counts = !isLocal && !isOverLimit;
    if (counts) this.publicConnections += 1;
    socket.on('close', () => {
      this.connections.delete(socket);
      if (counts) this.publicConnections -= 1;
    });
    if (isOverLimit) connection.refuse('connection-limit');
    else if (this.draining) connection.refuse('draining');
  }

  private requested(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.connections.get(request.socket);
    if (connection === undefined || connection.isRefused) {
      // Read on all the same, or what is behind it would keep the refusal from arriving.
      request.resume();
      return;
    }
    if (connection.open.length >= PIPELINED_MAX) {
      connection.destroy();
      return;
    }
    if (connection.upgradeDeclined) {
      connection.serveNoMore();
      response.shouldKeepAlive = false;
    }
    new Exchange(this, connection, request, response, null).start();
  }

  private upgradeRequested(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.connections.get(socket);
    if (connection === undefined || connection.isRefused) return void socket.destroy();
    // Behind an unfinished request the 101 would be sent before that request's answer. Nobody honest does this.
    if (connection.open.length > 0) {
      connection.destroy();
      return;
    }
    let exchange: Exchange | null = null;
    const wait = new UpgradeWait(request, connection.socket, head, () => {
      exchange?.clientGone();
      connection.destroy();
    });
    exchange = new Exchange(this, connection, request, wait.response, wait);
    exchange.start();
  }

  private connectRequested(socket: Duplex): void {
    const connection = this.connections.get(socket);
    if (connection === undefined || connection.open.length > 0) return void socket.destroy();
    connection.refuse('method-not-allowed');
    socket.resume();
  }

  private inputBroken(error: Error, socket: Duplex): void {
    const connection = this.connections.get(socket);
    if (connection === undefined) return void socket.destroy();
    const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
    if (code === 'ECONNRESET' || code === 'EPIPE' || !socket.writable) {
      connection.destroy();
      return;
    }
    connection.inputBroken(INPUT_PROBLEMS[code] ?? 'bad-request');
  }
}

const INPUT_PROBLEMS: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
};

function open(
  server: Server,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...where, backlog: 1024 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
