import { once } from 'node:events';
import { type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: { readonly model?: unknown; readonly prompt?: unknown; readonly stream?: unknown };
}

/** A server that is asked as Ollama is, and answers `{model, created_at, response, done}` unless it is told otherwise. */
export class FakeOllama implements AsyncDisposable {
  readonly asked: Asked[] = [];
  answer: (response: ServerResponse, asked: Asked) => void;
  private readonly server: Server;

  private constructor(server: Server, answer: FakeOllama['answer']) {
    this.server = server;
    this.answer = answer;
  }

  static async start(answer: FakeOllama['answer']): Promise<FakeOllama> {
    const server = createServer();
    const fake = new FakeOllama(server, answer);
    server.on('request', (request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        const asked: Asked = { method: request.method ?? '', path: request.url ?? '', body: JSON.parse(text || '{}') };
        fake.asked.push(asked);
        fake.answer(response, asked);
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/api/generate`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A whole answer of Ollama. */
export const generated = (response: ServerResponse, text: string): void => {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ model: 'smollm2:135m', created_at: '2026-01-01T00:00:00Z', response: text, done: true }));
};
