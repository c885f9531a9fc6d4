import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProbeOrder } from '../../src/ports/probe.ts';
import { millisOf } from '../../src/std/time.ts';
import { openProbe } from '../../src/system/probe.ts';
import { SimClock } from '../support/sim-clock.ts';

/** An agent that says what it is told to, byte for byte, and remembers what it was asked. */
class Peer {
  readonly asked: string[] = [];
  readonly sockets: Socket[] = [];
  private readonly server: Server;

  constructor(answer: (socket: Socket) => void) {
    this.server = createServer((socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
      socket.once('data', (chunk) => {
        this.asked.push(chunk.toString());
        answer(socket);
      });
    });
  }
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return (this.server.address() as AddressInfo).port;
  }
  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const peers: Peer[] = [];
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
});

async function peer(answer: (socket: Socket) => void): Promise<{ readonly peer: Peer; readonly port: number }> {
  const made = new Peer(answer);
  peers.push(made);
  return { peer: made, port: await made.listen() };
}
const says = (answer: string) => peer((socket) => socket.write(answer));

const never = new AbortController().signal;
const order = (port: number, more: Partial<ProbeOrder> = {}): ProbeOrder => ({
  address: { host: '127.0.0.1', port },
  path: '/api/health',
  host: 'kai.example.com',
  timeout: millisOf(5000),
  expect: [[200, 399]],
  ...more,
});

/** A port that nobody listens on any more. */
async function closedPort(): Promise<number> {
  const { peer: gone, port } = await says('');
  await gone.close();
  peers.pop();
  return port;
}

describe('the probe', () => {
  it('asks for the path with the Host it is given, on a connection that ends with the answer', async () => {
    const { peer: agent, port } = await says('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const probe = openProbe(new SimClock());
    expect(await probe(order(port), never)).toEqual({ healthy: true });
    expect(await probe(order(port), never)).toEqual({ healthy: true });
    expect(agent.asked).toHaveLength(2);
    expect(agent.sockets).toHaveLength(2);
    expect(agent.asked[0]).toMatch(/^GET \/api\/health HTTP\/1\.1\r\n/);
    expect(agent.asked[0]).toMatch(/^host: kai\.example\.com\r$/im);
    expect(agent.asked[0]).toMatch(/^connection: close\r$/im);
  });

  it('judges by the ranges it is given, both ends included', async () => {
    const probe = openProbe(new SimClock());
    const expect204 = { expect: [[204, 204] as const, [300, 301] as const] };
    for (const [status, healthy] of [
      [203, false],
      [204, true],
      [205, false],
      [300, true],
      [301, true],
      [302, false],
    ] as const) {
      const { port } = await says(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`);
      expect(await probe(order(port, expect204), never)).toEqual(healthy ? { healthy } : { healthy, detail: `status ${status}` });
    }
  });

  it('follows no redirect: its status is the answer', async () => {
    const { peer: elsewhere, port: other } = await says('HTTP/1.1 500 No\r\n\r\n');
    const { port } = await says(`HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:${other}/\r\nContent-Length: 0\r\n\r\n`);
    expect(await openProbe(new SimClock())(order(port), never)).toEqual({ healthy: true });
    expect(elsewhere.asked).toEqual([]);
  });

  it('does not wait for the body, and closes the connection on it', async () => {
    const closed = Promise.withResolvers<undefined>();
    const { port } = await peer((socket) => {
      socket.on('close', () => {
        closed.resolve(undefined);
      });
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx');
    });
    expect(await openProbe(new SimClock())(order(port), never)).toEqual({ healthy: true });
    await closed.promise;
  });

  it('waits past informational answers for the real one', async () => {
    const { port } = await says('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n');
    expect(await openProbe(new SimClock())(order(port), never)).toEqual({ healthy: false, detail: 'status 503' });
  });

  it('takes a connect for enough where there is no path', async () => {
    const { port } = await says('');
    const probe = openProbe(new SimClock());
    expect(await probe(order(port, { path: null }), never)).toEqual({ healthy: true });
    expect(await probe(order(await closedPort(), { path: null }), never)).toEqual({
      healthy: false,
      detail: 'connection refused',
    });
  });

  it.each([
    ['a refused connection', closedPort, 'connection refused'],
    ['an answer that is not HTTP', async () => (await says('220 mail ready\r\n')).port, 'the answer is not HTTP'],
    [
      'a connection closed without an answer',
      async () => (await peer((socket) => socket.end())).port,
      'the connection was closed before an answer',
    ],
    [
      'a reset',
      async () => (await peer((socket) => socket.resetAndDestroy())).port,
      'the connection was closed before an answer',
    ],
    [
      'a head without end',
      async () => (await says(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(50_000)}`)).port,
      'the head of the answer is too long',
    ],
  ])('says in words what is wrong: %s', async (_, portOf, detail) => {
    expect(await openProbe(new SimClock())(order(await portOf()), never)).toEqual({ healthy: false, detail });
  });

  it('answers in words when the request cannot even be written', async () => {
    const result = await openProbe(new SimClock())(order(await closedPort(), { path: '/a b' }), never);
    expect(result).toEqual({ healthy: false, detail: 'Request path contains unescaped characters' });
  });

  it('gives up at the timeout, says how far it came, and leaves no connection and no alarm', async () => {
    const clock = new SimClock();
    const asked = Promise.withResolvers<undefined>();
    const closed = Promise.withResolvers<undefined>();
    const { port } = await peer((socket) => {
      socket.on('close', () => {
        closed.resolve(undefined);
      });
      socket.write('HTTP/1.1 200 OK\r\nX-Slow: ');
      asked.resolve(undefined);
    });
    const result = openProbe(clock)(order(port), never);
    await asked.promise;
    await clock.advance(4999);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(await result).toEqual({ healthy: false, detail: 'no answer within 5s' });
    await closed.promise;
    expect(clock.pending).toBe(0);
  });

  it('is called off at once, before as well as during the check', async () => {
    const clock = new SimClock();
    const asked = Promise.withResolvers<undefined>();
    const { peer: agent, port } = await peer(() => {
      asked.resolve(undefined);
    });
    const probe = openProbe(clock);
    const controller = new AbortController();
    const result = probe(order(port), controller.signal);
    await asked.promise;
    controller.abort();
    expect(await result).toEqual({ healthy: false, detail: 'called off' });
    expect(await probe(order(port), controller.signal)).toEqual({ healthy: false, detail: 'called off' });
    expect(agent.sockets).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});
