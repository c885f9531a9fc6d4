import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { problemBody, type ProblemCode, PROBLEMS } from '../../src/contract/problems.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An internal port that answers what it is told to, and remembers who asked for what. */
export class StubDaemon {
  /** `METHOD /path?query`. */
  readonly asked: string[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly answers = new Map<string, Answer>();
  private readonly server = createServer((request, response) => {
    const line = `${request.method ?? ''} ${request.url ?? ''}`;
    this.asked.push(line);
    this.authorizations.push(request.headers.authorization);
    (this.answers.get(line) ?? problem('not-found'))(request, response);
  });

  async listen(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

export const reply =
  (value: unknown, status = 200): Answer =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));
  };

export const problem =
  (code: ProblemCode, detail?: string, extra: Readonly<Record<string, unknown>> = {}): Answer =>
  (_, response) => {
    response.writeHead(PROBLEMS[code].status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify(problemBody(code, 'req-1', detail, extra)));
  };

/** Sends the head and `text`, and leaves the stream open. */
export const stream =
  (text: string, then: (response: ServerResponse) => void = () => undefined): Answer =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(text);
    then(response);
  };
