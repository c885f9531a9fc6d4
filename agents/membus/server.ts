import { type AddressInfo, type Socket, createServer } from 'node:net';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { type CarryOut, Connection, type ConnectionLimits } from './connection.ts';

/** Listens for clients and counts them. All they ask is carried out in one place, one batch after the other. */
export interface ServerOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly carryOut: CarryOut;
  readonly limits?: Partial<ServerLimits>;
}

export interface ServerLimits extends ConnectionLimits {
  readonly connectionsMax: number;
  /** For the answers under way when the server is told to stop. */
  readonly stopMs: number;
  /** How often connections are looked at. */
  readonly lookEveryMs: number;
}

export interface Server {
  readonly port: number;
  readonly connections: number;
  /** Accepts nobody any more, lets what is under way be answered, and resolves when nobody is there. */
  close(): Promise<void>;
}

const LIMITS: ServerLimits = {
  // Each holds at most one value that has not arrived whole, so a quarter of a gigabyte at the worst.
  connectionsMax: 256,
  stuckMs: 30_000,
  idleMs: 3_600_000,
  stopMs: 2000,
  lookEveryMs: 1000,
};

/** Rejects with the system's error when it cannot listen there. */
export async function listen({ host, port, carryOut, limits: some }: ServerOptions): Promise<Server> {
  const limits = { ...LIMITS, ...some };
  const connections = new Map<Socket, Connection>();
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    if (connections.size >= limits.connectionsMax) {
      socket.on('error', () => undefined);
      socket.end('ERROR Too many open connections\r\n', () => socket.destroy());
      return;
    }
    connections.set(socket, new Connection(socket, carryOut, () => performance.now()));
    socket.once('close', () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  server.removeAllListeners('error');
  // Without room for one more connection the system says so here, and not to that connection alone.
  server.on('error', () => undefined);
  const looking = setInterval(() => {
    for (const connection of connections.values()) connection.cutIfOverdue(limits);
  }, limits.lookEveryMs);

  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections.size;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      // What had arrived by now is read in this turn and the next.
      await nextTurn();
      await nextTurn();
      for (const connection of connections.values()) connection.stop();
      const late = new AbortController();
      await Promise.race([closed, pause(limits.stopMs, undefined, { signal: late.signal }).catch(() => undefined)]);
      late.abort();
      for (const socket of connections.keys()) socket.destroy();
      await closed;
      clearInterval(looking);
    },
  };
}
