import { type RequestOptions, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { ADMIN_TOKEN } from './support/fake-control.ts';
import { asAdmin, expectProblem, listening } from './support/port.ts';
import { type RawAnswer, dial, exchange, readAll, readUntil } from './support/raw.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const AUTHORIZATION = `authorization: Bearer ${ADMIN_TOKEN}\r\n`;
const asked = ({ status, headers, body }: RawAnswer) => ({ statusCode: status, headers, body });

describe('the internal port on a socket', () => {
  let port: Awaited<ReturnType<typeof listening>>;
  beforeEach(async () => {
    port = await listening();
  });
  afterEach(async () => {
    await port.close();
  });

  it('a stranger is not asked for a body, and what it sends anyway is not read to its end', async () => {
    const socket = await dial(port.port);
    const answer = readAll(socket);
    socket.write('POST /admin/agents HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n');
    socket.write('expect: 100-continue\r\n\r\n');
    const got = await answer;
    expect(got.text).not.toContain('100 Continue');
    expectProblem(asked(got), 'unauthorized');
    expect(got.headers['connection']).toBe('close');
    const unasked = { 'content-type': 'application/json', 'content-length': '1000000000', connection: 'keep-alive' };
    const refused = await exchange(port.port, 'POST /admin/agents', unasked, '{"a":');
    expectProblem(asked(refused), 'unauthorized');
    expect(refused.headers['connection']).toBe('close');
  });

  it('the operator is asked for the body, then answered', async () => {
    const socket = await dial(port.port);
    const body = JSON.stringify({ replicas: 2 });
    socket.write(`POST /api/self/scale?agent=kai HTTP/1.1\r\nhost: h\r\n${AUTHORIZATION}content-type: application/json\r\n`);
    socket.write(`content-length: ${body.length}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n`);
    expect(await readUntil(socket, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 100 Continue/);
    const answer = readAll(socket);
    socket.write(body);
    expect((await answer).status).toBe(202);
  });

  it('a body that says it is too large is refused before it is sent, and the connection ends', async () => {
    const head = { ...asAdmin, 'content-type': 'application/json', 'content-length': '1048577', expect: '100-continue' };
    const answer = await exchange(port.port, 'POST /admin/agents', { ...head, connection: 'keep-alive' });
    expect(answer.text).not.toContain('100 Continue');
    expectProblem(asked(answer), 'body-too-large');
  });

  it('a body that grows too large without saying so is cut off', async () => {
    const socket = await dial(port.port);
    const answer = readAll(socket);
    socket.write(
      `POST /admin/agents HTTP/1.1\r\nhost: h\r\n${AUTHORIZATION}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    for (let sent = 0; sent < 17; sent += 1) socket.write(chunk);
    expectProblem(asked(await answer), 'body-too-large');
  });

  it('a body that does not come is request-timeout after 30 s', async () => {
    const socket = await dial(port.port);
    const answer = readAll(socket);
    socket.write(
      `POST /admin/agents HTTP/1.1\r\nhost: h\r\n${AUTHORIZATION}content-type: application/json\r\ncontent-length: 10\r\n\r\n{"na`,
    );
    while (port.clock.pending === 0) await turn();
    await port.clock.advance(30_000);
    expectProblem(asked(await answer), 'request-timeout');
  });

  it('a client that goes away in the middle of its body leaves nothing behind', async () => {
    const socket = await dial(port.port);
    socket.write(
      `POST /admin/agents HTTP/1.1\r\nhost: h\r\n${AUTHORIZATION}content-type: application/json\r\ncontent-length: 10\r\n\r\n{"na`,
    );
    while (port.clock.pending === 0) await turn();
    socket.destroy();
    // The call comes to its end too, though nobody hears of it.
    while (port.clock.pending > 0 || port.metrics.values.size === 0) await turn();
    expect(port.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('what is not HTTP, or a head that is too large, gets a problem and the end of the connection', async () => {
    const raw = async (text: string): Promise<RawAnswer> => {
      const socket = await dial(port.port);
      const answer = readAll(socket);
      socket.write(text);
      return answer;
    };
    expectProblem(asked(await raw('NONSENSE\r\n\r\n')), 'bad-request');
    expectProblem(
      asked(await raw('GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n')),
      'bad-request',
    );
    expectProblem(asked(await raw(`GET /healthz HTTP/1.1\r\nhost: h\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`)), 'headers-too-large');
  });

  it('a target that is not a plain path is bad-request', async () => {
    for (const target of ['//evil.example/healthz', 'http://evil.example/healthz', '//healthz']) {
      expectProblem(asked(await exchange(port.port, `GET ${target}`, asAdmin)), 'bad-request');
    }
    expect((await exchange(port.port, 'OPTIONS *', {})).status).toBe(400);
  });

  it('pipelined requests are answered in order, and a broken one behind them does not cut into an answer', async () => {
    const socket = await dial(port.port);
    const answer = readAll(socket);
    const wake = `POST /admin/agents/kai/wake?wait=30s HTTP/1.1\r\nhost: h\r\n${AUTHORIZATION}content-length: 0\r\n\r\n`;
    socket.write(`${wake}BROKEN\r\n\r\n`);
    const { text } = await answer;
    expect(text).not.toContain('problem+json');
    while (port.control.waiting > 0) await turn();
  });

  it('a client that gives up its wait calls the wait off', async () => {
    const socket = await dial(port.port);
    socket.write(`POST /admin/agents/kai/wake?wait=30s HTTP/1.1\r\nhost: h\r\n${AUTHORIZATION}content-length: 0\r\n\r\n`);
    while (port.control.waiting === 0) await turn();
    socket.destroy();
    while (port.control.waiting > 0) await turn();
  });

  it('an upgrade is served as the plain request it also is', async () => {
    const answer = await exchange(port.port, 'GET /healthz', { connection: 'upgrade, close', upgrade: 'websocket' });
    expect(answer.status).toBe(200);
  });
});

describe('closing the internal port', () => {
  it('refuses new calls with 503 draining and Connection: close, also on a connection that is kept', async () => {
    const port = await listening();
    const socket = await dial(port.port);
    socket.write(`POST /admin/agents/kai/wake?wait=30s HTTP/1.1\r\nhost: h\r\n${AUTHORIZATION}content-length: 0\r\n\r\n`);
    while (port.control.waiting === 0) await turn();
    const text = readAll(socket);
    const closed = port.server.close(millisOf(30_000));
    const answer = await text;
    expectProblem(asked(answer), 'draining');
    expect(answer.headers['connection']).toBe('close');
    await closed;
    expect(port.clock.pending).toBe(0);
  });

  it('cuts what is left at the deadline: half a head would otherwise be waited for', async () => {
    const port = await listening();
    const socket = await dial(port.port);
    socket.write('GET /healthz HTTP/1.1\r\nhost');
    await exchange(port.port, 'GET /healthz', {});
    const closed = port.server.close(millisOf(5_000));
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(port.clock.pending).toBe(1);
    await port.clock.advance(5_000);
    await closed;
  });

  it('ends idle connections at once', async () => {
    const port = await listening();
    const options: RequestOptions = { port: port.port, path: '/healthz', headers: { connection: 'keep-alive' } };
    await new Promise((resolve, reject) => {
      request(options, (response) => response.resume().once('end', resolve))
        .once('error', reject)
        .end();
    });
    await port.server.close(millisOf(60_000));
    expect(port.clock.pending).toBe(0);
  });

  it('a port that is taken is said by listen, with the error of Node', async () => {
    const port = await listening();
    const { adminServer } = await import('../../src/admin/server.ts');
    const second = await adminServer(port.options);
    await expect(second.listen({ host: '127.0.0.1', port: port.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await second.close(millisOf(0));
    await port.close();
  });
});
