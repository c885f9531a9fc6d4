import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { CallName } from '../../src/swarm/calls.ts';
import { type Fault, callOf, misbehave } from '../support/api-faults.ts';

/**
 * A Docker socket that leads to the real one and can fail: all of it, or only the event stream, or just before one call, or
 * at every call of a kind. Bytes of bodies pass as they are.
 */
export class Relay {
  /** `METHOD /path` of every call, without the API version and the query. */
  readonly calls: string[] = [];
  /** Such calls do not reach the engine, and are answered so. */
  readonly faults = new Map<CallName, Fault>();
  private readonly path: string;
  private readonly engine: string;
  private server: Server | null = null;
  private readonly events = new Set<ServerResponse>();
  private before: { readonly call: RegExp; readonly act: () => Promise<void> } | null = null;

  constructor(path: string, engine: string) {
    this.path = path;
    this.engine = engine;
  }

  async open(): Promise<void> {
    // The default would end the event stream, and with it the test's whole point, whenever it is quiet.
    const server = createServer({ requestTimeout: 0 }, (asked, answer) => void this.pass(asked, answer));
    server.listen(this.path);
    await once(server, 'listening');
    this.server = server;
  }

  /** Docker is gone: its socket too, and every call that is under way. */
  async cut(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (server === null) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    rmSync(this.path, { force: true });
  }

  /** Ends the event streams and nothing else. How many there were. */
  cutEvents(): number {
    const streams = [...this.events];
    for (const stream of streams) stream.destroy();
    return streams.length;
  }

  /** Once: `act` is waited for before the next call that matches is passed on. */
  beforeNext(call: RegExp, act: () => Promise<void>): void {
    this.before = { call, act };
  }

  private async pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = asked.url ?? '/';
    const call = `${asked.method ?? ''} ${url.replace(/^\/v[0-9.]+/, '').replace(/\?.*/, '')}`;
    this.calls.push(call);
    const name = callOf(asked.method ?? '', url);
    const fault = name === null ? undefined : this.faults.get(name);
    if (fault !== undefined) {
      misbehave(answer, fault);
      return;
    }
    const { before } = this;
    if (before?.call.test(call) === true) {
      this.before = null;
      await before.act();
    }
    const body = Buffer.concat(await asked.toArray());
    const outgoing = request({ socketPath: this.engine, method: asked.method, path: url, headers: asked.headers, agent: false });
    outgoing.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 500, response.rawHeaders);
      answer.flushHeaders();
      response.pipe(answer);
      response.on('error', () => answer.destroy());
    });
    outgoing.on('error', () => answer.destroy());
    answer.on('close', () => {
      this.events.delete(answer);
      outgoing.destroy();
    });
    if (call === 'GET /events') this.events.add(answer);
    // At once: the engine answers and hangs up as soon as it has the last byte, and whoever then writes even nothing gets EPIPE.
    outgoing.end(body);
  }
}
