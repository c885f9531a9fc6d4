import { afterEach, expect, test } from 'vitest';
import type { AgentStateName } from '../../src/contract/events.ts';
import { READERS_MAX, READERS_PER_AGENT_MAX, StateReaders } from '../../src/proxy/state-readers.ts';
import { millisOf } from '../../src/std/time.ts';
import { Bench, problemOf, statusOf } from './support/bench.ts';
import { type RawConnection, until, values } from './support/raw.ts';

/** `/.reveille/state`: what anybody may read of an agent, and what it costs. */
let bench: Bench;
afterEach(() => bench.close());

const read = async (lines = ''): Promise<RawConnection> =>
  (await bench.client()).send(`GET /.reveille/state HTTP/1.1\r\nHost: kai.test\r\n${lines}\r\n`);

interface News {
  readonly state: string;
  readonly page: { readonly kind: string; readonly heading: string };
  readonly [fact: string]: unknown;
}
const newsIn = (text: string): News[] => [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json ?? '') as News);

test('the state comes at once and after every change; it wakes nobody and counts as no work', async () => {
  bench = await Bench.open();
  bench.agent.become('sleeping');
  const reader = await read();
  const head = await reader.until('"state":"sleeping"');
  expect(statusOf(head)).toBe(200);
  expect(values(head, 'content-type')).toEqual(['text/event-stream; charset=utf-8']);
  expect(values(head, 'cache-control')).toEqual(['no-store']);
  bench.agent.become('starting', { elapsed: millisOf(500), typical: millisOf(4000) });
  bench.agent.become('ready');
  await reader.until('"state":"ready"');
  expect(newsIn(reader.received)).toMatchObject([
    { state: 'sleeping', retryAfterSeconds: 3, page: { kind: 'idle' } },
    { state: 'starting', elapsedMs: 500, typicalMs: 4000, page: { kind: 'coming', heading: 'Starting', bar: 'measured' } },
    { state: 'ready', page: { kind: 'open' } },
  ]);
  expect([bench.agent.wanted, bench.agent.admitted, bench.agent.open]).toEqual([[], 0, 0]);
  expect(bench.backend.received).toBe('');
  // Nor is it one that was answered: its minutes would pass for the time that answers take.
  bench.agent.isGone = true;
  bench.agent.become('sleeping');
  await reader.until('\r\n0\r\n\r\n');
  await until(() => bench.log.lines.some(({ message }) => message === 'request ended'), 'its end');
  expect(bench.metrics.observations.get('request_duration_seconds{agent="kai"}') ?? []).toEqual([]);
});

test('a reason is told by its code, and in the words of the page', async () => {
  bench = await Bench.open();
  bench.agent.become('degraded', { reason: 'exited', retryAfterSeconds: 16 });
  const [news] = newsIn(await (await read()).until('}}\n\n'));
  expect(news).toMatchObject({ state: 'degraded', reason: 'exited', retryAfterSeconds: 16 });
  expect(news?.page).toMatchObject({ kind: 'halted', heading: 'Did not start', againSeconds: 16 });
});

test('a start that takes longer than usual is news, although the agent has not changed', async () => {
  bench = await Bench.open();
  const started = bench.clock.now();
  bench.agent.become('starting', { typical: millisOf(10_000) });
  const reader = await read();
  await reader.until('"Starting"');
  Object.defineProperty(bench.agent.view, 'elapsed', { enumerable: true, get: () => bench.clock.now() - started });
  await bench.clock.advance(14_900);
  expect(reader.received).not.toContain('longer');
  await bench.clock.advance(200);
  await reader.until('"Taking longer than usual"');
});

test('a comment goes out after 15 s without news', async () => {
  bench = await Bench.open();
  const reader = await read();
  await reader.until('data: ');
  await bench.clock.advance(14_800);
  expect(reader.received).not.toContain(': still here');
  await bench.clock.advance(300);
  await reader.until(': still here\n\n');
});

test('the stream ends when the agent is removed, and when the daemon drains', async () => {
  bench = await Bench.open();
  const first = await read('Connection: close\r\n');
  await first.until('data: ');
  bench.agent.isGone = true;
  bench.agent.become('sleeping');
  expect(await first.untilClosed()).toMatch(/\r\n0\r\n\r\n$/);
  bench.agent.isGone = false;
  const second = await read();
  await second.until('data: ');
  const drained = bench.server.drain(millisOf(30_000));
  expect(await second.untilClosed()).toMatch(/\r\n0\r\n\r\n$/);
  await drained;
  expect(bench.agent.watchers.size).toBe(0);
});

test('a reader that does not read is cut off, and the others go on', async () => {
  bench = await Bench.open();
  const slow = await read();
  await slow.until('data: ');
  const other = await read();
  await other.until('data: ');
  slow.socket.pause();
  // What the kernel takes for a reader that does not read is not known: it is news until somebody is cut off.
  const long = 'x'.repeat(40_000) as AgentStateName;
  for (let turn = 0; turn < 2000 && bench.agent.watchers.size === 2; turn += 1) {
    const before = other.bytes;
    bench.agent.become(long);
    await until(() => other.bytes > before + long.length, 'the other one reads');
  }
  expect(bench.agent.watchers.size).toBe(1);
  const before = other.bytes;
  bench.agent.become('ready');
  await until(() => other.bytes > before, 'what comes after that');
});

test('readers have so many places an agent and so many in all, and whoever leaves makes room', async () => {
  const readers = new StateReaders();
  const enter = (agent: string, count: number) =>
    Array.from({ length: count }, () => readers.enter(agent)).filter(Boolean).length;
  expect(enter('kai', READERS_PER_AGENT_MAX + 5)).toBe(READERS_PER_AGENT_MAX);
  readers.leave('kai');
  expect(enter('kai', 2)).toBe(1);
  let entered = READERS_PER_AGENT_MAX;
  for (let index = 0; index < 20; index += 1) entered += enter(`other-${index}`, READERS_PER_AGENT_MAX);
  expect(entered).toBe(READERS_MAX);

  bench = await Bench.open();
  const open = await Promise.all(Array.from({ length: READERS_PER_AGENT_MAX }, () => read()));
  for (const reader of open) await reader.until('data: ');
  const refused = await bench.get('', '/.reveille/state');
  expect([statusOf(refused), problemOf(refused), values(refused, 'retry-after')]).toEqual([503, 'reader-limit', ['5']]);
  open[0]!.socket.destroy();
  await bench.clock.settle();
  // The end of one side looks like `nc -N`; a little silence after it tells that nobody is there.
  await until(() => open[0]!.closed, 'the end');
  await bench.clock.advance(1000);
  await until(() => bench.agent.watchers.size === READERS_PER_AGENT_MAX - 1, 'the place of the reader that left');
  await (await read()).until('data: ');
});

test('nothing else below /.reveille/ is served, and none of it reaches an agent', async () => {
  bench = await Bench.open();
  for (const configured of [true, false]) {
    bench.agent.configured = configured;
    for (const path of ['/.reveille/', '/.reveille/other', '/.reveille/state/']) {
      const answer = await bench.get('', path);
      expect([statusOf(answer), problemOf(answer)], path).toEqual([404, 'not-found']);
    }
    for (const method of ['HEAD', 'POST', 'OPTIONS']) {
      const answer = await bench.exchange(
        `${method} /.reveille/state?x HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      expect([statusOf(answer), values(answer, 'allow')], method).toEqual([405, ['GET']]);
    }
    const upgrade = await bench.exchange(
      'GET /.reveille/state HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    expect(problemOf(upgrade)).toBe('not-found');
  }
  expect(bench.backend.received).toBe('');
});

test('every 503 of the daemon says what it was chosen by', async () => {
  bench = await Bench.open();
  const vary = ['Accept, Sec-Fetch-Mode, Sec-Fetch-Dest'];
  bench.agent.current = 'sleeping';
  expect(values(await bench.get(), 'vary')).toEqual(vary);
  bench.agent.refuseWith = { kind: 'refused', problem: 'engine-unavailable', retryAfterSeconds: 3 };
  expect(values(await bench.get(), 'vary')).toEqual(vary);
  expect(values(await bench.get('', '/.reveille/no'), 'vary')).toEqual([]);
});
