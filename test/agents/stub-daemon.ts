import { type IncomingHttpHeaders, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * An internal port that answers what a test tells it to and keeps what it was asked. It decides nothing: what the kit sends
 * is compared with the contract by the test, not by a second daemon.
 */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export class StubDaemon implements AsyncDisposable {
  readonly calls: Call[] = [];
  /** 'never' leaves the caller without an answer. */
  answer: (call: Call) => Answer | 'never' = () => ({ status: 500 });
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
  }

  static async start(): Promise<StubDaemon> {
    const server = createServer();
    const stub = new StubDaemon(server);
    server.on('request', (request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        const call: Call = {
          method: request.method ?? '',
          path: request.url ?? '',
          headers: request.headers,
          body: text === '' ? undefined : JSON.parse(text),
        };
        stub.calls.push(call);
        const answer = stub.answer(call);
        if (answer === 'never') return;
        response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
        response.end(
          answer.body === undefined ? '' : typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** `GET /api/self` and so on, as `METHOD path`. */
  get asked(): readonly string[] {
    return this.calls.map((call) => `${call.method} ${call.path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** What an agent is told of itself while it is idle for 10 s of its minute. */
export const SELF = {
  agent: 'kai',
  state: 'ready',
  since: '2026-01-01T00:00:00.000Z',
  woken_by: 'request',
  last_activity: '2026-01-01T00:00:10.000Z',
  sleeps_at: '2026-01-01T00:01:10.000Z',
  hostnames: ['kai.localhost'],
  domains: ['*.kai.localhost'],
  replicas: { wanted: 1, running: 1, max: 3 },
  tasks: [],
};
