import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, Agent, createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { fromPackages, installPackages } from '../bench/peers/install.ts';
import type { Admitted, OpenFront } from './front.ts';

/**
 * http-proxy, which most proxies on npm are made of, as a front: to know that the smuggling payloads find something where there
 * is something to be found. It gives each request an id, as the daemon does, and keeps connections to agents.
 */
interface HttpProxy {
  web(request: IncomingMessage, response: ServerResponse, options: object): void;
  ws(request: IncomingMessage, socket: Socket, head: Buffer, options: object): void;
  on(event: 'error', listener: (error: Error, request: IncomingMessage, to: ServerResponse | Socket) => void): void;
}

/** Null: it cannot be had. */
export async function httpProxy(): Promise<OpenFront | null> {
  const why = await installPackages();
  if (why !== null) return null;
  const maker = fromPackages('http-proxy') as { createProxyServer(options: object): HttpProxy };
  return async (backends) => {
    const admitted = new Map<string, Admitted>();
    const agent = new Agent({ keepAlive: true });
    const proxy = maker.createProxyServer({ agent });
    proxy.on('error', (_error, _request, to) => void to.destroy());
    const admit = (request: IncomingMessage): object => {
      const id = randomUUID();
      request.headers['x-request-id'] = id;
      admitted.set(id, { method: request.method ?? '', path: (request.url ?? '').split('?', 1)[0] ?? '' });
      const backend = backends[(request.headers.host ?? '').split('.')[0] ?? ''] ?? Object.values(backends)[0];
      return { target: `http://${backend?.host}:${backend?.port}` };
    };
    const server = createServer((request, response) => proxy.web(request, response, admit(request)));
    server.on('upgrade', (request, socket: Socket, head: Buffer) => proxy.ws(request, socket, head, admit(request)));
    server.on('clientError', (_error, socket) => socket.destroy());
    let ended: string | null = null;
    const crashed = (error: Error): void => void (ended = error.message);
    process.on('uncaughtException', crashed);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
      address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
      admitted,
      ended: () => ended,
      close: async () => {
        agent.destroy();
        server.close().closeAllConnections();
        process.off('uncaughtException', crashed);
      },
    };
  };
}
