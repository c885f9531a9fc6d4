import { afterEach, expect, test } from 'vitest';
import { Bench, bodyOf, NO_RULES, problemOf, statusOf } from './support/bench.ts';
import { headsIn, values } from './support/raw.ts';

/** What the daemon answers itself (contract section 2), and that everything else reaches the agent. */
let bench: Bench;
afterEach(() => bench.close());

test('a request reaches its agent and the answer its client, and both are counted once', async () => {
  bench = await Bench.open();
  const answer = await bench.get('X-Mine: 1\r\n', '/a?b=c');
  expect(statusOf(answer)).toBe(200);
  expect(bodyOf(answer)).toBe('ok');
  const head = bench.backend.received;
  expect(head.startsWith('GET /a?b=c HTTP/1.1\r\n')).toBe(true);
  expect(values(head, 'x-mine')).toEqual(['1']);
  expect(values(head, 'host')).toEqual(['kai.test']);
  expect(bench.agent.admitted).toBe(1);
  expect(bench.agent.open).toBe(0);
  expect(bench.metrics.values.get('requests_total{agent="kai",class="2xx"}')).toBe(1);
  expect(bench.metrics.values.get('proxied_bytes_total{agent="kai",direction="out"}')).toBe(2);
  expect(bench.metrics.observations.get('request_duration_seconds{agent="kai"}')).toHaveLength(1);
  expect(bench.metrics.observations.get('upstream_duration_seconds{agent="kai"}')).toHaveLength(1);
});

test('RFC 9110 section 7.4: an unknown host is a constant 404 that repeats nothing of the request', async () => {
  bench = await Bench.open();
  const answer = await bench.exchange('GET /secret HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n');
  expect(statusOf(answer)).toBe(404);
  expect(problemOf(answer)).toBe('unknown-host');
  expect(answer).not.toContain('other.test');
  expect(answer).not.toContain('secret');
  expect(values(answer, 'content-type')).toEqual(['application/problem+json']);
  expect(bodyOf(answer)).toContain(`"instance":"${values(answer, 'x-request-id')[0]}"`);
  expect(bench.metrics.values.get('refused_total{problem="unknown-host"}')).toBe(1);
});

test('an agent that is not awake is 503 with its state, Retry-After and no-store, and is wanted', async () => {
  bench = await Bench.open();
  bench.agent.current = 'sleeping';
  const answer = await bench.get();
  expect(statusOf(answer)).toBe(503);
  expect(bodyOf(answer)).toBe('{"status":"starting","agent":"kai"}');
  expect(values(answer, 'retry-after')).toEqual(['3']);
  expect(values(answer, 'cache-control')).toEqual(['no-store']);
  expect(bench.agent.wanted).toEqual(['request']);
  expect(bench.metrics.values.get('requests_total{agent="kai",class="5xx"}')).toBe(1);
});

test('an upgrade to an agent that is not awake gets the same 503, over the raw socket', async () => {
  bench = await Bench.open();
  bench.agent.current = 'stopping';
  const answer = await bench.exchange('GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  expect(statusOf(answer)).toBe(503);
  expect(bodyOf(answer)).toBe('{"status":"stopping","agent":"kai"}');
  expect(values(answer, 'retry-after')).toEqual(['3']);
  expect(bench.agent.wanted).toEqual(['upgrade']);
});

test.each([
  ['ready', 200],
  ['running', 200],
  ['sleeping', 503],
  ['draining', 503],
  ['degraded', 503],
] as const)(
  'GET /api/health of an agent that is %s is %i by the daemon itself, without waking or counting',
  async (state, status) => {
    bench = await Bench.open();
    bench.agent.current = state;
    const answer = await bench.get('', '/api/health?x=1');
    expect(statusOf(answer)).toBe(status);
    expect(bodyOf(answer)).toBe(`{"status":"${state}","agent":"kai"}`);
    const head = await bench.exchange('HEAD /api/health HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n\r\n');
    expect(statusOf(head)).toBe(status);
    expect(bodyOf(head)).toBe('');
    expect(bench.agent.wanted).toEqual([]);
    expect(bench.agent.admitted).toBe(0);
  },
);

test('/api/health goes to the agent where health.intercept is off, and on a registered hostname', async () => {
  bench = await Bench.open();
  bench.agent.interceptsHealth = false;
  expect(bodyOf(await bench.get('', '/api/health'))).toBe('ok');
  bench.agent.interceptsHealth = true;
  bench.agent.configured = false;
  expect(bodyOf(await bench.get('', '/api/health'))).toBe('ok');
  expect(bench.agent.admitted).toBe(2);
});

test('POST /api/wake is 202 with the state, wakes, and does not reach the agent', async () => {
  bench = await Bench.open();
  bench.agent.current = 'sleeping';
  const answer = await bench.exchange(
    'POST /api/wake HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}',
  );
  expect(statusOf(answer)).toBe(202);
  expect(bodyOf(answer)).toBe('{"status":"ok","agent":"kai","state":"starting"}');
  expect(bench.agent.wanted).toEqual(['api']);
  expect(bench.backend.connections).toHaveLength(0);
});

test('F: POST /api/wake is 503 where no wake can be ordered', async () => {
  bench = await Bench.open();
  bench.agent.current = 'sleeping';
  bench.agent.refuseWith = { kind: 'refused', problem: 'engine-unavailable', retryAfterSeconds: 3 };
  const answer = await bench.exchange('POST /api/wake HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n\r\n');
  expect(statusOf(answer)).toBe(503);
  expect(problemOf(answer)).toBe('engine-unavailable');
  expect(values(answer, 'retry-after')).toEqual(['3']);
});

test('what the runtime refuses is a problem with its Retry-After', async () => {
  bench = await Bench.open();
  bench.agent.refuseWith = { kind: 'refused', problem: 'in-flight-limit', retryAfterSeconds: 7 };
  const answer = await bench.get();
  expect(statusOf(answer)).toBe(503);
  expect(problemOf(answer)).toBe('in-flight-limit');
  expect(values(answer, 'retry-after')).toEqual(['7']);
});

test('RFC 9112 section 9.3.2: 20 pipelined requests to awake and sleeping hosts are answered in order, none lost', async () => {
  bench = await Bench.open();
  bench.addAgent('mia', bench.backend.address).current = 'sleeping';
  const client = await bench.client();
  const hosts = Array.from({ length: 20 }, (_, index) => (index % 3 === 0 ? 'mia' : 'kai'));
  client.send(
    hosts
      .map((host, at) => `GET /${at} HTTP/1.1\r\nHost: ${host}.test\r\n${at === 19 ? 'Connection: close\r\n' : ''}\r\n`)
      .join(''),
  );
  const answer = await client.untilClosed();
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
  expect(statuses).toEqual(hosts.map((host) => (host === 'mia' ? 503 : 200)));
  expect(headsIn(bench.backend.received)).toHaveLength(13);
  expect(bench.agent.open).toBe(0);
});

test('the request line of the log names what happened, and neither query nor token', async () => {
  bench = await Bench.open();
  await bench.get('Authorization: Bearer sesame\r\n', '/a/b?token=sesame');
  expect(JSON.stringify(bench.log.lines)).not.toContain('sesame');
  expect(bench.log.lines).toMatchObject([
    { level: 'info', facts: { method: 'GET', host: 'kai.test', path: '/a/b', status: 200, agent: 'kai', problem: null } },
  ]);
});

test('log.requests errors leaves out all but 5xx, and none leaves out those too', async () => {
  bench = await Bench.open({ logRequests: 'errors' });
  await bench.get();
  expect(bench.log.lines).toHaveLength(0);
  bench.agent.current = 'sleeping';
  await bench.get();
  expect(bench.log.lines).toMatchObject([{ facts: { status: 503 } }]);
  bench.server.reconfigure({ limits: bench.server.limits, trustedProxies: [], ignore: NO_RULES, logRequests: 'none' });
  await bench.get();
  expect(bench.log.lines).toHaveLength(1);
});
