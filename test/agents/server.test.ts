import { describe, expect, it, vi } from 'vitest';
import { createEventStreams } from '../../agents/kit/event-streams.ts';
import { createServer } from '../../agents/kit/server.ts';
import { endWithin } from '../../agents/kit/stop.ts';
import { millisOf } from '../../src/std/time.ts';

const serverOf = () => createServer({ healthPath: '/api/health', logLevel: 'silent', takesUpgrade: () => false });

describe("the kit's server", () => {
  it('answers the health check by readiness, and lets nobody keep the answer', async () => {
    const { http, readiness } = serverOf();
    const well = await http.inject('/api/health');
    expect([well.statusCode, well.json(), well.headers['cache-control']]).toEqual([200, { status: 'ok' }, 'no-store']);
    readiness.ready = false;
    expect((await http.inject('/api/health')).statusCode).toBe(503);
  });

  it('keeps the message of its own mistakes to its log, and tells callers of theirs', async () => {
    const { http } = serverOf();
    http.get('/broken', () => {
      throw new Error('the password is hunter2');
    });
    http.get('/theirs', () => {
      throw Object.assign(new Error('too many cooks'), { statusCode: 422 });
    });
    const broken = await http.inject('/broken');
    expect(broken.statusCode).toBe(500);
    expect(broken.body).not.toContain('hunter2');
    expect((await http.inject('/theirs')).json()).toMatchObject({ statusCode: 422, message: 'too many cooks' });
  });

  it('counts a request from its first byte until its answer has ended or its caller has gone', async () => {
    const server = serverOf();
    const [arrived, gone] = [Promise.withResolvers<null>(), Promise.withResolvers<null>()];
    const answer = Promise.withResolvers<string>();
    server.http.get('/waits', (_request, reply) => {
      reply.raw.once('close', () => gone.resolve(null));
      arrived.resolve(null);
      return answer.promise;
    });
    const url = await server.http.listen({ host: '127.0.0.1', port: 0 });
    const abort = new AbortController();
    const request = fetch(`${url}/waits`, { signal: abort.signal }).catch(() => 'aborted');
    await arrived.promise;
    expect(server.inFlight).toBe(1);
    abort.abort();
    expect(await request).toBe('aborted');
    await gone.promise;
    expect(server.inFlight).toBe(0);
    answer.resolve('late');
    await server.http.close();
  });
});

it('an event stream too many is refused with an error as text, as everything else is', async () => {
  const { http } = serverOf();
  const streams = createEventStreams();
  http.get('/events', (_request, reply) => void streams.start(reply));
  streams.close();
  const refused = await http.inject('/events');
  expect([refused.statusCode, refused.json()]).toEqual([503, { error: 'too many event streams are open' }]);
});

describe('a stop', () => {
  it('is whole when every part has ended, and one that fails does not keep the others', async () => {
    const failed = vi.fn();
    const mistake = new Error('x');
    expect(await endWithin(millisOf(60_000), [Promise.resolve(), Promise.reject(mistake)], failed)).toBe('whole');
    expect(failed).toHaveBeenCalledExactlyOnceWith(mistake);
  });

  it('is cut at its bound when a part does not end', async () => {
    vi.useFakeTimers();
    const outcome = endWithin(millisOf(9000), [new Promise(() => undefined)], () => undefined);
    await vi.advanceTimersByTimeAsync(9000);
    vi.useRealTimers();
    expect(await outcome).toBe('cut');
  });
});
