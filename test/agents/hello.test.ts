import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { problemBody } from '../../src/contract/problems.ts';
import { AgentProcess, HELLO } from './agent-process.ts';
import { SELF, StubDaemon } from './stub-daemon.ts';

/** As much of the bodies as the expectations below go into. */
interface Body {
  readonly [name: string]: unknown;
  readonly headers: Record<string, unknown>;
  readonly raw_headers: unknown;
  readonly error: unknown;
  readonly preview: unknown;
  readonly open: Record<string, unknown>;
}
const json = async (response: Promise<Response>): Promise<Body> => (await (await response).json()) as Body;

describe('hello, alone', () => {
  let hello: AgentProcess;
  beforeAll(async () => {
    hello = await AgentProcess.start(HELLO);
  });
  afterAll(() => hello[Symbol.asyncDispose]());

  it('is healthy and says who it is without a daemon', async () => {
    expect(await json(fetch(`${hello.url}/api/health`))).toEqual({ status: 'ok' });
    expect(await json(fetch(`${hello.url}/whoami`))).toMatchObject({ agent: null, task: null });
    expect(await json(fetch(`${hello.url}/life`))).toMatchObject({ daemon: 'none', self: null, idle_timeout_ms: null });
  });

  it('echoes method, headers and body as they arrived', async () => {
    const echo = await json(fetch(`${hello.url}/echo?a=1`, { method: 'PUT', body: '{"x":', headers: { 'X-Case': 'kept' } }));
    expect(echo).toMatchObject({ method: 'PUT', url: '/echo?a=1', body: '{"x":', body_bytes: 5 });
    expect(echo.headers['x-case']).toBe('kept');
    expect(echo.raw_headers).toContain('kept');
    const binary = await json(fetch(`${hello.url}/echo`, { method: 'POST', body: new Uint8Array([0xff, 0x00]) }));
    expect(binary).toMatchObject({ body_base64: '/wA=', body_bytes: 2 });
  });

  it('streams a download whose length is said beforehand', async () => {
    const response = await fetch(`${hello.url}/slow?seconds=0.3`);
    expect(response.headers.get('content-length')).toBe('192');
    expect((await response.text()).split('\n')).toHaveLength(4);
    for (const seconds of ['0', '3601', 'x', '']) {
      expect((await fetch(`${hello.url}/slow?seconds=${seconds}`)).status).toBe(400);
    }
  });

  it('echoes WebSocket messages, text as text and bytes as bytes', async () => {
    const socket = new WebSocket(hello.webSocketUrl);
    await once(socket, 'open');
    const echoes: unknown[] = [];
    socket.on('message', (message, binary) => echoes.push([(message as Buffer).toString(), binary]));
    socket.send('hi');
    socket.send(Buffer.from('bytes'));
    while (echoes.length < 2) await once(socket, 'message');
    expect(echoes).toEqual([
      ['hi', false],
      ['bytes', true],
    ]);
    socket.close(1000);
    expect((await once(socket, 'close'))[0]).toBe(1000);
  });

  it('serves an upgrade to anything but /ws as a plain request', async () => {
    const socket = new WebSocket(hello.webSocketUrl.replace('/ws', '/nowhere'));
    socket.on('error', () => undefined);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(404);
    socket.terminate();
  });

  it('ticks on /sse as an event stream that nobody may keep', async () => {
    const abort = new AbortController();
    const response = await fetch(`${hello.url}/sse`, { signal: abort.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { value } = await response.body!.getReader().read();
    expect(new TextDecoder().decode(value)).toMatch(/^event: tick\ndata: \{"now":".*","tick":1\}\n\n$/);
    abort.abort();
  });

  it('has no /crash, and says why its buttons do nothing', async () => {
    expect((await fetch(`${hello.url}/crash`)).status).toBe(404);
    expect((await fetch(`${hello.url}/preview`, { method: 'POST' })).status).toBe(409);
    expect((await json(fetch(`${hello.url}/preview`, { method: 'POST' }))).error).toContain('no hostname');
  });
});

describe('hello, under a daemon', () => {
  let stub: StubDaemon;
  let hello: AgentProcess;
  const routes = new Map<string, string>();

  beforeAll(async () => {
    stub = await StubDaemon.start();
    stub.answer = ({ method, path, body }) => {
      if (path === '/api/self') return { status: 200, body: SELF };
      if (path === '/api/self/busy' && method === 'PUT') return { status: 200, body: { expires_at: '2099-01-01T00:00:00Z' } };
      if (path === '/api/services') {
        const { hostname, target } = body as { hostname: string; target: string };
        routes.set(hostname, target);
        return { status: 200, body: { hostname, target, agent: 'kai', expires_at: '2099-01-01T00:00:00Z' } };
      }
      if (path.startsWith('/api/services/')) routes.delete(path.slice('/api/services/'.length));
      return { status: 204 };
    };
    hello = await AgentProcess.start(HELLO, {
      REVEILLE_URL: stub.url,
      REVEILLE_TOKEN: 'secret-token',
      REVEILLE_AGENT: 'kai',
      REVEILLE_TASK_ID: 'task-7',
      REVEILLE_TASK_SLOT: '1',
      REVEILLE_TASK_NAME: 'kai.1',
    });
  });
  afterAll(async () => {
    await hello[Symbol.asyncDispose]();
    await stub[Symbol.asyncDispose]();
  });

  it('knows its task', async () => {
    expect(await json(fetch(`${hello.url}/whoami`))).toMatchObject({
      agent: 'kai',
      task: { id: 'task-7', slot: 1, name: 'kai.1' },
    });
  });

  it('shows what the daemon says of it', async () => {
    const life = await json(fetch(`${hello.url}/life`));
    expect(life).toMatchObject({ daemon: 'answers', self: SELF, open: { requests: 1, websockets: 0 } });
    expect(life.preview).toEqual({ hostname: 'preview.kai.localhost', open: false });
  });

  it('registers a hostname that leads to a second port of its own, and takes it back', async () => {
    expect(await json(fetch(`${hello.url}/preview`, { method: 'POST' }))).toEqual({ hostname: 'preview.kai.localhost' });
    const target = routes.get('preview.kai.localhost');
    expect(target).toMatch(/^:[0-9]+$/);
    const page = await fetch(`http://127.0.0.1${target}/`);
    expect(await page.text()).toContain('<h1>A preview</h1>');
    expect((await fetch(`${hello.url}/preview`, { method: 'DELETE' })).status).toBe(204);
    expect(routes.size).toBe(0);
    await expect(fetch(`http://127.0.0.1${target}/`)).rejects.toThrow();
  });

  it('takes a busy lease for a while, and gives it back when told', async () => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${hello.url}/busy`, { method: 'POST', headers, body: '{"seconds":30}' });
    expect(answer.status).toBe(202);
    expect((await json(fetch(`${hello.url}/life`))).open['busy']).toBe(1);
    await fetch(`${hello.url}/busy`, { method: 'DELETE' });
    expect(stub.asked.filter((line) => line.endsWith('/busy'))).toEqual(['PUT /api/self/busy', 'DELETE /api/self/busy']);
    expect(stub.calls.every(({ headers: sent }) => sent['x-reveille-task'] === 'task-7')).toBe(true);
  });

  it('lets no page of another site press its buttons', async () => {
    const before = stub.calls.length;
    for (const site of ['cross-site', 'same-site']) {
      const answer = await fetch(`${hello.url}/preview`, { method: 'POST', headers: { 'sec-fetch-site': site } });
      expect(answer.status).toBe(403);
    }
    expect(stub.calls.slice(before).filter(({ path }) => path === '/api/services')).toEqual([]);
  });

  it("passes on the daemon's refusal in words", async () => {
    const { answer } = stub;
    stub.answer = (call) =>
      call.path === '/api/services' ? { status: 409, body: problemBody('hostname-taken', 'id', 'kai2 has it') } : answer(call);
    const response = await fetch(`${hello.url}/preview`, { method: 'POST' });
    stub.answer = answer;
    expect(response.status).toBe(502);
    expect(await response.json()).toEqual({ error: 'The hostname is held by another: kai2 has it', code: 'hostname-taken' });
  });

  it('writes no token to its log', () => {
    expect(hello.lines.join('\n')).not.toContain('secret-token');
  });
});

describe('hello, stopping', () => {
  it('finishes the download in flight, takes no new connection, and exits 0', async () => {
    await using hello = await AgentProcess.start(HELLO);
    const response = await fetch(`${hello.url}/slow?seconds=1`);
    // The head is here, so the download is under way.
    hello.signal('SIGTERM');
    hello.signal('SIGTERM');
    expect(await response.text()).toHaveLength(640);
    expect(await hello.exit).toEqual({ code: 0, signal: null });
    expect(hello.last).toBe('stopped');
    await expect(fetch(hello.url)).rejects.toThrow();
  });

  it('closes WebSockets with 1001, ends event streams whole, and does not wait for who does not say goodbye', async () => {
    await using hello = await AgentProcess.start(HELLO);
    const [polite, silent] = [new WebSocket(hello.webSocketUrl), new WebSocket(hello.webSocketUrl)];
    await Promise.all([once(polite, 'open'), once(silent, 'open')]);
    // Reads nothing any more, so it never sees the Close.
    silent.pause();
    const closed = once(polite, 'close');
    const events = await new Promise<IncomingMessage>((resolve) => httpRequest(`${hello.url}/sse`, resolve).end());
    events.resume();
    const ended = once(events, 'end');
    hello.signal('SIGTERM');
    expect((await closed)[0]).toBe(1001);
    await ended;
    expect(events.complete).toBe(true);
    expect((await hello.exit).code).toBe(0);
    expect(hello.last).toBe('stopped');
    silent.terminate();
  });

  it('exits 0 all the same when the daemon has gone', async () => {
    const stub = await StubDaemon.start();
    stub.answer = ({ path }) =>
      path === '/api/self'
        ? { status: 200, body: SELF }
        : { status: 200, body: { hostname: 'p', target: ':1', agent: 'kai', expires_at: null } };
    await using hello = await AgentProcess.start(HELLO, { REVEILLE_URL: stub.url, REVEILLE_TOKEN: 't' });
    await fetch(`${hello.url}/preview`, { method: 'POST' });
    await stub[Symbol.asyncDispose]();
    hello.signal('SIGTERM');
    expect((await hello.exit).code).toBe(0);
  });
});

describe('hello, started wrongly', () => {
  it('exits 78 with one line that names the variable', async () => {
    await expect(AgentProcess.start(HELLO, { PORT: 'http' })).rejects.toThrow(
      'it ended with 78: PORT is "http"; it must be a whole number',
    );
  });

  it('runs alone, and says so, when it has a daemon but no token', async () => {
    await using hello = await AgentProcess.start(HELLO, { REVEILLE_URL: 'http://127.0.0.1:1' });
    expect(hello.lines.join('\n')).toContain('no token found, running without the daemon');
    expect(await json(fetch(`${hello.url}/life`))).toMatchObject({ daemon: 'none' });
  });

  it('dies on /crash when, and only when, HELLO_TEST is 1', async () => {
    await using hello = await AgentProcess.start(HELLO, { HELLO_TEST: '1' });
    await expect(fetch(`${hello.url}/crash`)).rejects.toThrow();
    expect((await hello.exit).code).toBe(1);
  });
});
