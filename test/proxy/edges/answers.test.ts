import { afterEach, describe, expect, test } from 'vitest';
import { Bench, bodyOf, problemOf, statusOf } from '../support/bench.ts';
import { type RawConnection, until, values } from '../support/raw.ts';
import { BROKEN, NONSENSE, RIGHT } from './answers-table.ts';

/** Agents are not trusted either: what is no answer becomes a 502, and what is not whole never looks whole. */
let bench: Bench;
afterEach(() => bench.close());

const LINES = 'Host: kai.test\r\nConnection: close\r\n';
const ASKED = [
  ['request', `GET / HTTP/1.1\r\n${LINES}\r\n`],
  ['upgrade', `GET / HTTP/1.1\r\n${LINES}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
] as const;
const both = <Rest extends readonly unknown[]>(rows: readonly (readonly [rule: string, ...Rest])[]) =>
  ASKED.flatMap(([path, asked]) => rows.map(([rule, ...rest]) => [path, rule, asked, ...rest] as const));

/** Answers once, and ends its side behind it. */
const thenEnds = (answer: string) => (connection: RawConnection) =>
  void connection.socket.once('data', () => connection.socket.end(answer, 'latin1'));

/** What a client makes of an answer: its chunks put together, or null where the last one did not come. */
function bodyRead(answer: string): string | null {
  const body = bodyOf(answer);
  if (values(answer, 'transfer-encoding').length === 0) return body;
  const parts = body.split('\r\n');
  let whole = '';
  for (let at = 0; at + 1 < parts.length; at += 2) {
    if (parts[at] === '0') return whole;
    whole += parts[at + 1] ?? '';
  }
  return null;
}

/** Less the 1xx that came first. */
const finalOf = (answer: string): string => answer.replace(/^(?:HTTP\/1\.1 1\d\d[^]*?\r\n\r\n)+/, '');

test.each(both(NONSENSE))(
  'an answer to a %s that is none is 502, and its connection is ended: %s',
  async (_path, _rule, asked, bytes) => {
    bench = await Bench.open({ script: (connection) => void connection.socket.once('data', () => connection.send(bytes)) });
    const answer = await bench.exchange(asked);
    expect([statusOf(answer), problemOf(answer)]).toEqual([502, 'upstream-invalid']);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    const agent = await bench.backend.connection(0);
    await until(() => agent.closed, 'the end of the connection to the agent');
    expect(bench.backend.connections).toHaveLength(1);
    expect(bench.agent.open).toBe(0);
    expect(bench.upstream.connections).toBe(0);
  },
);

test.each(both(BROKEN))('an answer to a %s that is not whole does not look whole: %s', async (_path, _rule, asked, bytes) => {
  bench = await Bench.open({ script: () => undefined });
  const client = await bench.client();
  client.send(asked);
  const agent = await bench.backend.connection(0);
  await agent.until('\r\n\r\n');
  const bodyAt = bytes.indexOf('\r\n\r\n') + 4;
  agent.send(bytes.slice(0, bodyAt));
  await client.until('\r\n\r\n');
  agent.socket.end(bytes.slice(bodyAt), 'latin1');
  const answer = await client.untilClosed();
  expect(statusOf(answer)).toBe(200);
  const length = values(answer, 'content-length').map(Number)[0];
  if (length === undefined) expect(bodyRead(answer)).toBe(null);
  else expect(bodyOf(answer).length).toBeLessThan(length);
  expect(bench.agent.open).toBe(0);
  expect(bench.upstream.connections).toBe(0);
});

describe('what is unusual and right goes through', () => {
  test.each(both(RIGHT))('to a %s: %s', async (_path, _rule, asked, bytes, status, body) => {
    bench = await Bench.open({ script: thenEnds(bytes) });
    const answer = finalOf(await bench.exchange(asked));
    expect(statusOf(answer)).toBe(status);
    expect(bodyRead(answer)).toBe(body);
    expect(values(answer, 'connection')).toEqual(['close']);
    expect(bench.agent.open).toBe(0);
    expect(bench.agent.upgraded).toBe(0);
  });
});
