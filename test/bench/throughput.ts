import { mkdtempSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { LOAD_CORE, PROXY_CORE, Running, freePort } from './measure.ts';
import { HOST, type Peer } from './peers.ts';
import type { Row } from './rows.ts';
import { type Figures, load } from './wrk.ts';

/**
 * One row: all proxies are up, one at a time is under load, and they take turns, A B C A B C, because a shared machine drifts.
 * A proxy that answers anything but what the origin said is not measured but named.
 */
export interface Lengths {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Those that no goal names are only there to compare with, and are measured once, for half as long. */
  readonly goalsName: (peer: string) => boolean;
}

export const secondsFor = (peer: string, { seconds, goalsName }: Lengths): number =>
  goalsName(peer) ? seconds : Math.max(1, Math.round(seconds / 2));

export interface RowResult {
  readonly runs: ReadonlyMap<string, readonly Figures[]>;
  /** By the peer's name, what went wrong. */
  readonly faults: ReadonlyMap<string, string>;
}

export async function startPeer(peer: Peer, directory: string, origin: number, largeBodies: boolean): Promise<Running> {
  const [port, sparePort] = [await freePort(), await freePort()];
  const own = mkdtempSync(join(directory, 'peer-'));
  return Running.start(peer.name, peer.program({ directory: own, port, sparePort, origin, largeBodies }), PROXY_CORE);
}

export async function measureRow(row: Row, peers: readonly Peer[], directory: string, lengths: Lengths): Promise<RowResult> {
  const runs = new Map<string, Figures[]>();
  const faults = new Map<string, string>();
  const port = await freePort();
  const origin = await Running.start('the origin', row.origin(mkdtempSync(join(directory, 'origin-')), port), LOAD_CORE);
  const servers = new Map<string, Running>();
  try {
    for (const peer of peers) {
      try {
        const server = await startPeer(peer, directory, port, row.largeBodies);
        servers.set(peer.name, server);
        await verify(row, server.port);
        await load(server, row.load, lengths.warmUpSeconds);
      } catch (error) {
        faults.set(peer.name, (error as Error).message);
      }
    }
    for (let round = 0; round < lengths.rounds; round += 1) {
      for (const [name, server] of servers) {
        if (faults.has(name) || (round > 0 && !lengths.goalsName(name))) continue;
        try {
          const figures = await load(server, row.load, secondsFor(name, lengths));
          runs.set(name, [...(runs.get(name) ?? []), figures]);
          if (figures.errors > 0) faults.set(name, `${figures.errors} requests failed`);
        } catch (error) {
          faults.set(name, (error as Error).message);
        }
      }
    }
    return { runs, faults };
  } finally {
    for (const server of [...servers.values(), origin]) await server.stop();
  }
}

/** Rejects unless the answer is what the origin sends: twice, over one connection. */
async function verify(row: Row, port: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (let times = 0; times < 2; times += 1) {
      const { status, bytes, headers } = await ask(row, port, agent);
      if (status !== 200) throw new Error(`answered ${status} instead of 200`);
      if (bytes !== row.answerBytes) throw new Error(`answered ${bytes} bytes instead of ${row.answerBytes}`);
      const lost = row.answerHeaders.filter((name) => headers[name] === undefined);
      if (lost.length > 0) throw new Error(`lost ${lost.join(', ')}`);
    }
  } finally {
    agent.destroy();
  }
}

interface Answer {
  readonly status: number;
  readonly bytes: number;
  readonly headers: IncomingMessage['headers'];
}

function ask({ method, load: { path, headers }, bodyBytes }: Row, port: number, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = Buffer.alloc(bodyBytes, 'x');
    const length = bodyBytes > 0 ? { 'Content-Length': bodyBytes } : {};
    const sent = request({ host: '127.0.0.1', port, agent, method, path, headers: { Host: HOST, ...headers, ...length } });
    sent.on('error', reject);
    sent.on('response', (answer: IncomingMessage) => {
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => (bytes += chunk.length));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, bytes, headers: answer.headers }));
    });
    sent.setTimeout(5000, () => sent.destroy(new Error('no answer within 5 s')));
    sent.end(body);
  });
}
