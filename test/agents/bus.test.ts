import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it as plainIt, vi } from 'vitest';
import { BusError } from '../../agents/world/bus-error.ts';
import { type Bus, connectBus } from '../../agents/world/bus.ts';

const SEED = Number(process.env['BUS_SEED'] ?? Date.now() % 2 ** 31);

console.log(`bus: seed ${SEED} (BUS_SEED repeats it)`);

/** A server that says to each command what the test wants, or whatever else the test does with the connection. */
class Scripted implements AsyncDisposable {
  say: (socket: Socket, asked: string) => unknown = () => undefined;
  readonly sockets = new Set<Socket>();
  connections = 0;
  private server: Server;

  private constructor(server: Server) {
    this.server = server;
    server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('data', (chunk) => void this.say(socket, chunk.toString('latin1')));
    });
  }

  static async start(port = 0): Promise<Scripted> {
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new Scripted(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }
}

const it = plainIt.extend<{ server: Scripted; bus: Bus }>({
  server: async ({}, use) => {
    await using server = await Scripted.start();
    await use(server);
  },
  bus: async ({ server }, use) => {
    const bus = connectBus({ host: '127.0.0.1', port: server.port });
    await use(bus);
    bus.close();
    await expect.poll(() => server.sockets.size).toBe(0);
  },
});

const printed = (['log', 'warn', 'error', 'info', 'debug'] as const).map((method) => ({ method, lines: [] as unknown[] }));
beforeEach(() => {
  for (const { method, lines } of printed) vi.spyOn(console, method).mockImplementation((...line) => lines.push(line));
});
afterEach(() => {
  expect(printed.flatMap(({ lines }) => lines.splice(0))).toEqual([]);
});

/** Every method that asks something, for the key `a`. */
const CALLS: Readonly<Record<string, (bus: Bus) => Promise<unknown>>> = {
  get: (bus) => bus.get('a'),
  getMany: (bus) => bus.getMany(['a', 'c']),
  gets: (bus) => bus.gets('a'),
  set: (bus) => bus.set('a', 'x', 0),
  add: (bus) => bus.add('a', 'x', 0),
  cas: (bus) => bus.cas('a', 'x', 0, '1'),
  delete: (bus) => bus.delete('a'),
  increment: (bus) => bus.increment('a', 1, 1),
};
const calls = (bus: Bus): Promise<unknown>[] => Object.values(CALLS).map((call) => call(bus));

async function expectRefused(asked: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(asked);
  for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(BusError) });
}

async function expectWell(server: Scripted, bus: Bus): Promise<void> {
  server.say = (socket) => socket.write('VALUE a 0 2\r\nhi\r\nEND\r\n');
  // A connection may still be on its way to be given up.
  await expect.poll(() => bus.get('a').catch(() => null)).toBe('hi');
}

const GARBAGE = [
  'HELLO\r\n',
  '\r\n',
  'OK\r\n',
  'constructor x\r\n',
  '__proto__\r\n',
  'VALUE a 0 99999999999\r\n',
  'VALUE a 0 x\r\nx\r\nEND\r\n',
  'VALUE\r\n',
  'VALUE b 0 1\r\nx\r\nEND\r\n',
  'VALUE a 0 1\r\nxyz\r\nEND\r\n',
  'VALUE a 0 1\r\nx\r\nSTORED\r\n',
  'STAT a b\r\nEND\r\n',
  'END\n',
  '-5\r\n',
  'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n',
  'x'.repeat(10_000),
  '\0\xff\xfe\r\n\0',
];

it('whatever a server says that is no answer, the call is refused, nothing is printed, and the next connection is well', async ({
  server,
  bus,
}) => {
  for (const garbage of GARBAGE) {
    server.say = (socket) => socket.write(garbage, 'latin1');
    for (const call of Object.values(CALLS)) await expectRefused([call(bus)]);
    await expectWell(server, bus);
  }
});

it('does not take the answer to another question for its own', async ({ server, bus }) => {
  server.say = (socket, asked) => socket.write(asked.startsWith('get') ? 'STORED\r\n' : 'END\r\n');
  for (const call of Object.values(CALLS)) await expectRefused([call(bus)]);
  server.say = (socket) => socket.write('NOT_FOUND\r\n');
  await expectRefused([bus.get('a'), bus.set('a', 'x', 0), bus.add('a', 'x', 0)]);
  server.say = (socket) => socket.write('EXISTS\r\n');
  await expectRefused([bus.get('a'), bus.set('a', 'x', 0), bus.delete('a'), bus.increment('a', 1, 1)]);
  // One answer too many would be the next one's.
  server.say = (socket) => socket.write('END\r\nEND\r\n');
  await bus.get('a').catch(() => undefined);
  await expectWell(server, bus);
});

it('any bytes at all are an answer or a BusError', async ({ server, bus }) => {
  const piece = fc.oneof(
    fc.constantFrom(
      'VALUE a 0 1\r\n',
      'x\r\n',
      'END\r\n',
      'STORED\r\n',
      'NOT_FOUND\r\n',
      '5\r\n',
      'ERROR\r\n',
      'SERVER_ERROR no\r\n',
      'VALUE ',
    ),
    fc.string({ maxLength: 8, unit: 'binary-ascii' }),
  );
  const asked = fc.tuple(fc.constantFrom(...Object.values(CALLS)), fc.array(piece, { minLength: 1, maxLength: 5 }));
  await fc.assert(
    fc.asyncProperty(asked, async ([call, pieces]) => {
      // The end, so that what stays open is known to be no answer and need not be waited for.
      server.say = (socket) => socket.end(pieces.join(''), 'latin1');
      await call(bus).catch((error: unknown) => {
        expect(error).toBeInstanceOf(BusError);
      });
    }),
    { seed: SEED, numRuns: 300 },
  );
  await expectWell(server, bus);
}, 60_000);

it('puts together an answer that comes byte by byte, with values that look like answers', async ({ server, bus }) => {
  server.say = async (socket) => {
    for (const byte of 'VALUE a 0 12\r\nEND\r\nEND\r\n\r\n\r\nVALUE c 0 0\r\n\r\nEND\r\n') {
      socket.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  expect([...(await bus.getMany(['a', 'c']))]).toEqual([
    ['a', 'END\r\nEND\r\n\r\n'],
    ['c', ''],
  ]);
});

it('a silent server refuses nobody and answers nobody: all calls that wait are refused, and it is well once it speaks', async ({
  server,
  bus,
}) => {
  await expectRefused(calls(bus));
  expect(server.connections).toBe(1);
  await expectWell(server, bus);
  expect(server.connections).toBe(2);
});

it('takes an answer that came in time, though the process was held up and looks at it late', async ({ server, bus }) => {
  server.say = (socket) => {
    socket.write('VALUE a 0 2\r\nhi\r\nEND\r\n');
    const until = performance.now() + 1500;
    while (performance.now() < until);
  };
  expect(await bus.get('a')).toBe('hi');
});

it('a server that answers a little and stops keeps nobody', async ({ server, bus }) => {
  server.say = (socket) => socket.write('VALUE a 0 100\r\nbegun');
  await expectRefused([bus.get('a'), bus.get('a')]);
  await expectWell(server, bus);
});

it('a connection that is lost under way refuses what was asked on it, and only that', async ({ server, bus }) => {
  server.say = (socket) => socket.destroy();
  await expectRefused(calls(bus));
  server.say = (socket) => socket.end('VALUE a 0 5\r\nhal');
  await expectRefused([bus.get('a')]);
  server.say = (socket) => socket.resetAndDestroy();
  await expectRefused(calls(bus));
  await expectWell(server, bus);
  // While nobody asks anything: found out by nobody, or by the next call alone.
  for (const socket of server.sockets) socket.destroy();
  await expectWell(server, bus);
});

it('a server that is away, or whose name is unknown, is a BusError that says why', async ({ server, bus }) => {
  const { port } = server;
  await server[Symbol.asyncDispose]();
  await expectRefused(calls(bus));
  await expect(bus.get('a')).rejects.toThrow('ECONNREFUSED');
  const nowhere = connectBus({ host: 'localhost', port });
  await expect(nowhere.get('a')).rejects.toThrow('ECONNREFUSED');
  nowhere.close();
  const unknown = connectBus({ host: 'no-such-host.invalid', port });
  await expectRefused([unknown.get('a'), unknown.set('a', 'x', 0)]);
  unknown.close();
  await using again = await Scripted.start(port);
  await expectWell(again, bus);
  const named = connectBus({ host: 'localhost', port });
  expect(await named.get('a')).toBe('hi');
  named.close();
});

it('what others have stored as a number or an object is no text', async ({ server, bus }) => {
  for (const [flags, value] of [
    [4, '12'],
    [2, '{"a":1}'],
    [2, '{'],
    [8, 'bytes'],
    [1, 'packed'],
  ] as const) {
    server.say = (socket) => socket.write(`VALUE a ${flags} ${value.length}\r\n${value}\r\nEND\r\n`);
    await expectRefused([bus.get('a')]);
  }
  server.say = (socket) => socket.write('9007199254740993\r\n');
  await expect(bus.increment('a', 1, 1)).rejects.toThrow('too large');
});

it('holds a bounded number of calls, and none once it is closed', async ({ server, bus }) => {
  const asked = Array.from({ length: 1001 }, () => bus.get('a'));
  await expect(asked[1000]).rejects.toThrow('1000 calls wait');
  await expectRefused(asked);
  const pending = bus.get('a');
  bus.close();
  await expectRefused([pending, ...calls(bus)]);
  await expect(bus.get('a')).rejects.toThrow('closed');
  expect(server.connections).toBeLessThanOrEqual(2);
});
