import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Violation } from '../../src/std/assert.ts';
import { tokenOf } from './support/fake-control.ts';
import { type Injected, expectProblem, injected } from './support/port.ts';

const MIB = 1024 * 1024;
const jsonType = { 'content-type': 'application/json' };

describe('bad input', () => {
  let port: Injected;
  beforeEach(async () => {
    port = await injected();
  });
  afterEach(async () => {
    await port.app.close();
  });

  const good = { name: 'new', hostname: 'new.example.com', backend: 'http://h', policy: 'unmanaged' };
  const create = (body: unknown, headers = {}) => port.ask('POST', '/admin/agents', { body, headers });

  it('a body that does not fit is invalid-body, and the detail begins with the field', async () => {
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [{ ...good, name: undefined }, /^name: is missing$/],
      [{ ...good, name: 'Not A Name' }, /^name: /],
      [{ ...good, name: 7 }, /^name: must be string$/],
      [{ ...good, policy: 'sometimes' }, /^policy: must be one of on-demand, always-on, unmanaged$/],
      [{ ...good, hostname: '' }, /^hostname: /],
      [{ ...good, idle_timeout: '5 minutes' }, /^idle_timeout: /],
      [{ ...good, idle_timeout: null }, /^idle_timeout: must be string$/],
      [{ ...good, polcy: 'x' }, /^polcy: is not known here$/],
      [[good], /^The body must be object$/],
    ];
    for (const [body, detail] of wrong) expect(expectProblem(await create(body), 'invalid-body')).toMatch(detail);
    for (const text of ['null', '"text"', '7', 'true', '[]']) expectProblem(await create(text, jsonType), 'invalid-body');
    expect(port.control.known.has('new')).toBe(false);
  });

  it('a call that wants a body and gets none is invalid-body', async () => {
    expectProblem(await port.ask('POST', '/admin/agents'), 'invalid-body');
    expectProblem(await create('', jsonType), 'invalid-body');
  });

  it('a call that wants no body may still be told that it is JSON', async () => {
    const answer = await port.ask('POST', '/admin/agents/kai/wake', { headers: jsonType });
    expect(answer.statusCode).toBe(202);
    expect((await port.ask('POST', '/admin/agents/kai/wake', { body: {} })).statusCode).toBe(202);
  });

  it('nothing is converted: a number in quotes is not a number', async () => {
    for (const replicas of ['2', 2.5, null, [2], true]) {
      const answer = await port.ask('POST', '/api/self/scale?agent=kai', { body: { replicas } });
      expect(expectProblem(answer, 'invalid-body')).toMatch(/^replicas: must be integer$/);
    }
  });

  it('broken JSON is invalid-body, and the detail does not repeat what was sent', async () => {
    for (const text of ['{', '{"name":', '{"secret-value"', "{'name':'x'}", '{} {}', '\u0000', '{"a":NaN}']) {
      const detail = expectProblem(await create(text, jsonType), 'invalid-body');
      expect(detail).toContain('not valid JSON');
      expect(detail).not.toContain('secret-value');
    }
  });

  it('keys that would reach a prototype are refused', async () => {
    for (const key of ['"__proto__":{"admin":true}', '"constructor":{"prototype":{"admin":true}}', '"\\u005f_proto__":{}']) {
      const answer = await create(`{${key},"name":"new","hostname":"a","backend":"b","policy":"unmanaged"}`, jsonType);
      expect(expectProblem(answer, 'invalid-body')).toContain('__proto__ or constructor.prototype');
    }
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('a query that does not fit is invalid-query, and the detail names the parameter', async () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['/admin/agents/kai/wake?wait=soon', /^wait: /],
      ['/admin/agents/kai/wake?wait=', /^wait: /],
      ['/admin/agents/kai/wake?wait=601s', /^wait: must be at most 10m$/],
      ['/admin/agents/kai/wake?wait=1s&wait=2s', /^wait: must be string$/],
      ['/admin/agents/kai/sleep?force=yes', /^force: must be one of true, false$/],
      ['/admin/agents/kai/sleep?force', /^force: /],
      ['/admin/agents/kai/sleep?forse=true', /^forse: is not known here$/],
      ['/admin/reload?dry_run=true', /^dry_run: is not known here$/],
    ];
    for (const [url, detail] of wrong) expect(expectProblem(await port.ask('POST', url), 'invalid-query')).toMatch(detail);
    expect(port.control.known.get('kai')?.view.state).toBe('ready');
  });

  it('a body of 1 MiB is read, and one more byte is body-too-large, with and without a length', async () => {
    const filled = (bytes: number): string => `{"name":"${'x'.repeat(bytes - 11)}"}`;
    expect(filled(MIB)).toHaveLength(MIB);
    expectProblem(await create(filled(MIB), jsonType), 'invalid-body');
    expectProblem(await create(filled(MIB + 1), jsonType), 'body-too-large');
    const chunked = { ...jsonType, 'transfer-encoding': 'chunked', 'content-length': '' };
    expectProblem(await create(filled(MIB + 1), chunked), 'body-too-large');
  });

  it('only application/json is taken', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/json',
      'nonsense',
      '',
    ]) {
      expectProblem(await create(JSON.stringify(good), { 'content-type': type }), 'unsupported-media-type');
    }
    expect((await create(JSON.stringify(good), { 'content-type': 'application/json; charset=utf-8' })).statusCode).toBe(201);
  });

  it('a path with a broken percent-encoding is bad-request, and one with an endless name is uri-too-long', async () => {
    expectProblem(await port.ask('GET', '/admin/agents/%zz'), 'bad-request');
    expectProblem(await port.ask('GET', '/admin/agents/%'), 'bad-request');
    expectProblem(await port.ask('GET', `/admin/agents/${'a'.repeat(400)}`), 'uri-too-long');
  });

  it('a mistake of ours is internal-error, tells the caller nothing, and is logged with the request id', async () => {
    port.control.health = () => {
      throw new TypeError('secret detail');
    };
    const answer = await port.ask('GET', '/admin/health');
    expect(expectProblem(answer, 'internal-error')).toBeUndefined();
    expect(answer.body).not.toContain('secret detail');
    const line = port.log.lines.find(({ level }) => level === 'error');
    expect(line?.facts).toMatchObject({ requestId: answer.headers['x-request-id'], url: '/admin/health' });
  });

  it('a broken promise of ours is answered and then ends the daemon', async () => {
    port.control.health = () => {
      throw new Violation('two writers');
    };
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const died = new Promise((resolve) => process.once('uncaughtException', resolve));
    try {
      expectProblem(await port.ask('GET', '/admin/health'), 'internal-error');
      expect(await died).toBeInstanceOf(Violation);
    } finally {
      for (const listener of before) process.on('uncaughtException', listener);
    }
  });

  it('every refusal is counted by its problem', async () => {
    await port.ask('GET', '/admin/health', { token: 'wrong' });
    await port.ask('GET', '/admin/health', { token: tokenOf('kai') });
    await port.ask('GET', '/admin/agents/nobody');
    await port.ask('GET', '/admin/agents/%');
    expect(Object.fromEntries(port.metrics.values)).toEqual({
      'refused_total{problem="unauthorized"}': 1,
      'refused_total{problem="forbidden"}': 1,
      'refused_total{problem="unknown-agent"}': 1,
      'refused_total{problem="bad-request"}': 1,
    });
  });
});
