import { createHash, randomBytes } from 'node:crypto';
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  createServer,
  request,
} from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, tokenOf } from './support/fake-control.ts';
import { asAdmin, expectProblem, listening, socketPlace } from './support/port.ts';
import { type RawAnswer, dial, exchange, readUntil } from './support/raw.ts';

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly raw: readonly string[];
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const asked = ({ status, headers, body }: RawAnswer) => ({ statusCode: status, headers, body });

/** The data plane's private listener, as far as path access can tell: it records what it got and answers as it is told. */
class DataPlane {
  readonly seen: Seen[] = [];
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => response.end('hello');
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const { method = '', url = '', headers, rawHeaders } = request;
      this.seen.push({ method, target: url, headers, raw: rawHeaders });
      this.answer(request, response);
    });
  }

  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(path, resolve));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

describe('path access', () => {
  let place: Awaited<ReturnType<typeof socketPlace>>;
  let plane: DataPlane;
  let port: Awaited<ReturnType<typeof listening>>;
  beforeEach(async () => {
    place = await socketPlace();
    plane = new DataPlane();
    await plane.listen(place.path);
    port = await listening({ agentAccess: { socketPath: place.path } });
  });
  afterEach(async () => {
    await port.close();
    await plane.close();
    await place.remove();
  });

  const get = (target: string, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> =>
    exchange(port.port, `GET ${target}`, { ...asAdmin, ...headers });

  it('takes the prefix off and hands the rest on byte for byte', async () => {
    const targets: readonly (readonly [string, string])[] = [
      ['/agents/kai', '/'],
      ['/agents/kai/', '/'],
      ['/agents/kai?a=1', '/?a=1'],
      ['/agents/kai/a/b?x=1&x=2&empty=', '/a/b?x=1&x=2&empty='],
      ['/agents/kai/agents/kai/x', '/agents/kai/x'],
      ['/agents/kai/%41%2f%7b{}|"<>`', '/%41%2f%7b{}|"<>`'],
      ['/agents/kai/a//b/', '/a//b/'],
      ['/agents/kai/a?url=http://x/../y//z%2e%2e', '/a?url=http://x/../y//z%2e%2e'],
      ['/agents/kai/...', '/...'],
      ['/agents/kai/a..b/.well-known/..c', '/a..b/.well-known/..c'],
      ['/agents/kai/:name/*', '/:name/*'],
      ['/agents/kai/a?b?c', '/a?b?c'],
    ];
    for (const [target] of targets) expect((await get(target)).status, target).toBe(200);
    expect(plane.seen.map(({ target }) => target)).toEqual(targets.map(([, rest]) => rest));
  });

  it('refuses paths that programs read differently, and names that are not written as they are', async () => {
    const confusing = [
      '/agents/kai/../ada/x',
      '/agents/kai/a/..',
      '/agents/kai/./x',
      '/agents/kai/%2e%2e/x',
      '/agents/kai/.%2E/x',
      '/agents/kai/a%2f..%2fb',
      '/agents/kai/a%5c..%5cb',
      '/agents/kai/..;x/y',
      '/agents/kai/..;/y',
      '/agents/kai/a\\b',
      '/agents/kai//evil.example/x',
      '/agents/kai/%5cevil.example',
      '/agents/kai/x#fragment',
      '/agents/kai#fragment',
      '/agents/kai;x/y',
      '/agents/k%61i/x',
      '/agents/kai%2fx',
      'http://127.0.0.1/agents/kai/x',
      '/agents/kai/%zz',
    ];
    for (const target of confusing) {
      const { status } = await get(target);
      expect([400, 404], target).toContain(status);
    }
    expect((await get('/%61gents/kai/x')).status).toBe(400);
    expect(plane.seen).toEqual([]);
  });

  it('an agent that is not there is unknown-agent', async () => {
    expectProblem(asked(await get('/agents/nobody/x')), 'unknown-agent');
    expect(plane.seen).toEqual([]);
  });

  it("goes to the agent's first hostname that is none with a wildcard; under a wildcard it makes one up", async () => {
    for (const name of ['kai', 'ada', 'wild'])
      await get(`/agents/${name}/`, { host: 'evil.example', 'x-forwarded-host': 'evil.example' });
    expect(plane.seen.map(({ headers }) => headers.host)).toEqual([
      'kai.example.com',
      'Ada.example.com',
      'reveille-path-access.wild.example.com',
    ]);
    expect(plane.seen.every(({ raw }) => raw.filter((name) => name.toLowerCase() === 'host').length === 1)).toBe(true);
    expect(JSON.stringify(plane.seen)).not.toContain('evil.example');
  });

  it('the agent sees neither the token nor a cookie, whatever they are called and whatever Connection says', async () => {
    const secrets = {
      cookie: 'session=secret',
      cookie2: 'secret',
      'proxy-authorization': 'Basic secret',
      proxy_authorization: 'Basic secret',
      'x-forwarded-for': '6.6.6.6',
      x_forwarded_for: '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      'cf-connecting-ip': '6.6.6.6',
      'x-real-ip': '6.6.6.6',
      'x-request-id': 'secret',
    };
    await get('/agents/kai/', secrets);
    await get('/agents/kai/', {
      ...secrets,
      connection: 'authorization, host, x-request-id, x-forwarded-for, x-kept, close',
      'x-kept': 'no',
    });
    await get('/agents/kai/', { ...secrets, connection: 'close', te: 'trailers', 'keep-alive': 'timeout=5', 'x-kept': 'yes' });
    for (const { headers, raw } of plane.seen) {
      expect(raw.join(' ')).not.toMatch(/secret|6\.6\.6\.6/);
      expect(raw.join(' ')).not.toContain(ADMIN_TOKEN);
      expect(headers['x-forwarded-for']).toBe('127.0.0.1');
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      for (const gone of ['authorization', 'te', 'upgrade', 'http2-settings']) expect(headers).not.toHaveProperty(gone);
    }
    expect(plane.seen.map(({ headers }) => headers['x-kept'])).toEqual([undefined, undefined, 'yes']);
  });

  it('what an agent answers is sandboxed, sets no cookie and nothing for the whole origin', async () => {
    plane.answer = (_request, response) => {
      response.writeHead(203, {
        'set-cookie': ['a=1', 'b=2'],
        'content-security-policy': "default-src 'self'",
        'clear-site-data': '"*"',
        'strict-transport-security': 'max-age=1',
        'access-control-allow-origin': '*',
        'service-worker-allowed': '/',
        'x-between-us': 'secret',
        connection: 'x-between-us, close',
        'content-type': 'text/html',
        'cache-control': 'max-age=60',
        'x-own': 'kept',
      });
      response.end('<p>');
    };
    const { status, headers, body } = await get('/agents/kai/');
    expect({ status, body: body.includes('<p>') }).toEqual({ status: 203, body: true });
    expect(headers).toMatchObject({
      'content-security-policy': 'sandbox allow-scripts allow-forms',
      'content-type': 'text/html',
      'cache-control': 'max-age=60',
      'x-own': 'kept',
    });
    for (const gone of [
      'set-cookie',
      'clear-site-data',
      'strict-transport-security',
      'access-control-allow-origin',
      'service-worker-allowed',
      'x-between-us',
    ]) {
      expect(headers).not.toHaveProperty(gone);
    }
  });

  it('a redirect of an agent to itself leads back under its path, and one elsewhere is left alone', async () => {
    const redirects: readonly (readonly [string, string])[] = [
      ['/login?next=/', '/agents/kai/login?next=/'],
      ['http://kai.example.com/a', '/agents/kai/a'],
      ['https://KAI.example.com', '/agents/kai/'],
      ['http://kai.example.com?x=1', '/agents/kai/?x=1'],
      ['//kai.example.com/a', '/agents/kai/a'],
      ['relative', 'relative'],
      ['?x', '?x'],
      ['https://elsewhere.example/a', 'https://elsewhere.example/a'],
      ['//elsewhere.example/a', '//elsewhere.example/a'],
      ['https://kai.example.com.evil.example/a', 'https://kai.example.com.evil.example/a'],
    ];
    for (const [location, expected] of redirects) {
      plane.answer = (_request, response) => response.writeHead(302, { location }).end();
      expect((await get('/agents/kai/')).headers['location'], location).toBe(expected);
    }
  });

  it('an agent that is asleep is asked once, and its answer comes through with Retry-After', async () => {
    plane.answer = (_request, response) => {
      response.writeHead(503, { 'retry-after': '3', 'content-type': 'application/json' });
      response.end('{"status":"sleeping","agent":"kai"}');
    };
    const { status, headers, body } = await get('/agents/kai/');
    expect({ status, retry: headers['retry-after'] }).toEqual({ status: 503, retry: '3' });
    expect(body).toContain('{"status":"sleeping","agent":"kai"}');
    expect(plane.seen).toHaveLength(1);
  });

  it('bodies go through in both directions as they are, far beyond the limit of the API, and JSON is not read', async () => {
    plane.answer = (incoming, response) => void incoming.pipe(response);
    const body = randomBytes(5 * 1024 * 1024);
    const back = await new Promise<Buffer>((resolve, reject) => {
      const headers = { ...asAdmin, 'content-type': 'application/json' };
      const sent = request({ port: port.port, method: 'POST', path: '/agents/kai/echo', headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () => resolve(Buffer.concat(chunks)));
      });
      sent.once('error', reject);
      sent.end(body);
    });
    expect(back.length).toBe(body.length);
    expect(createHash('sha256').update(back).digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
    expect(plane.seen[0]?.headers['content-length']).toBe(String(body.length));
  });

  it('a chunked body arrives whole, and the method is kept', async () => {
    let got = '';
    plane.answer = (incoming, response) => {
      incoming.setEncoding('utf8').on('data', (text: string) => (got += text));
      incoming.once('end', () => response.end());
    };
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const headers = { ...asAdmin, 'content-type': 'text/x-odd', 'transfer-encoding': 'chunked' };
      const { status } = await exchange(port.port, `${method} /agents/kai/x`, headers, '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n');
      expect(status).toBe(200);
    }
    expect(got).toBe('abcde'.repeat(4));
    expect(plane.seen.map(({ method }) => method)).toEqual(['POST', 'PUT', 'PATCH', 'DELETE']);
  });

  it('a stream is passed on as it comes: its head before its first byte, each piece at once', async () => {
    let stream: ServerResponse | undefined;
    plane.answer = (_request, response) => {
      stream = response;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
    };
    const socket = await dial(port.port);
    socket.write(`GET /agents/kai/events HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`);
    expect(await readUntil(socket, '\r\n\r\n')).toContain('text/event-stream');
    for (const piece of ['data: 1\n\n', 'data: 2\n\n']) {
      const came = readUntil(socket, piece);
      stream?.write(piece);
      await came;
    }
    const gone = new Promise((resolve) => stream?.once('close', resolve));
    socket.destroy();
    await gone;
  });

  it('a caller who leaves before the answer is not waited for: the request to the agent ends', async () => {
    let gone: Promise<unknown> | undefined;
    plane.answer = (_request, response) => {
      gone = new Promise((resolve) => response.once('close', resolve));
    };
    const socket = await dial(port.port);
    socket.write(`GET /agents/kai/slow HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`);
    while (gone === undefined) await turn();
    socket.destroy();
    await gone;
  });

  it('an answer that breaks off is cut, never ended as if it were whole', async () => {
    plane.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.write('half', () => response.destroy());
    };
    const { text } = await get('/agents/kai/');
    expect(text).not.toMatch(/0\r\n\r\n$/);
  });

  it('a data plane that breaks off or is not there is 502', async () => {
    plane.answer = (incoming) => incoming.socket.destroy();
    expectProblem(asked(await get('/agents/kai/')), 'upstream-broken');
    await plane.close();
    expectProblem(asked(await get('/agents/kai/')), 'upstream-refused');
    plane = new DataPlane();
    await plane.listen(place.path);
  });

  it('HEAD and 304 have no body, and the connection is good for the next request', async () => {
    plane.answer = (incoming, response) => {
      response.writeHead(incoming.method === 'HEAD' ? 200 : 304, {
        etag: '"x"',
        ...(incoming.method === 'HEAD' ? { 'content-length': '5' } : {}),
      });
      response.end();
    };
    const head = await exchange(port.port, 'HEAD /agents/kai/', asAdmin);
    expect({ status: head.status, length: head.headers['content-length'], body: head.body }).toEqual({
      status: 200,
      length: '5',
      body: '',
    });
    expect(await get('/agents/kai/')).toMatchObject({ status: 304, body: '' });
  });

  it('is for the operator only, serves no WebSocket, and no GET with a body', async () => {
    for (const [authorization, code] of [
      ['', 'unauthorized'],
      [`Bearer ${tokenOf('kai')}`, 'forbidden'],
    ] as const) {
      expectProblem(asked(await exchange(port.port, 'GET /agents/kai/', { authorization })), code);
      expectProblem(asked(await exchange(port.port, 'POST /agents/nobody/', { authorization })), code);
    }
    expectProblem(asked(await get('/agents/kai/', { connection: 'Upgrade, close', upgrade: 'WebSocket' })), 'bad-request');
    expectProblem(
      asked(await exchange(port.port, 'GET /agents/kai/', { ...asAdmin, 'content-length': '1' }, 'x')),
      'bad-request',
    );
    expect(plane.seen).toEqual([]);
  });

  it('holds a bounded number of requests open', async () => {
    const waiting: ServerResponse[] = [];
    plane.answer = (_request, response) => void waiting.push(response);
    const answers = Array.from({ length: 128 }, () => get('/agents/kai/'));
    while (waiting.length < 128) await turn();
    expectProblem(asked(await get('/agents/kai/')), 'connection-limit');
    for (const response of waiting) response.end();
    expect((await Promise.all(answers)).every(({ status }) => status === 200)).toBe(true);
    plane.answer = (_request, response) => response.end();
    expect((await get('/agents/kai/')).status).toBe(200);
  });
});
