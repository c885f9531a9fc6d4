import fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auth } from '../../src/admin/auth.ts';
import type { Access, App } from '../../src/admin/openapi.ts';
import { Violation } from '../../src/std/assert.ts';
import { ADMIN_TOKEN, FakeControl, tokenOf } from './support/fake-control.ts';
import { exchange } from './support/raw.ts';
import { type Injected, asAdmin, expectProblem, injected, listening } from './support/port.ts';

/** One request that reaches the call behind each route; every route of the internal port has its row. */
const REQUESTS: Readonly<Record<string, { readonly access: Access; readonly url?: string; readonly body?: unknown }>> = {
  'GET /healthz': { access: 'open' },
  'GET /readyz': { access: 'open' },
  'GET /metrics': { access: 'local-or-admin' },
  'GET /openapi.json': { access: 'admin' },
  'GET /admin/health': { access: 'admin' },
  'GET /admin/agents': { access: 'admin' },
  'POST /admin/agents': {
    access: 'admin',
    body: { name: 'new', hostname: 'new.example.com', backend: 'http://h', policy: 'unmanaged' },
  },
  'GET /admin/agents/:name': { access: 'admin', url: '/admin/agents/kai' },
  'DELETE /admin/agents/:name': { access: 'admin', url: '/admin/agents/kai' },
  'POST /admin/agents/:name/wake': { access: 'admin', url: '/admin/agents/kai/wake' },
  'POST /admin/agents/:name/sleep': { access: 'admin', url: '/admin/agents/kai/sleep' },
  'PUT /admin/agents/:name/override': { access: 'admin', url: '/admin/agents/kai/override', body: { state: 'awake' } },
  'DELETE /admin/agents/:name/override': { access: 'admin', url: '/admin/agents/kai/override' },
  'GET /admin/services': { access: 'admin' },
  'POST /admin/reload': { access: 'admin' },
  'GET /admin/events': { access: 'admin' },
  'GET /api/services': { access: 'agent-or-admin' },
  'POST /api/services': { access: 'agent-or-admin', body: { hostname: 'a.kai.example.com', target: ':3000', agent: 'kai' } },
  'DELETE /api/services/:hostname': { access: 'agent-or-admin', url: '/api/services/a.kai.example.com' },
  'GET /api/self': { access: 'agent-or-admin', url: '/api/self?agent=kai' },
  'POST /api/self/scale': { access: 'agent-or-admin', url: '/api/self/scale?agent=kai', body: { replicas: 2 } },
  'DELETE /api/self/tasks/:id': { access: 'agent-or-admin', url: '/api/self/tasks/kai-task-1?agent=kai&replace=true' },
  'PUT /api/self/busy': { access: 'agent-or-admin', url: '/api/self/busy?agent=kai', body: { ttl: '1m', reason: 'work' } },
  'DELETE /api/self/busy': { access: 'agent-or-admin', url: '/api/self/busy?agent=kai' },
};
// One socket path that nobody listens on: what gets as far as the data plane is let in.
for (const url of ['/agents/:name', '/agents/:name/*']) {
  for (const method of ['DELETE', 'GET', 'PATCH', 'POST', 'PUT', 'OPTIONS']) {
    Object.assign(REQUESTS, { [`${method} ${url}`]: { access: 'admin', url: url.replace(':name', 'kai').replace('*', 'x') } });
  }
}

type Who = 'none' | 'wrong' | 'agent' | 'other' | 'admin';
/** What each route says to each caller who may not: null means that the call is made. */
const REFUSALS: Readonly<Record<Access, Readonly<Record<Who, 'unauthorized' | 'forbidden' | null>>>> = {
  open: { none: null, wrong: null, agent: null, other: null, admin: null },
  'local-or-admin': { none: null, wrong: null, agent: null, other: null, admin: null },
  admin: { none: 'unauthorized', wrong: 'unauthorized', agent: 'forbidden', other: 'forbidden', admin: null },
  'agent-or-admin': { none: 'unauthorized', wrong: 'unauthorized', agent: null, other: null, admin: null },
};
const TOKENS: readonly (readonly [Who, string])[] = [
  ['none', ''],
  ['wrong', 'not-a-token'],
  ['agent', tokenOf('kai')],
  ['other', tokenOf('ada')],
  ['admin', ADMIN_TOKEN],
];

describe('who may call', () => {
  let port: Injected;
  beforeEach(async () => {
    port = await injected();
  });
  afterEach(async () => {
    await port.app.close();
  });

  const served = (): readonly string[] =>
    port.paths.all.flatMap(({ url, methods }) =>
      methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${url}`),
    );

  it('every route that is served has a row in the table of who may call it, and no row is for nothing', () => {
    expect([...served()].sort()).toEqual(Object.keys(REQUESTS).sort());
    for (const { url, methods, access } of port.paths.all) {
      for (const method of methods) expect(access, url).toBe(REQUESTS[`${method === 'HEAD' ? 'GET' : method} ${url}`]?.access);
    }
  });

  // The event stream does not end, so whoever is let in is tested in events.test.ts.
  for (const [route, { access, url, body }] of Object.entries(REQUESTS)) {
    it(`${route} lets in whom it says, and says 401 or 403 to everybody else`, async () => {
      const [method = '', path = ''] = route.split(' ');
      for (const [who, token] of TOKENS) {
        const refusal = REFUSALS[access][who];
        if (route === 'GET /admin/events' && refusal === null) continue;
        const named = who === 'other' ? (url ?? path).replace('agent=kai', 'agent=ada') : (url ?? path);
        const answer = await port.ask(method, named, { token, ...(body === undefined ? {} : { body: bodyFor(who, body) }) });
        if (refusal === null) expect([401, 403], `${who} on ${route}`).not.toContain(answer.statusCode);
        else expectProblem(answer, refusal);
      }
    });
  }

  it('HEAD is as closed as GET', async () => {
    for (const [route, { access, url }] of Object.entries(REQUESTS)) {
      if (!route.startsWith('GET ') || access !== 'admin') continue;
      const answer = await port.app.inject({ method: 'HEAD', url: url ?? route.slice(4) });
      expect(answer.statusCode, route).toBe(401);
    }
  });

  it('a path that does not exist is 401 to a stranger and 404 to a caller with any token', async () => {
    for (const url of ['/nothing', '/admin', '/admin/nothing', '/api', '/agents', '/admin/agents/kai/nothing']) {
      expectProblem(await port.ask('GET', url, { token: '' }), 'unauthorized');
      expectProblem(await port.ask('GET', url, { token: tokenOf('kai') }), 'not-found');
      expectProblem(await port.ask('GET', url), 'not-found');
    }
  });

  it('a method that a path does not have is 405 with Allow, but 401 to a stranger where the path is not open', async () => {
    const methods = [...new Set(served().map((route) => route.split(' ')[0] ?? '')), 'TRACE', 'PROPFIND'];
    for (const { url } of port.paths.all.filter(({ url }) => !url.startsWith('/agents/'))) {
      const here = port.paths.at(url.replaceAll(':', ''));
      for (const method of methods.filter((method) => !here.methods.includes(method))) {
        const path = url.replaceAll(':', '');
        const answer = await port.ask(method, path);
        expectProblem(answer, 'method-not-allowed');
        expect(answer.headers['allow']).toBe(here.methods.join(', '));
        expectProblem(await port.ask(method, path, { token: '' }), here.open ? 'method-not-allowed' : 'unauthorized');
      }
    }
  });

  it('the scheme is read without regard to case, and nothing but one bearer token is taken', async () => {
    const status = async (authorization: string): Promise<number> =>
      (await port.app.inject({ url: '/admin/health', headers: { authorization } })).statusCode;
    expect(await status(`bearer ${ADMIN_TOKEN}`)).toBe(200);
    expect(await status(`BEARER   ${ADMIN_TOKEN} `)).toBe(200);
    for (const wrong of [
      '',
      'Bearer',
      'Bearer ',
      ADMIN_TOKEN,
      `Basic ${ADMIN_TOKEN}`,
      `Bearer ${ADMIN_TOKEN} x`,
      `Bearer,${ADMIN_TOKEN}`,
    ]) {
      expect(await status(wrong), JSON.stringify(wrong)).toBe(401);
    }
  });

  it('an agent speaks for itself only, whether it names another in the query or in the body', async () => {
    const token = tokenOf('kai');
    expectProblem(await port.ask('GET', '/api/self?agent=ada', { token }), 'forbidden');
    expectProblem(await port.ask('GET', '/api/services?agent=ada', { token }), 'forbidden');
    expectProblem(await port.ask('POST', '/api/self/scale?agent=ada', { token, body: { replicas: 1 } }), 'forbidden');
    const body = { hostname: 'a.ada.example.com', target: ':3000', agent: 'ada' };
    expectProblem(await port.ask('POST', '/api/services', { token, body }), 'forbidden');
    expect(port.control.callers).toEqual([]);
  });

  it('the operator speaks for an agent by naming it, and has to', async () => {
    expect(expectProblem(await port.ask('GET', '/api/self'), 'invalid-query')).toContain('agent');
    const body = { hostname: 'a.kai.example.com', target: ':3000' };
    expect(expectProblem(await port.ask('POST', '/api/services', { body }), 'invalid-body')).toContain('agent');
    await port.ask('GET', '/api/self?agent=kai', { headers: { 'x-reveille-task': 'kai-task-1' } });
    expect(port.control.callers).toEqual([{ agent: 'kai', task: 'kai-task-1', from: '127.0.0.1', admin: true }]);
  });

  it('who may not call is told before anything of the request is looked at', async () => {
    const broken = { headers: { 'content-type': 'application/json' }, body: '{"broken' };
    for (const token of ['', 'wrong']) {
      expectProblem(await port.ask('POST', '/admin/agents?what=ever', { token, ...broken }), 'unauthorized');
      expectProblem(
        await port.ask('POST', '/api/services', { token, headers: { 'content-type': 'text/csv' }, body: 'a' }),
        'unauthorized',
      );
    }
    expectProblem(await port.ask('POST', '/admin/agents', { token: tokenOf('kai'), ...broken }), 'forbidden');
  });

  it('what a web page sends changes nothing, even with the token', async () => {
    const pages: readonly Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:9180' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of pages) {
      expectProblem(await port.ask('POST', '/admin/agents/kai/sleep', { headers }), 'forbidden');
      expectProblem(await port.ask('DELETE', '/api/self/busy', { token: tokenOf('kai'), headers }), 'forbidden');
    }
    expect(port.control.known.get('kai')?.view.state).toBe('ready');
    const read = await port.ask('GET', '/admin/health', { headers: { origin: 'https://evil.example' } });
    expect(read.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('a name that a page has rebound to loopback does not open the metrics; the token does', async () => {
    const real = await listening();
    const status = async (host: string, headers: Readonly<Record<string, string>> = {}): Promise<number> =>
      (await exchange(real.port, 'GET /metrics', { host, ...headers })).status;
    for (const host of ['evil.example:9180', 'evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '']) {
      expect(await status(host), host).toBe(401);
      expect(await status(host, asAdmin), host).toBe(200);
    }
    for (const host of ['localhost:9180', '127.0.0.1:9180', '[::1]:9180', 'daemon.localhost', '127.8.8.8', 'LOCALHOST.']) {
      expect(await status(host), host).toBe(200);
    }
    await real.close();
  });

  it('a daemon that wants a bearer for the metrics wants the admin token', async () => {
    const closed = await injected({ metricsAuth: 'bearer' });
    expectProblem(await closed.ask('GET', '/metrics', { token: '' }), 'unauthorized');
    expectProblem(await closed.ask('GET', '/metrics', { token: tokenOf('kai') }), 'forbidden');
    expect((await closed.ask('GET', '/metrics')).statusCode).toBe(200);
    await closed.app.close();
  });

  it('a route that does not say who may call it stops the start', () => {
    const app = fastify() as unknown as App;
    auth(app, new FakeControl());
    expect(() => app.get('/forgotten', () => 'secret')).toThrow(Violation);
  });
});

/** The body of a registration names the caller's own agent and one of its hostnames. */
function bodyFor(who: Who, body: unknown): unknown {
  return who === 'other' ? JSON.parse(JSON.stringify(body).replaceAll('kai', 'ada')) : body;
}
