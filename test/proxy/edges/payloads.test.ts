import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prng } from '../../../src/std/prng.ts';
import { Bench, problemOf } from '../support/bench.ts';
import { type RawConnection, values } from '../support/raw.ts';
import { answeringWhole, inShort, readWire } from '../support/wire.ts';
import { AFTER, bytesOf, type Payload, verdictOf } from './payload.ts';
import { FRAMING } from './payloads-framing.ts';
import { HEADS } from './payloads-heads.ts';

/**
 * Every payload through both paths, in one packet and cut in two at random. The oracle is the agent's side of the wire, byte for
 * byte: it has carried exactly the requests that the client was entitled to send, on whichever connections, and nothing else.
 */
const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const { below } = prng(SEED);
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';
let bench: Bench;
// It agrees to no upgrade, which is when bytes behind one would be requests.
beforeAll(async () => {
  bench = await Bench.open({ script: answeringWhole(({ method }) => (method === 'HEAD' ? ANSWER : `${ANSWER}ok`), false) });
});

const seen = { sent: 0, refused: 0, served: 0, extra: 0 };
afterAll(async () => {
  await bench.close();
  const { sent, refused, served, extra } = seen;
  console.log(
    `smuggling: ${sent} payloads sent, ${refused} refused, ${served} served as one, ${extra} extra requests at the agent (FC_SEED=${SEED})`,
  );
});

const PAYLOADS: readonly Payload[] = [...HEADS, ...FRAMING];
const PATHS = ['request', 'upgrade'] as const;
const WHOLE = PATHS.flatMap((path) => PAYLOADS.map((payload) => [path, 'in one packet', payload.rule, payload] as const));
const CUT = PAYLOADS.map((payload, index) => [PATHS[index % 2]!, 'in two packets', payload.rule, payload] as const);

/** Sends it, and what follows it, on a connection of its own. */
async function send(payload: Payload, path: 'request' | 'upgrade', packets: string): Promise<string> {
  const bytes = bytesOf(payload, path) + AFTER;
  const client = await bench.client();
  const cut = packets === 'in one packet' ? bytes.length : 1 + below(bytes.length - 1);
  client.send(bytes.slice(0, cut));
  // The first part has been read once somebody else has been answered. A connection to the agent is at hand from then on: what
  // gets past the front is there at once.
  if (cut < bytes.length || bench.upstream.connections === 0) await bench.get('', '/warm');
  return client.send(bytes.slice(cut)).untilClosed();
}

describe(`what a client may send meets one rule as a request and as an upgrade (FC_SEED=${SEED})`, () => {
  test.each([...WHOLE, ...CUT])('%s %s: %s', async (path, packets, _rule, payload) => {
    const { status, problem, reaches } = verdictOf(payload, path);
    const refusals = (): number => bench.metrics.values.get(`refused_total{problem="${problem}"}`) ?? 0;
    const refusedBefore = refusals();
    const readBefore = new Map(bench.backend.connections.map((connection) => [connection, connection.received.length]));
    const answer = await send(payload, path, packets);
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1])).filter((code) => code >= 200);
    const since = (connection: RawConnection): string => connection.received.slice(readBefore.get(connection) ?? 0);
    const wires = bench.backend.connections.map((connection) => readWire(since(connection), false));
    const reached = wires.flatMap(({ requests }) => requests.map(inShort)).filter((request) => request !== 'GET /warm 0');
    seen.sent += 1;
    seen.extra += reached.filter((request) => !reaches.includes(request)).length;
    if (problem === null) seen.served += 1;
    else seen.refused += 1;

    // In any order: they may have gone out on different connections.
    expect(reached.sort()).toEqual([...reaches].sort());
    expect(statuses[0]).toBe(status);
    if (problem === null) {
      expect(statuses).toEqual(reaches.map(() => 200));
    } else {
      expect(problemOf(answer)).toBe(problem);
      expect(statuses).toHaveLength(1 + reaches.length);
      expect(refusals() - refusedBefore).toBe(1);
    }
    expect(values(answer, 'connection')).toContain('close');
    if (problem === null || reaches.length > 0) for (const { left } of wires) expect(left).toBe('');
    expect(bench.agent.open).toBe(0);
  });
});
