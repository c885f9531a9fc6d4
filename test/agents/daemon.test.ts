import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DaemonError } from '../../agents/kit/daemon-error.ts';
import { type Daemon, daemonAt } from '../../agents/kit/daemon.ts';
import { PROBLEMS, type ProblemCode, problemBody } from '../../src/contract/problems.ts';
import { millisOf } from '../../src/std/time.ts';
import { SELF, StubDaemon } from './stub-daemon.ts';

let stub: StubDaemon;
let daemon: Daemon;
const access = (url: string, taskId: string | null = 'task-1', timeoutMs = 5000) => ({
  url,
  token: 'secret-token',
  taskId,
  timeoutMs: millisOf(timeoutMs),
});
const errorOf = async (work: Promise<unknown>): Promise<DaemonError> => {
  const error = await work.then(
    () => expect.unreachable('it should have failed'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DaemonError);
  return error as DaemonError;
};

beforeEach(async () => {
  stub = await StubDaemon.start();
  daemon = daemonAt(access(stub.url));
});
afterEach(() => stub[Symbol.asyncDispose]());

describe("the daemon's client", () => {
  it('says who is speaking: the bearer token and the task', async () => {
    stub.answer = () => ({ status: 200, body: SELF });
    expect(await daemon.self()).toEqual(SELF);
    expect(stub.calls[0]?.headers).toMatchObject({ authorization: 'Bearer secret-token', 'x-reveille-task': 'task-1' });
  });

  it('sends no task header when it knows of no task', async () => {
    stub.answer = () => ({ status: 200, body: SELF });
    await daemonAt(access(stub.url, null)).self();
    expect(stub.calls[0]?.headers).not.toHaveProperty('x-reveille-task');
  });

  it('makes the calls of the contract', async () => {
    const service = { hostname: 'p.kai.localhost', target: ':3000', agent: 'kai', expires_at: null };
    stub.answer = ({ method, path }) => {
      if (path === '/api/services' && method === 'GET') return { status: 200, body: [service] };
      if (path === '/api/services') return { status: 200, body: service };
      if (method === 'PUT') return { status: 200, body: { expires_at: '2026-01-01T00:01:00Z' } };
      return { status: 202 };
    };
    await daemon.scale(2);
    await daemon.endTask('a/b');
    await daemon.endTask('c', { replace: true });
    await daemon.register('p.kai.localhost', ':3000', millisOf(90_000));
    await daemon.register('p.kai.localhost', ':3000', null);
    expect(await daemon.routes()).toEqual([service]);
    await daemon.unregister('p.kai.localhost');
    await daemon.takeLease(millisOf(60_000), 'thinking');
    await daemon.dropLease();
    expect(stub.calls.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['POST', '/api/self/scale', { replicas: 2 }],
      ['DELETE', '/api/self/tasks/a%2Fb', undefined],
      ['DELETE', '/api/self/tasks/c?replace=true', undefined],
      ['POST', '/api/services', { hostname: 'p.kai.localhost', target: ':3000', ttl: '90s' }],
      ['POST', '/api/services', { hostname: 'p.kai.localhost', target: ':3000' }],
      ['GET', '/api/services', undefined],
      ['DELETE', '/api/services/p.kai.localhost', undefined],
      ['PUT', '/api/self/busy', { ttl: '1m', reason: 'thinking' }],
      ['DELETE', '/api/self/busy', undefined],
    ]);
  });

  it("reads what was granted on the daemon's own clock, however far off this one is", async () => {
    const date = 'Thu, 01 Jan 1970 00:10:00 GMT';
    stub.answer = () => ({ status: 200, headers: { date }, body: { expires_at: '1970-01-01T00:10:20Z' } });
    expect(await daemon.takeLease(millisOf(60_000), 'x')).toBe(20_000);
    expect(await daemon.takeLease(millisOf(5_000), 'x')).toBe(5_000);
  });

  it.each(Object.keys(PROBLEMS) as ProblemCode[])('turns the problem %s into an error that names it', async (code) => {
    stub.answer = () => ({ status: PROBLEMS[code].status, body: problemBody(code, 'id', 'what was wrong') });
    const error = await errorOf(daemon.self());
    expect(error).toMatchObject({ kind: 'refused', code, status: PROBLEMS[code].status });
    expect(error.message).toBe(`${PROBLEMS[code].title}: what was wrong`);
  });

  it.each([
    ['a page of something in between', { status: 502, body: '<h1>Bad Gateway</h1>' }, 502],
    ['an unknown problem', { status: 418, body: { type: 'https://example.com/problems/teapot' } }, 418],
    ['a name that every object has', { status: 400, body: { type: 'x/constructor' } }, 400],
  ])('gives no code for %s', async (_what, answer, status) => {
    stub.answer = () => answer;
    expect(await errorOf(daemon.self())).toMatchObject({ kind: 'refused', code: null, status });
  });

  it.each([
    ['unauthorized', false],
    ['hostname-taken', false],
    ['agent-asleep', true],
    ['route-limit', true],
    ['draining', true],
  ] as const)('knows whether waiting may help: %s %s', async (code, passing) => {
    stub.answer = () => ({ status: PROBLEMS[code].status, body: problemBody(code, 'id') });
    expect((await errorOf(daemon.self())).passing).toBe(passing);
  });

  it.each([
    ['not JSON', '<html>'],
    ['nothing', undefined],
    ['another shape', { ...SELF, replicas: '1' }],
  ])('calls an answer garbled that is %s', async (_what, body) => {
    stub.answer = () => ({ status: 200, body });
    expect(await errorOf(daemon.self())).toMatchObject({ kind: 'garbled', passing: true });
  });

  it('does not read an answer without end', async () => {
    stub.answer = () => ({ status: 200, body: JSON.stringify(SELF) + ' '.repeat(1024 * 1024) });
    expect(await errorOf(daemon.self())).toMatchObject({ kind: 'garbled' });
  });

  it('calls a daemon that does not answer in time unreachable', async () => {
    stub.answer = () => 'never';
    const error = await errorOf(daemonAt(access(stub.url, null, 50)).self());
    expect(error).toMatchObject({ kind: 'unreachable', passing: true, message: 'No answer to GET /api/self in time' });
  });

  it('calls a daemon that is not there unreachable, with the reason', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await new Promise((resolve) => taken.close(resolve));
    const error = await errorOf(daemonAt(access(`http://127.0.0.1:${port}`)).self());
    expect(error.kind).toBe('unreachable');
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('never follows a redirect, which would carry the token away', async () => {
    await using other = await StubDaemon.start();
    stub.answer = () => ({ status: 307, headers: { location: `${other.url}/api/self` } });
    expect(await errorOf(daemon.self())).toMatchObject({ kind: 'unreachable' });
    expect(other.calls).toEqual([]);
  });
});
