import { afterEach, describe, expect, test } from 'vitest';
import type { IgnoreRule } from '../../src/contract/config.ts';
import { Bench, bodyOf, NO_RULES, problemOf, statusOf } from './support/bench.ts';
import { values } from './support/raw.ts';

/** Requests that neither wake an agent nor keep it awake, over real sockets. */
let bench: Bench;
afterEach(() => bench.close());

const MONITOR = 'User-Agent: Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)\r\n';
const open = async (...rules: readonly IgnoreRule[]): Promise<Bench> =>
  Bench.open({ ignore: { defaults: true, rules: [...rules] } });
const send = (line: string, lines = ''): Promise<string> =>
  bench.exchange(`${line} HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n${lines}\r\n`);
const UPGRADE = 'Host: kai.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';

describe('while the agent is not awake', () => {
  test.each(['sleeping', 'starting', 'frozen', 'draining', 'stopping', 'degraded'] as const)(
    'a request that fits a rule is answered by it and changes nothing: %s',
    async (state) => {
      bench = await open({ path: ['/probe'], answer: { status: 299, body: 'hi' } });
      bench.agent.current = state;
      const answer = await bench.get('', '/probe?x=1');
      expect(statusOf(answer)).toBe(299);
      expect(bodyOf(answer)).toBe('hi');
      expect(values(answer, 'content-type')).toEqual(['text/plain; charset=utf-8']);
      expect(values(answer, 'cache-control')).toEqual(['no-store']);
      expect(bench.agent.wanted).toEqual([]);
      expect(bench.agent.waiting).toEqual([]);
      expect(bench.agent.current).toBe(state);
      expect(bench.backend.received).toBe('');
    },
  );

  test('without an answer of its own a rule gives the 503 with state and Retry-After, and the next caller wakes', async () => {
    bench = await open({ user_agent: 'crawler' });
    bench.agent.current = 'sleeping';
    const answer = await bench.get('User-Agent: My Crawler/1\r\n');
    expect(statusOf(answer)).toBe(503);
    expect(bodyOf(answer)).toBe('{"status":"sleeping","agent":"kai"}');
    expect(values(answer, 'retry-after')).toEqual(['3']);
    expect(bench.agent.wanted).toEqual([]);
    await bench.get('User-Agent: me\r\n');
    expect(bench.agent.wanted).toEqual(['request']);
  });

  test('an upgrade that fits is answered the same', async () => {
    bench = await open({ path: ['/ws'], answer: { status: 204, body: '' } });
    bench.agent.current = 'sleeping';
    expect(statusOf(await bench.exchange(`GET /ws HTTP/1.1\r\n${UPGRADE}\r\n`))).toBe(204);
    expect(bench.agent.wanted).toEqual([]);
  });

  test('a body that is a JSON object is sent as JSON', async () => {
    bench = await open({ path: ['/probe'], answer: { status: 200, body: '{"ok":true}' } });
    bench.agent.current = 'sleeping';
    expect(values(await bench.get('', '/probe'), 'content-type')).toEqual(['application/json']);
  });

  test('RFC 9110 section 8.6: an answer without content has no length and no type', async () => {
    bench = await open();
    bench.agent.current = 'sleeping';
    const answer = await bench.get('', '/favicon.ico');
    expect(statusOf(answer)).toBe(204);
    expect(values(answer, 'content-length')).toEqual([]);
    expect(values(answer, 'content-type')).toEqual([]);
    expect(bench.agent.wanted).toEqual([]);
  });

  test('a probe is told 200 and the state, and 503 where a caller would not be served', async () => {
    bench = await open();
    bench.agent.become('sleeping');
    const well = await send('GET /', MONITOR);
    expect(statusOf(well)).toBe(200);
    expect(bodyOf(well)).toBe('{"status":"sleeping","agent":"kai"}');
    expect(values(well, 'retry-after')).toEqual([]);
    expect(bodyOf(await send('HEAD /', MONITOR))).toBe('');
    for (const [state, reason] of [
      ['degraded', null],
      ['sleeping', 'startup-timeout'],
      ['sleeping', 'engine-unavailable'],
      ['sleeping', 'kept-asleep'],
    ] as const) {
      bench.agent.become(state, { reason });
      const ill = await send('GET /', MONITOR);
      expect(statusOf(ill), `${state} ${reason}`).toBe(503);
      expect(values(ill, 'retry-after')).toEqual(['3']);
    }
    expect(bench.agent.wanted).toEqual([]);
  });

  test('a call of /api/wake that fits does not wake, and /api/health is answered before all rules', async () => {
    bench = await open({ path: ['/api/*'], answer: { status: 418, body: '' } });
    bench.agent.current = 'sleeping';
    expect(statusOf(await send('POST /api/wake'))).toBe(418);
    expect(bench.agent.wanted).toEqual([]);
    expect(statusOf(await send('GET /api/health'))).toBe(503);
    bench.agent.current = 'ready';
    expect(statusOf(await send('POST /api/wake'))).toBe(202);
    expect(bench.agent.wanted).toEqual([]);
  });
});

describe('while the agent is awake', () => {
  test('a request or upgrade that fits reaches it and does not count', async () => {
    bench = await open({ path: ['/ws'] });
    expect(bodyOf(await send('GET /robots.txt'))).toBe('ok');
    expect(bodyOf(await send('GET /', MONITOR))).toBe('ok');
    expect(bench.agent.passed).toBe(2);
    expect(statusOf(await bench.exchange(`GET /ws HTTP/1.1\r\n${UPGRADE}\r\n`))).toBe(200);
    expect(bench.agent.passed).toBe(3);
    expect(bench.agent.open).toBe(0);
    await bench.get();
    expect(bench.agent.passed).toBe(3);
    expect(bench.agent.admitted).toBe(4);
  });
});

describe('whose rules', () => {
  test('the default set can be switched off for one agent, and rules change with a reload', async () => {
    bench = await open();
    bench.agent.ignore = { defaults: false, rules: [{ path: ['/mine'], answer: { status: 201, body: '' } }] };
    bench.agent.current = 'sleeping';
    expect(statusOf(await bench.get('', '/mine'))).toBe(201);
    expect(statusOf(await bench.get('', '/robots.txt'))).toBe(503);
    expect(bench.agent.wanted).toEqual(['request']);
    const { limits } = bench.server;
    const rules: IgnoreRule[] = [{ method: ['PUT'], answer: { status: 202, body: '' } }];
    bench.server.reconfigure({ limits, trustedProxies: [], logRequests: 'none', ignore: { defaults: true, rules } });
    expect(statusOf(await send('PUT /', 'Content-Length: 0\r\n'))).toBe(202);
  });

  test('by address go those whom a trusted proxy names', async () => {
    const rule: IgnoreRule = { cidr: ['198.51.100.0/24'], answer: { status: 204, body: '' } };
    bench = await Bench.open({ ignore: { defaults: false, rules: [rule] }, trustedProxies: ['loopback'] });
    bench.agent.current = 'sleeping';
    expect(statusOf(await bench.get('X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\n'))).toBe(204);
    expect(statusOf(await bench.get('X-Forwarded-For: 198.51.100.7, 203.0.113.9\r\n'))).toBe(503);
    const { limits } = bench.server;
    bench.server.reconfigure({ limits, trustedProxies: [], logRequests: 'none', ignore: { defaults: false, rules: [rule] } });
    expect(statusOf(await bench.get('X-Forwarded-For: 198.51.100.7\r\n'))).toBe(503);
  });
});

describe('whose wakes', () => {
  test('a wake is that of the address which a trusted proxy names, by request, upgrade and /api/wake alike', async () => {
    bench = await Bench.open({ ignore: NO_RULES, trustedProxies: ['loopback'] });
    bench.agent.current = 'stopping';
    await bench.get('X-Forwarded-For: 192.0.2.7\r\n');
    await bench.exchange(`GET / HTTP/1.1\r\n${UPGRADE}CF-Connecting-IP: 2001:db8::1\r\n\r\n`);
    await send('POST /api/wake', 'X-Forwarded-For: 192.0.2.8\r\n');
    await bench.get();
    expect(bench.agent.clients).toEqual(['192.0.2.7', '2001:db8::1', '192.0.2.8', '127.0.0.1']);
  });

  test.each([
    ['wake-limit', 429],
    ['wake-limit-total', 503],
  ] as const)('over a limit the answer is %s, %i, with Retry-After', async (problem, status) => {
    bench = await open();
    bench.agent.current = 'sleeping';
    bench.agent.wakeRefusedWith = { kind: 'refused', problem, retryAfterSeconds: 7 };
    const answers = [await bench.get(), await send('POST /api/wake')];
    for (const answer of answers) {
      expect(statusOf(answer)).toBe(status);
      expect(problemOf(answer)).toBe(problem);
      expect(values(answer, 'retry-after')).toEqual(['7']);
      expect(values(answer, 'cache-control')).toEqual(['no-store']);
    }
    expect(bench.agent.current).toBe('sleeping');
  });
});
