import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallName } from '../../src/swarm/calls.ts';
import { type Fault, callOf, misbehave } from '../support/api-faults.ts';

/**
 * Answers of the Engine API, word for word as a test wants them, on a unix socket. This is no fake of an engine: it knows
 * nothing, an order changes nothing in it, and no suite of an engine would pass on it. It is for what a real engine cannot be
 * brought to do, which is to fail in a given way at a given call. The answers it begins with are those of a real engine
 * (20.10.24), less what nobody reads.
 */
export interface Asked {
  readonly call: CallName | null;
  readonly method: string;
  readonly url: string;
  readonly body: string;
}

export type Script = (asked: Asked) => Fault | Promise<Fault>;

const json = (body: unknown): Fault => ({ kind: 'answer', status: 200, text: `${JSON.stringify(body)}\n` });
export const text = (body: string): Fault => ({ kind: 'answer', status: 200, text: body });

export const NODE = {
  ID: 'node1',
  Description: { Hostname: 'one' },
  Status: { State: 'ready' },
  ManagerStatus: { Leader: true },
};
export const NETWORK = { Id: 'net1', Name: 'reveille_agents', Driver: 'overlay', Ingress: false };
export const SERVICE = {
  ID: 'svc1',
  Version: { Index: 16 },
  Spec: {
    Name: 'kai',
    Labels: {},
    TaskTemplate: {
      ContainerSpec: { Image: `sha256:${'a'.repeat(64)}`, StopGracePeriod: 5_000_000_000, Isolation: 'default' },
      Networks: [{ Target: 'net1' }],
      ForceUpdate: 0,
    },
    Mode: { Replicated: { Replicas: 0 } },
    EndpointSpec: { Mode: 'dnsrr' },
  },
};

const ANSWERS: Readonly<Record<CallName, Fault>> = {
  version: json({ Version: '20.10.24', ApiVersion: '1.41', MinAPIVersion: '1.12' }),
  info: json({ Swarm: { NodeID: 'node1', LocalNodeState: 'active', ControlAvailable: true, Error: '' } }),
  events: { kind: 'hang' },
  services: json([SERVICE]),
  service: json(SERVICE),
  update: json({ Warnings: null }),
  tasks: json([]),
  nodes: json([NODE]),
  network: json(NETWORK),
  container: json({ NetworkSettings: { Networks: { reveille_agents: { NetworkID: 'net1' } } } }),
  containers: json([]),
  pause: { kind: 'answer', status: 204, text: '' },
  unpause: { kind: 'answer', status: 204, text: '' },
  stop: { kind: 'answer', status: 204, text: '' },
};

export class ScriptedApi {
  readonly directory = mkdtempSync(join(tmpdir(), 'reveille-api-'));
  readonly socket = join(this.directory, 'docker.sock');
  readonly asked: Asked[] = [];
  private readonly scripts = new Map<CallName, Script>();
  private readonly streams = new Set<ServerResponse>();
  private readonly sockets = new Set<Socket>();
  private readonly waiters = new Set<() => void>();
  private server: Server | null = null;

  /** Listens, again after {@link stop}. */
  async start(): Promise<this> {
    const server = createServer((request, response) => void this.answer(request, response));
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.socket, resolve));
    return this;
  }

  /** Nothing listens any more, and what was open is cut. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (server === null) return;
    const closed = new Promise((resolve) => server.close(resolve));
    this.cut();
    await closed;
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true });
  }

  /** From now on this call is answered so; null: as in the beginning. */
  script(call: CallName, script: Fault | Script | null): void {
    if (script === null) this.scripts.delete(call);
    else this.scripts.set(call, typeof script === 'function' ? script : () => script);
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Writes to all streams of events that are open. */
  say(piece: string | Buffer): void {
    for (const stream of this.streams) stream.write(piece);
  }

  endStreams(): void {
    for (const stream of this.streams) stream.end();
  }

  count(call: CallName): number {
    return this.asked.filter((each) => each.call === call).length;
  }

  /** Resolves as soon as `holds`; it is asked again at each call. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const ask = (): void => {
        if (!holds()) return;
        this.waiters.delete(ask);
        resolve();
      };
      this.waiters.add(ask);
      ask();
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    const { method = '' } = request;
    const url = (request.url ?? '').replace(/\?$/, '');
    const body = await bodyOf(request);
    if (body === null) return;
    const call = callOf(method, url);
    const asked = { call, method, url, body };
    this.asked.push(asked);
    const script = call === null ? undefined : this.scripts.get(call);
    const fault = script === undefined ? null : await script(asked);
    if (call === 'events' && fault === null) this.stream(response);
    else misbehave(response, fault ?? (call === null ? { kind: 'answer', status: 404, text: '' } : ANSWERS[call]));
    for (const ask of [...this.waiters]) ask();
  }

  private stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    this.streams.add(response);
    response.on('close', () => this.streams.delete(response));
  }
}

/** Null: whoever asked has gone. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  try {
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  } catch {
    return null;
  }
  return Buffer.concat(parts).toString('utf8');
}
