import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench, problemOf } from '../support/bench.ts';
import { values } from '../support/raw.ts';
import { answeringWhole, inShort, readWire } from '../support/wire.ts';
import { AFTER, bytesOf, verdictOf } from './payload.ts';
import { FRAMING } from './payloads-framing.ts';
import { HEADS } from './payloads-heads.ts';

/**
 * Every payload through both paths. The oracle is the agent's side of the wire, byte for byte: it has carried exactly the
 * requests that the client was entitled to send, on whichever connections, and nothing else.
 */
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';
let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open({ script: answeringWhole(({ method }) => (method === 'HEAD' ? ANSWER : `${ANSWER}ok`)) });
  // A connection to the agent is at hand: what gets past the front is there at once, not only once one has been made.
  await bench.get('', '/warm');
});
afterEach(() => bench.close());

const seen = { sent: 0, refused: 0, served: 0, extra: 0 };
afterAll(() => {
  console.log(
    `smuggling: ${seen.sent} payloads sent, ${seen.refused} refused, ${seen.served} served as one, ${seen.extra} extra requests at the agent`,
  );
});

const PATHS = ['request', 'upgrade'] as const;
const cases = PATHS.flatMap((path) => [...HEADS, ...FRAMING].map((payload) => [path, payload.rule, payload] as const));

describe('what a client may send meets one rule as a request and as an upgrade', () => {
  test.each(cases)('%s: %s', async (path, _rule, payload) => {
    const { status, problem, reaches } = verdictOf(payload, path);
    const answer = await bench.exchange(bytesOf(payload, path) + AFTER);
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1])).filter((code) => code >= 200);
    const wires = bench.backend.connections.map(({ received }) => readWire(received));
    const reached = wires.flatMap(({ requests }) => requests.map(inShort)).slice(1);
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
      expect(bench.metrics.values.get(`refused_total{problem="${problem}"}`)).toBe(1);
    }
    expect(values(answer, 'connection')).toContain('close');
    if (problem === null || reaches.length > 0) for (const { left } of wires) expect(left).toBe('');
    expect(bench.agent.open).toBe(0);
  });
});
