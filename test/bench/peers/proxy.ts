import { Agent, type IncomingMessage, type ServerResponse, createServer, request } from 'node:http';
import { type Socket, connect } from 'node:net';
import { pipeline } from 'node:stream';
import { fromPackages } from './install.ts';

/**
 * One of the proxies that are made of a package from npm, each as its own pages show it, with keep-alive on both sides, the
 * X-Forwarded lines that a reverse proxy adds, and WebSockets where it has them: `proxy.ts KIND PORT ORIGIN_PORT`.
 */
const [kind = '', port = '', origin = ''] = process.argv.slice(2);
const target = `http://127.0.0.1:${origin}`;
const HOST = '127.0.0.1';
const agent = new Agent({ keepAlive: true });
const server = createServer({ keepAliveTimeout: 60_000 });
const listen = (): void => void server.listen(Number(port), HOST);

/** What the three relatives of http-proxy have in common. */
interface Relative {
  web(request: IncomingMessage, response: ServerResponse): unknown;
  ws(request: IncomingMessage, socket: Socket, head: unknown, last?: unknown): unknown;
  on?(event: 'error', listener: (error: Error) => void): unknown;
}
interface Maker {
  createProxyServer(options: object): Relative;
}

const forwarded = (incoming: IncomingMessage): readonly string[] => [
  'X-Forwarded-For',
  incoming.socket.remoteAddress ?? '',
  'X-Forwarded-Proto',
  'http',
];

const fail = (response: ServerResponse): void => {
  if (response.headersSent) response.destroy();
  else response.writeHead(502).end();
};

function relative(name: string): void {
  const proxy = (fromPackages(name) as Maker).createProxyServer({ target, agent, xfwd: true });
  proxy.on?.('error', (error) => console.error(error.message));
  server.on('request', (incoming, response) => void proxy.web(incoming, response));
  server.on('upgrade', (incoming, socket: Socket, head) => {
    if (name === 'httpxy') void proxy.ws(incoming, socket, {}, head);
    else proxy.ws(incoming, socket, head);
  });
  listen();
}

/** What all of the former are made of, without what they do beside it. */
function bare(): void {
  server.on('request', (incoming, response) => {
    const headers = [...incoming.rawHeaders, ...forwarded(incoming)];
    const { method = 'GET', url = '/' } = incoming;
    const onward = request({ host: HOST, port: Number(origin), agent, method, path: url, headers }, (answer) => {
      if (response.destroyed) return;
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      pipeline(answer, response, () => {});
    });
    response.once('close', () => response.writableFinished || onward.destroy());
    onward.on('error', () => fail(response));
    incoming.pipe(onward);
  });
  server.on('upgrade', (incoming, socket: Socket, head: Buffer) => {
    const onward = connect({ host: HOST, port: Number(origin) });
    const lines = [...incoming.rawHeaders, ...forwarded(incoming)];
    const pairs = Array.from(
      { length: lines.length / 2 },
      (_, index) => `${lines[2 * index] ?? ''}: ${lines[2 * index + 1] ?? ''}`,
    );
    onward.write(`${[`GET ${incoming.url ?? '/'} HTTP/1.1`, ...pairs].join('\r\n')}\r\n\r\n`);
    onward.write(head);
    pipeline(socket, onward, socket, () => {});
  });
  listen();
}

interface Undici {
  Pool: new (origin: string, options: object) => { dispatch(options: object, handler: object): boolean };
}
interface Flow {
  resume(): void;
  pause(): void;
  abort(reason: Error): void;
  readonly rawHeaders: readonly Buffer[];
}

function undici(): void {
  const pool = new (fromPackages('undici') as Undici).Pool(target, { connections: 256, pipelining: 1 });
  server.on('request', (incoming, response) => {
    const { method, url: path } = incoming;
    const hasBody = incoming.headers['content-length'] !== undefined || incoming.headers['transfer-encoding'] !== undefined;
    const dropped = new Set(['connection', 'transfer-encoding']);
    const headers = [...incoming.rawHeaders, ...forwarded(incoming)];
    const kept = headers.filter((_, index) => !dropped.has((headers[index - (index % 2)] ?? '').toLowerCase()));
    pool.dispatch(
      { method, path, headers: kept, body: hasBody ? incoming : null },
      {
        onRequestStart: (flow: Flow) => {
          response.once('close', () => response.writableFinished || flow.abort(new Error('the client has gone')));
        },
        onResponseStart: (flow: Flow, status: number) => {
          response.writeHead(
            status,
            (flow.rawHeaders as unknown as Buffer[]).map((line) => line.toString('latin1')),
          );
          response.on('drain', () => flow.resume());
        },
        onResponseData: (flow: Flow, chunk: Buffer) => {
          if (!response.write(chunk)) flow.pause();
        },
        onResponseEnd: () => void response.end(),
        onResponseError: () => fail(response),
      },
    );
  });
  listen();
}

interface Fastify {
  register(plugin: unknown, options: object): void;
  listen(options: object): Promise<unknown>;
}

async function fastify(): Promise<void> {
  const app = (fromPackages('fastify') as (options: object) => Fastify)({ keepAliveTimeout: 60_000 });
  app.register(fromPackages('@fastify/http-proxy'), { upstream: target, websocket: true, undici: { connections: 256 } });
  await app.listen({ host: HOST, port: Number(port) });
}

const KINDS: Readonly<Record<string, () => unknown>> = {
  'http-proxy': () => relative('http-proxy'),
  'http-proxy-3': () => relative('http-proxy-3'),
  httpxy: () => relative('httpxy'),
  'http-agent': bare,
  undici,
  fastify,
};
const start = KINDS[kind];
if (start === undefined) throw new Error(`no such proxy: ${kind}`);
await start();
