import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { PublicServer } from '../../src/proxy/server.ts';
import { UpstreamClient } from '../../src/proxy/upstream/client.ts';
import type { Caller, Forwarding, ForwardOrder, Upstream } from '../../src/proxy/upstream/upstream.ts';
import { millisOf } from '../../src/std/time.ts';
import { LIMITS, NO_RULES } from '../proxy/support/bench.ts';
import { FakeAgent, FakeTraffic } from '../proxy/support/fake-traffic.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingMetrics } from '../support/recording-metrics.ts';
import { SimClock } from '../support/sim-clock.ts';
import { StrictParser } from './node-parser.ts';
import { RecordingAgent } from './recording-agent.ts';
import type { RequestsRead } from './request-reading.ts';
import { type Conversation, HOST } from './requests.ts';

/** Longest a conversation may take. It only bounds a failing run; time stands still for the front itself. */
const PATIENCE_MS = 10_000;

/** An answer as its client read it. */
export interface Answered {
  readonly status: number;
  readonly id: string | null;
  readonly fromAgent: boolean;
  /** It said that nothing follows. */
  readonly closes: boolean;
  body: string;
  isWhole: boolean;
}

/** What came of a conversation. */
export interface Heard {
  readonly answers: readonly Answered[];
  /** Answers were no HTTP, or it did not come to an end. */
  readonly failure: string | null;
}

/** The real public port with one agent behind it, and a note of every request that it has let through, in order. */
export class FuzzedFront {
  /** Since somebody has last emptied it. */
  admitted: ForwardOrder[] = [];
  readonly agent = new RecordingAgent();
  private readonly upstream: UpstreamClient;
  private readonly server: PublicServer;
  private port = 0;

  private constructor() {
    const clock = new SimClock();
    this.upstream = new UpstreamClient({ clock, limits: LIMITS });
    const traffic = new FakeTraffic();
    const noting: Upstream = {
      forward: (order: ForwardOrder, caller: Caller): Forwarding => {
        this.admitted.push(order);
        return this.upstream.forward(order, caller);
      },
      updateLimits: (limits) => this.upstream.updateLimits(limits),
      endIdle: (agent) => this.upstream.endIdle(agent),
      close: () => this.upstream.close(),
    };
    this.server = new PublicServer({
      ...{ traffic, upstream: noting, limits: LIMITS, trustedProxies: [], ignore: NO_RULES, logRequests: 'none', clock },
      brandOf: (agent) => ({ title: agent, logo: null, accent: '#3a6ea5' }),
      log: new RecordingLog(),
      metrics: new RecordingMetrics(),
    });
    this.traffic = traffic;
  }

  private readonly traffic: FakeTraffic;

  static async open(): Promise<FuzzedFront> {
    const front = new FuzzedFront();
    await front.agent.open();
    front.traffic.hosts.set(HOST, new FakeAgent('kai', front.agent.address));
    ({ port: front.port } = await front.server.listen({ host: '127.0.0.1', port: 0 }));
    return front;
  }

  async close(): Promise<void> {
    await this.server.drain(millisOf(0));
    await this.agent.close();
  }

  /** Sends it all on one connection, and listens until it is over. `expected`: what there is to answer. */
  async hold({ bytes, cuts }: Conversation, expected: RequestsRead): Promise<Heard> {
    const answers: Answered[] = [];
    const seen: { failure: string | null; isTunnel: boolean } = { failure: null, isTunnel: false };
    const parser = new StrictParser('answer', {
      head: ({ status, pairs, isUpgrade }) => {
        if (status < 200 && status !== 101) return 1;
        const value = (name: string): string | null => {
          const at = pairs.findIndex((known, index) => index % 2 === 0 && known.toLowerCase() === name);
          return at === -1 ? null : pairs[at + 1]!;
        };
        const request = expected.requests[answers.length];
        answers.push({
          ...{ status, id: value('x-request-id'), fromAgent: value('x-agent') !== null },
          ...{ closes: value('connection') === 'close', body: '', isWhole: false },
        });
        if (isUpgrade) seen.isTunnel = true;
        return isUpgrade ? 2 : request?.method === 'HEAD' ? 1 : 0;
      },
      body: (part) => (answers.at(-1)!.body += part),
      whole: () => {
        const last = answers.at(-1);
        if (last !== undefined) last.isWhole = true;
      },
    });
    const socket = connect({ host: '127.0.0.1', port: this.port, noDelay: true });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    let wake = (): void => undefined;
    socket.on('data', (chunk) => {
      if (!seen.isTunnel && seen.failure === null) {
        const refused = parser.feed(chunk);
        if (refused !== null)
          seen.failure = `the client was sent no answer, ${refused}: ${JSON.stringify(chunk.toString('latin1'))}`;
      }
      wake();
    });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    let from = 0;
    for (const to of [...cuts, bytes.length]) {
      if (from > 0) await turn();
      if (!socket.writable) break;
      socket.write(bytes.slice(from, to), 'latin1');
      from = to;
    }
    const late = setTimeout(() => {
      seen.failure = `it is not over: ${answers.length} answers, reading ${expected.ending}`;
      socket.destroy();
    }, PATIENCE_MS);
    // What is whole has been answered: from here on only the connection's end is waited for, or it is ended.
    const due = expected.requests.filter(({ isWhole }) => isWhole).length;
    const isAnswered = (): boolean => seen.isTunnel || (answers.length >= due && answers.every(({ isWhole }) => isWhole));
    while (!isAnswered() && !socket.destroyed) await Promise.race([closed, new Promise<void>((resolve) => (wake = resolve))]);
    if (expected.ending === 'clean' || expected.ending === 'last') socket.destroy();
    else if (seen.isTunnel || expected.ending === 'cut') socket.end();
    await closed;
    clearTimeout(late);
    parser.end();
    parser.close();
    return { answers, failure: seen.failure };
  }
}
