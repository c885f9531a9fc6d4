import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Opening, openProxy, openRelay } from './proxy.ts';

/** The way out of the lab, with a server of the test's own for the registry. */
const ANSWER = 'x'.repeat(3_000_000);
let directory: string;
let registry: Server;
let connections: Socket[];
let openings: Opening[];
let relayPort: number;
const registryPort = (): number => (registry.address() as AddressInfo).port;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reveille-proxy-'));
  connections = [];
  registry = createServer((socket) => {
    connections.push(socket);
    socket.on('error', () => undefined);
    // Says a great deal to whoever says anything, and ends.
    socket.once('data', (asked) => socket.end(`${String(asked)}${ANSWER}`));
  }).listen(0, '127.0.0.1');
  await once(registry, 'listening');
  const path = join(directory, 'proxy.sock');
  const relay = await openRelay(path);
  openings = [await openProxy(path, `127.0.0.1:${registryPort()}`), relay];
  relayPort = Number(new URL(relay.url).port);
});

afterEach(() => {
  for (const opening of openings) opening.close();
  for (const socket of connections) socket.destroy();
  registry.close();
  rmSync(directory, { recursive: true });
});

async function tunnelTo(authority: string): Promise<{ readonly status: number; readonly socket: Socket }> {
  const asked = request({ host: '127.0.0.1', port: relayPort, method: 'CONNECT', path: authority, agent: false }).end();
  const [response, socket] = await once(asked, 'connect');
  return { status: response.statusCode, socket };
}

describe('the way to the package registry', () => {
  it('carries bytes both ways, and all of them when the registry ends', async () => {
    const { status, socket } = await tunnelTo(`127.0.0.1:${registryPort()}`);
    expect(status).toBe(200);
    socket.write('asked: ');
    const answer = await text(socket);
    expect({ begins: answer.slice(0, 9), length: answer.length }).toEqual({ begins: 'asked: xx', length: 7 + ANSWER.length });
  });

  it('refuses every other host and port, and does not connect to them', async () => {
    for (const authority of [`localhost:${registryPort()}`, '127.0.0.1:1', `127.0.0.1:${registryPort()}0`, 'example.com:443']) {
      const { status, socket } = await tunnelTo(authority);
      socket.destroy();
      expect({ authority, status }).toEqual({ authority, status: 403 });
    }
    expect(connections).toEqual([]);
  });

  it('forwards no plain request, not even to the registry', async () => {
    const path = `http://127.0.0.1:${registryPort()}/`;
    const [response] = await once(request({ host: '127.0.0.1', port: relayPort, path, agent: false }).end(), 'response');
    response.resume();
    expect(response.statusCode).toBe(405);
    expect(connections).toEqual([]);
  });

  it('ends the client when the registry breaks off', async () => {
    const { socket } = await tunnelTo(`127.0.0.1:${registryPort()}`);
    socket.on('error', () => undefined);
    socket.resume();
    connections[0]?.resetAndDestroy();
    await once(socket, 'close');
  });
});
