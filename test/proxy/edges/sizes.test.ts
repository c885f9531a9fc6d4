import { afterEach, describe, expect, test } from 'vitest';
import { Bench, NO_RULES, problemOf, statusOf } from '../support/bench.ts';
import { OK, until, values } from '../support/raw.ts';
import { once, SWITCHING, UPGRADE } from '../support/switched.ts';
import { answeringWhole, readWire } from '../support/wire.ts';

/**
 * Limits of size and number, as requests and as upgrades: at one all is well, and one over is one clear answer and an end, never a
 * part of what was sent (CVE-2026-58044, ws CVE-2024-37890).
 */
let bench: Bench;
afterEach(() => bench.close());

const PATHS = [
  ['request', ''],
  ['upgrade', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
] as const;
const agent = answeringWhole(({ isUpgrade }) => (isUpgrade ? SWITCHING : OK));

interface Size {
  readonly limit: string;
  readonly at: number;
  /** A request with that much of it. `lines`: of the path. */
  readonly of: (amount: number, lines: string) => string;
  readonly status: number;
  readonly problem: string;
}

const SIZES: readonly Size[] = [
  {
    limit: 'uri_bytes',
    at: 8 * 1024,
    of: (amount, lines) => `GET /${'a'.repeat(amount - 1)} HTTP/1.1\r\nHost: kai.test\r\n${lines}\r\n`,
    status: 414,
    problem: 'uri-too-long',
  },
  {
    limit: 'header_bytes',
    at: 32 * 1024,
    of: (amount, lines) => {
      const start = `GET / HTTP/1.1\r\nHost: kai.test\r\n${lines}X: `;
      return `${start}${'x'.repeat(amount - start.length - 4)}\r\n\r\n`;
    },
    status: 431,
    problem: 'headers-too-large',
  },
  {
    limit: 'header_lines',
    at: 200,
    of: (amount, lines) => {
      const others = 1 + (lines.match(/\r\n/g) ?? []).length;
      const more = Array.from({ length: amount - others }, (_, index) => `X-${index}: ${index}\r\n`).join('');
      return `GET / HTTP/1.1\r\nHost: kai.test\r\n${lines}${more}\r\n`;
    },
    status: 431,
    problem: 'headers-too-large',
  },
];

const CASES = SIZES.map((size) => [size.limit, size.at, size] as const);

describe.each(PATHS)('%s', (path, lines) => {
  test.each(CASES)('limits.%s: %i pass whole', async (_limit, at, { of }) => {
    bench = await Bench.open({ script: agent });
    const client = await bench.client();
    const sent = of(at, lines);
    client.send(sent);
    expect(statusOf(await client.until('\r\n\r\n'))).toBe(path === 'upgrade' ? 101 : 200);
    const [request] = readWire(bench.backend.received).requests;
    const passed = request!.lines.filter(([name]) => name.startsWith('X') && !/^x-(?:forwarded|request)/i.test(name));
    expect(passed.map((line) => `${line.join(': ')}\r\n`).join('')).toBe((sent.match(/^X.*\r\n/gm) ?? []).join(''));
    expect(request!.target).toBe(sent.split(' ')[1]);
    expect(client.ended).toBe(false);
  });

  test.each(CASES)(
    'limits.%s: one more than %i is refused, and nothing behind it is served',
    async (_limit, at, { of, status, problem }) => {
      bench = await Bench.open({ script: agent });
      const answer = await bench.exchange(`${of(at + 1, lines)}GET /after HTTP/1.1\r\nHost: kai.test\r\n\r\n`);
      expect([statusOf(answer), problemOf(answer)]).toEqual([status, problem]);
      expect(values(answer, 'connection')).toEqual(['close']);
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect([bench.agent.admitted, bench.backend.received]).toEqual([0, '']);
      expect(bench.metrics.values.get(`refused_total{problem="${problem}"}`)).toBe(1);
    },
  );

  test.each(CASES)('limits.%s: another value than %i holds from the next request on', async (_limit, at, { of, status }) => {
    bench = await Bench.open({ script: agent });
    const client = await bench.client();
    await client.send('GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n').until('ok');
    const limits = { ...bench.server.limits, uri_bytes: 100, header_bytes: 400, header_lines: 10 };
    bench.server.reconfigure({ limits, trustedProxies: [], ignore: NO_RULES, logRequests: 'none' });
    client.received = '';
    const answer = await client.send(of(Math.floor(at / 2), lines)).untilClosed();
    expect(statusOf(answer)).toBe(status);
  });

  test('a head that never stops growing is 431 before it is whole', async () => {
    bench = await Bench.open({ script: agent });
    const answer = await bench.exchange(`GET / HTTP/1.1\r\nHost: kai.test\r\n${lines}${'X: x\r\n'.repeat(30_000)}`);
    expect([statusOf(answer), problemOf(answer)]).toEqual([431, 'headers-too-large']);
    expect(bench.agent.admitted).toBe(0);
  });
});

test('trailers that never stop growing are refused, and their request is never whole at the agent', async () => {
  bench = await Bench.open({ script: agent });
  const answer = await bench.exchange(
    `POST / HTTP/1.1\r\nHost: kai.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n${'X: x\r\n'.repeat(30_000)}`,
  );
  expect([statusOf(answer), problemOf(answer)]).toEqual([431, 'headers-too-large']);
  expect(bench.backend.connections.flatMap(({ received }) => readWire(received).requests)).toEqual([]);
  expect(bench.agent.open).toBe(0);
});

describe.each(PATHS)('the head of an answer to a %s', (path, lines) => {
  const asked = `GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n${lines}\r\n`;
  const answer = (bytes: number): string => {
    const start = path === 'upgrade' ? SWITCHING.slice(0, -2) : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n';
    return `${start}X: ${'x'.repeat(bytes - start.length - 7)}\r\n\r\n`;
  };

  test('of 64 KiB passes whole', async () => {
    bench = await Bench.open({ script: once(answer(64 * 1024)) });
    const client = await bench.client();
    const got = await client.send(asked).until('\r\n\r\n');
    expect(statusOf(got)).toBe(path === 'upgrade' ? 101 : 200);
    expect(values(got, 'x')).toEqual(values(answer(64 * 1024), 'x'));
  });

  test('of one byte more is 502 upstream-invalid, and ends the connection to the agent', async () => {
    bench = await Bench.open({ script: once(answer(64 * 1024 + 1)) });
    const got = await bench.exchange(asked);
    expect([statusOf(got), problemOf(got)]).toEqual([502, 'upstream-invalid']);
    await until(() => bench.upstream.connections === 0, 'the end of the connection to the agent');
  });
});

test('64 KiB that come early with an upgrade are held while its client is still heard: when it goes, so does the upgrade', async () => {
  bench = await Bench.open({ script: () => undefined });
  const client = await bench.client();
  client.send(UPGRADE);
  const connection = await bench.backend.connection(0);
  await connection.until('\r\n\r\n');
  client.send('x'.repeat(64 * 1024));
  client.socket.end();
  await until(() => connection.closed && bench.agent.open === 0, 'the end of it all');
  expect(connection.received).not.toContain('xxx');
});

test('limits.connections: a thousand more are told why and linger; beyond them even the refusal is dropped', async () => {
  bench = await Bench.open({ limits: { connections: 1 } });
  await (await bench.client()).send('GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n').until('ok');
  const refused = await Promise.all(Array.from({ length: 1_000 }, () => bench.client(true)));
  await until(() => refused.every(({ received }) => received.includes('connection-limit')), 'a thousand refusals');
  const dropped = await bench.client();
  expect(await dropped.untilClosed()).toBe('');
  // Whoever was refused is let go of, and makes room.
  await bench.clock.advance(1_100);
  await until(() => refused.every(({ ended }) => ended), 'the end of those who were refused');
  expect(problemOf(await bench.exchange('GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n'))).toBe('connection-limit');
});

test('a head that is not whole in time, and a connection that says nothing, are 408 and ended', async () => {
  bench = await Bench.open({ script: once(OK) });
  // node's own timer, which no test can tell the time: looked at every second.
  for (const server of bench.server['servers']) server.headersTimeout = 1;
  const slow = await bench.client();
  const mute = await bench.client();
  slow.send('GET / HTTP/1.1\r\nHost: kai');
  for (const client of [slow, mute]) {
    const answer = await client.untilClosed();
    expect([statusOf(answer), problemOf(answer)]).toEqual([408, 'request-timeout']);
  }
  expect(bench.agent.admitted).toBe(0);
});
