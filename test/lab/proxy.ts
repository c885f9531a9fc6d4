import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, Socket, connect, createServer } from 'node:net';
import { assert } from '../../src/std/assert.ts';

/**
 * The one hole in the lab's wall: image builds reach the package registry. Outside stands a proxy that knows CONNECT to one
 * host and nothing else. It listens on a Unix socket in the scratch directory, since that is reached through the file system
 * and needs no interface, no address and no NAT in the user's network; inside, a relay gives it a TCP port.
 */
export interface Opening {
  /** Of the relay; of a proxy on a path it is empty. */
  readonly url: string;
  close(): void;
}

const CONNECTIONS_MAX = 256;

/** `allowed` is `host:port`; TLS goes through it untouched, so the registry's certificate is checked by who asks. */
export async function openProxy(path: string, allowed: string): Promise<Opening> {
  const [host = '', port = ''] = allowed.split(':');
  const server = createHttpServer((_request, response) => {
    response.writeHead(405).end(`Only CONNECT ${allowed} is served here.\n`);
  });
  const open = new Set<Socket>();
  server.maxConnections = CONNECTIONS_MAX;
  server.on('connect', (request, stream, head) => {
    assert(stream instanceof Socket, 'a server without TLS hands out sockets');
    const client = stream;
    client.on('error', () => client.destroy());
    if (request.url?.toLowerCase() !== allowed) {
      client.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    const upstream = connect(Number(port), host);
    join(client, upstream, open);
    upstream.once('connect', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      client.pipe(upstream).pipe(client);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    url: '',
    close: () => {
      server.close();
      server.closeAllConnections();
      destroy(open);
    },
  };
}

/** A port on the loopback of this network namespace that leads to the proxy. */
export async function openRelay(path: string): Promise<Opening> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(path);
    join(client, upstream, open);
    client.pipe(upstream).pipe(client);
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      destroy(open);
    },
  };
}

/** Where one side breaks, so does the other; where it ends, the other is first given what was read. */
function join(client: Socket, upstream: Socket, open: Set<Socket>): void {
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    open.add(one);
    one.on('error', () => other.destroy());
    one.on('close', () => {
      open.delete(one);
      other.destroySoon();
    });
  }
}

function destroy(open: ReadonlySet<Socket>): void {
  for (const stream of open) stream.destroy();
}
