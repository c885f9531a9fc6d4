import type { Address } from '../../../src/ports/engine.ts';
import { millisOf } from '../../../src/std/time.ts';
import { PublicServer, type PublicServerOptions } from '../../../src/proxy/server.ts';
import { UpstreamClient } from '../../../src/proxy/upstream/client.ts';
import type { Limits } from '../../../src/proxy/upstream/upstream.ts';
import { RecordingLog } from '../../support/recording-log.ts';
import { RecordingMetrics } from '../../support/recording-metrics.ts';
import { SimClock } from '../../support/sim-clock.ts';
import { FakeAgent, FakeTraffic } from './fake-traffic.ts';
import { answering, dial, OK, RawBackend, type RawConnection } from './raw.ts';

export const NO_RULES: PublicServerOptions['ignore'] = { defaults: false, rules: [] };

export const LIMITS: Limits = {
  header_bytes: 32 * 1024,
  header_lines: 200,
  uri_bytes: 8 * 1024,
  connections: 10_000,
  in_flight: 1000,
  connect: millisOf(2_000),
  first_byte: millisOf(600_000),
  body_idle: millisOf(60_000),
  keep_alive: millisOf(125_000),
  upstream_idle: millisOf(4_000),
};

/** A public port with one agent `kai` at kai.test, whose backend is a script; time stands still unless told. */
export class Bench {
  readonly clock = new SimClock();
  readonly log = new RecordingLog();
  readonly metrics = new RecordingMetrics();
  readonly traffic = new FakeTraffic();
  readonly backend: RawBackend;
  server!: PublicServer;
  upstream!: UpstreamClient;
  agent!: FakeAgent;
  address!: Address;
  private readonly clients: RawConnection[] = [];
  private readonly backends: RawBackend[] = [];

  private constructor(script: (connection: RawConnection, index: number) => void) {
    this.backend = new RawBackend(script);
  }

  static async open(
    options: {
      readonly script?: (connection: RawConnection, index: number) => void;
      readonly limits?: Partial<Limits>;
    } & Partial<Pick<PublicServerOptions, 'ignore' | 'trustedProxies' | 'logRequests' | 'brandOf'>> = {},
  ): Promise<Bench> {
    const bench = new Bench(options.script ?? answering(OK));
    await bench.backend.open();
    bench.agent = bench.addAgent('kai', bench.backend.address);
    const limits = { ...LIMITS, ...options.limits };
    bench.upstream = new UpstreamClient({ clock: bench.clock, limits });
    bench.server = new PublicServer({
      traffic: bench.traffic,
      upstream: bench.upstream,
      limits,
      trustedProxies: options.trustedProxies ?? [],
      ignore: options.ignore ?? { defaults: true, rules: [] },
      brandOf: options.brandOf ?? ((agent) => ({ title: agent, logo: null, accent: '#3a6ea5' })),
      logRequests: options.logRequests ?? 'all',
      clock: bench.clock,
      log: bench.log,
      metrics: bench.metrics,
    });
    bench.address = await bench.server.listen({ host: '127.0.0.1', port: 0 });
    return bench;
  }

  addAgent(name: string, address: Address): FakeAgent {
    const agent = new FakeAgent(name, address);
    this.traffic.hosts.set(`${name}.test`, agent);
    return agent;
  }

  async addBackend(script: (connection: RawConnection, index: number) => void): Promise<RawBackend> {
    const backend = await new RawBackend(script).open();
    this.backends.push(backend);
    return backend;
  }

  async client(allowHalfOpen = false): Promise<RawConnection> {
    const client = await dial(this.address, allowHalfOpen);
    this.clients.push(client);
    return client;
  }

  /** Sends `request` on a new connection, and waits for its end. Use `Connection: close`, or a request that is refused. */
  async exchange(request: string): Promise<string> {
    const client = await this.client();
    return client.send(request).untilClosed();
  }

  /** A GET with these extra header lines, on a connection of its own. */
  get(lines = '', target = '/'): Promise<string> {
    return this.exchange(`GET ${target} HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n${lines}\r\n`);
  }

  async close(): Promise<void> {
    for (const { socket } of this.clients) socket.destroy();
    await this.server.drain(millisOf(0));
    await this.backend.close();
    for (const backend of this.backends) await backend.close();
  }
}

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
export const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);
/** The code at the end of a problem's `type`. */
export function problemOf(answer: string): string {
  return /"type":"[^"]*\/([a-z-]+)"/.exec(answer)?.[1] ?? `no problem in ${JSON.stringify(answer)}`;
}
