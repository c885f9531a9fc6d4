import { type IncomingMessage, type Server, createServer, request } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** Stands between two racks, hands on what the one asks of the other, and loses what it is told to lose. */
export class Relay implements AsyncDisposable {
  /** The public port that it leads to, and the name that is asked for there. */
  port = 0;
  /** What happens to the next request whose method and path this is; taken once. */
  readonly losses = new Map<string, 'request' | 'answer' | 'both twice'>();
  /** As they came by: `POST /api/revolt/offer`, with the headers that were sent. */
  readonly seen: { readonly what: string; readonly headers: IncomingMessage['headers']; readonly body: string }[] = [];
  /** Answers in place of the rack. */
  answer: ((what: string, body: string) => { readonly status: number; readonly body: string } | null) | null = null;
  private readonly server: Server;
  private readonly host: string;

  private constructor(server: Server, host: string) {
    this.server = server;
    this.host = host;
  }

  static async to(host: string): Promise<Relay> {
    const server = createServer();
    const relay = new Relay(server, host);
    server.on('request', (incoming, reply) => {
      void relay.pass(incoming).then(
        (answer) => {
          if (answer === null) return reply.destroy();
          return reply.writeHead(answer.status, answer.headers).end(answer.body);
        },
        () => reply.destroy(),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Sends once more what came by. */
  again(index: number): Promise<{ readonly status: number; readonly body: string }> {
    const { what, headers, body } = this.seen[index]!;
    return this.send(what, headers, body);
  }

  private async pass(incoming: IncomingMessage) {
    const body = await textOf(incoming);
    const what = `${incoming.method ?? ''} ${(incoming.url ?? '').replace(/(handoffs)\/.*/, '$1')}`;
    this.seen.push({ what: `${incoming.method ?? ''} ${incoming.url ?? ''}`, headers: incoming.headers, body });
    const given = this.answer?.(what, body) ?? null;
    if (given !== null) return { ...given, headers: {} };
    const loss = this.losses.get(what);
    this.losses.delete(what);
    if (loss === 'request') return null;
    const answer = await this.send(`${incoming.method ?? ''} ${incoming.url ?? ''}`, incoming.headers, body);
    return loss === 'answer' ? null : answer;
  }

  async send(what: string, headers: IncomingMessage['headers'], body: string) {
    const [method = '', path = ''] = what.split(' ');
    const outgoing = request({
      host: '127.0.0.1',
      port: this.port,
      method,
      path,
      agent: false,
      headers: { ...headers, host: this.host },
    });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: await textOf(incoming) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of incoming) text += String(chunk);
  return text;
}
