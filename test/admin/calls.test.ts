import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { done, failed } from '../../src/std/outcome.ts';
import { tokenOf } from './support/fake-control.ts';
import { type Injected, expectProblem, injected } from './support/port.ts';

const kai = { token: tokenOf('kai') };
const RFC3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('the calls of the internal port', () => {
  let port: Injected;
  beforeEach(async () => {
    port = await injected();
  });
  afterEach(async () => {
    await port.app.close();
    expect(port.clock.pending, 'no alarm is left behind').toBe(0);
  });

  const json = async (...question: Parameters<Injected['ask']>) => {
    const answer = await port.ask(...question);
    return { status: answer.statusCode, body: JSON.parse(answer.body) };
  };

  it('/healthz and /readyz are told to anybody, and an unready daemon says why', async () => {
    expect(await json('GET', '/healthz', { token: '' })).toEqual({ status: 200, body: { status: 'ok' } });
    expect(await json('GET', '/readyz', { token: '' })).toEqual({ status: 200, body: { status: 'ready' } });
    port.control.isReady = { ready: false, because: 'the engine cannot be reached' };
    expect(expectProblem(await port.ask('GET', '/readyz', { token: '' }), 'not-ready')).toBe('the engine cannot be reached');
    expect(await json('GET', '/healthz', { token: '' })).toEqual({ status: 200, body: { status: 'ok' } });
  });

  it('/metrics is what the metrics port exposes, in its media type', async () => {
    port.metrics.gauge('registered_services', {}).set(7);
    const answer = await port.ask('GET', '/metrics', { token: '' });
    expect(answer.body).toContain('registered_services 7');
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
  });

  it('GET /admin/health has the members of the contract', async () => {
    const { status, body } = await json('GET', '/admin/health');
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual([
      'agent_count',
      'config',
      'engine',
      'frozen_count',
      'ready_count',
      'service_count',
      'sleeping_count',
      'status',
      'uptime_seconds',
      'ws_connections',
    ]);
    expect(body).toMatchObject({
      agent_count: 4,
      ready_count: 4,
      uptime_seconds: 12.5,
      engine: { name: 'process', connected: true },
    });
    expect(body.config.loaded_at).toMatch(RFC3339_UTC);
  });

  it('GET /admin/agents lists all of them by name, and members that do not apply are left out', async () => {
    const { status, body } = await json('GET', '/admin/agents');
    expect(status).toBe(200);
    expect(body.map(({ name }: { name: string }) => name)).toEqual(['ada', 'always', 'kai', 'wild']);
    expect(body[2]).toEqual(port.control.known.get('kai')?.view);
    for (const absent of ['sleeps_at', 'attempts', 'problem', 'busy', 'container_name'])
      expect(body[2]).not.toHaveProperty(absent);
  });

  it('GET /admin/agents/{name} is the same view of one; a name that is none is unknown-agent', async () => {
    expect(await json('GET', '/admin/agents/kai')).toEqual({ status: 200, body: port.control.known.get('kai')?.view });
    for (const name of ['nobody', 'KAI', 'kai%2fwake', 'a'.repeat(300), '__proto__', 'constructor']) {
      expectProblem(await port.ask('GET', `/admin/agents/${name}`), 'unknown-agent');
    }
  });

  it('POST /admin/agents makes an agent once, and only what the API made can be deleted by it', async () => {
    const body = { name: 'new', hostname: 'new.example.com', backend: 'http://127.0.0.1:3000', policy: 'unmanaged' };
    expect(await json('POST', '/admin/agents', { body })).toEqual({ status: 201, body: { status: 'ok', name: 'new' } });
    expectProblem(await port.ask('POST', '/admin/agents', { body }), 'agent-exists');
    expect(await json('DELETE', '/admin/agents/new')).toEqual({ status: 200, body: { status: 'ok' } });
    expectProblem(await port.ask('DELETE', '/admin/agents/new'), 'unknown-agent');
    expectProblem(await port.ask('DELETE', '/admin/agents/kai'), 'agent-from-file');
  });

  it('wake is 202 waking and sleep is 202 sleeping, with and without force; both only for on-demand agents', async () => {
    expect(await json('POST', '/admin/agents/kai/wake')).toEqual({ status: 202, body: { status: 'waking' } });
    expect(port.control.known.get('kai')?.view.state).toBe('starting');
    expect(await json('POST', '/admin/agents/kai/sleep')).toEqual({ status: 202, body: { status: 'sleeping' } });
    expect(port.control.known.get('kai')?.view.state).toBe('draining');
    expect(await json('POST', '/admin/agents/kai/sleep?force=false')).toMatchObject({ status: 202 });
    expect(port.control.known.get('kai')?.view.state).toBe('draining');
    expect(await json('POST', '/admin/agents/kai/sleep?force=true')).toMatchObject({ status: 202 });
    expect(port.control.known.get('kai')?.view.state).toBe('stopping');
    for (const order of ['wake', 'sleep', 'wake?wait=1s']) {
      expectProblem(await port.ask('POST', `/admin/agents/always/${order}`), 'not-on-demand');
      expectProblem(await port.ask('POST', `/admin/agents/nobody/${order}`), 'unknown-agent');
    }
  });

  it('a wake that waits is answered 200 once the agent is ready', async () => {
    const answer = json('POST', '/admin/agents/kai/wake?wait=30s');
    await untilWaiting();
    port.control.becomeReady('kai');
    expect(await answer).toEqual({ status: 200, body: { status: 'ready' } });
  });

  it('a wake that has waited long enough is 504 wake-timeout', async () => {
    port.control.wakeAndWait = async (name, wait) => failed({ problem: 'wake-timeout', detail: `${name} after ${wait} ms` });
    expect(expectProblem(await port.ask('POST', '/admin/agents/kai/wake?wait=10m'), 'wake-timeout')).toBe('kai after 600000 ms');
  });

  it('a shutdown ends a wait with 503 draining', async () => {
    const answer = port.ask('POST', '/admin/agents/kai/wake?wait=30s');
    await untilWaiting();
    port.closing.begin();
    expectProblem(await answer, 'draining');
    expect(port.control.waiting).toBe(0);
    expectProblem(await port.ask('GET', '/healthz'), 'draining');
  });

  it('an agent registers a hostname, sees it, and removes it', async () => {
    const body = { hostname: 'preview.kai.example.com', target: ':3000' };
    const view = { ...body, agent: 'kai', expires_at: null };
    expect(await json('POST', '/api/services', { ...kai, body })).toEqual({ status: 200, body: view });
    expect(await json('GET', '/api/services', kai)).toEqual({ status: 200, body: [view] });
    expect((await json('GET', '/admin/services')).body).toEqual([{ ...view, created_at: expect.stringMatching(RFC3339_UTC) }]);
    expect(await json('DELETE', '/api/services/preview.kai.example.com', kai)).toEqual({ status: 200, body: { status: 'ok' } });
    expectProblem(await port.ask('DELETE', '/api/services/preview.kai.example.com', kai), 'unknown-service');
  });

  it('agents see and remove their own services only; the operator sees all, or those of one, and removes any', async () => {
    const ada = { token: tokenOf('ada') };
    await port.ask('POST', '/api/services', { ...kai, body: { hostname: 'b.kai.example.com', target: ':1' } });
    await port.ask('POST', '/api/services', { ...ada, body: { hostname: 'a.ada.example.com', target: ':2' } });
    const names = async (url: string, question = {}): Promise<readonly string[]> =>
      (await json('GET', url, question)).body.map(({ hostname }: { hostname: string }) => hostname);
    expect(await names('/api/services', kai)).toEqual(['b.kai.example.com']);
    expect(await names('/api/services?agent=kai', kai)).toEqual(['b.kai.example.com']);
    expect(await names('/api/services')).toEqual(['a.ada.example.com', 'b.kai.example.com']);
    expect(await names('/api/services?agent=ada')).toEqual(['a.ada.example.com']);
    expect(await names('/admin/services')).toEqual(['a.ada.example.com', 'b.kai.example.com']);
    expect((await json('GET', '/api/services')).body[0]).not.toHaveProperty('created_at');
    expectProblem(await port.ask('GET', '/api/services?agent=nobody'), 'unknown-agent');
    expectProblem(await port.ask('DELETE', '/api/services/a.ada.example.com', kai), 'forbidden');
    expect((await json('DELETE', '/api/services/a.ada.example.com')).status).toBe(200);
  });

  it('what the runtime refuses is passed on with its code, and nothing is kept', async () => {
    const refused = async (body: object, token = tokenOf('kai')) => port.ask('POST', '/api/services', { token, body });
    expectProblem(await refused({ hostname: 'a.kai.example.com', target: 'http://169.254.169.254' }), 'foreign-target');
    expectProblem(await refused({ hostname: 'a.evil.example', target: ':3000' }), 'hostname-not-allowed');
    expect(port.control.routes.size).toBe(0);
  });

  it('a task says which one it is with X-Reveille-Task, and the address it calls from is known', async () => {
    await port.ask('GET', '/api/self', { ...kai, headers: { 'x-reveille-task': 'kai-task-1' } });
    await port.ask('GET', '/api/self', kai);
    expect(port.control.callers).toEqual([
      { agent: 'kai', task: 'kai-task-1', from: '127.0.0.1', admin: false },
      { agent: 'kai', task: null, from: '127.0.0.1', admin: false },
    ]);
    expectProblem(await port.ask('GET', '/api/self', { ...kai, headers: { 'x-reveille-task': 'ada-task-1' } }), 'not-your-task');
    port.control.known.get('kai')?.tasks.push('kai-task-2');
    expectProblem(await port.ask('GET', '/api/self', kai), 'task-required');
  });

  it('GET /api/self is the agent with its tasks', async () => {
    const { status, body } = await json('GET', '/api/self', kai);
    expect(status).toBe(200);
    expect(body).toMatchObject({ agent: 'kai', state: 'ready', woken_by: null, sleeps_at: null, domains: ['*.kai.example.com'] });
    expect(body.tasks).toEqual([expect.objectContaining({ id: 'kai-task-1', slot: 1, state: 'running', on_leader: true })]);
  });

  it('an agent scales itself within its bounds', async () => {
    expect(await json('POST', '/api/self/scale', { ...kai, body: { replicas: 3 } })).toEqual({
      status: 202,
      body: { status: 'scaling' },
    });
    expect(port.control.known.get('kai')?.view.replicas.wanted).toBe(3);
    for (const replicas of [0, 4, -1]) {
      expectProblem(await port.ask('POST', '/api/self/scale', { ...kai, body: { replicas } }), 'replicas-out-of-range');
    }
  });

  it('an agent ends one of its tasks; the last one only to have it replaced', async () => {
    expectProblem(await port.ask('DELETE', '/api/self/tasks/kai-task-1', kai), 'last-task');
    expectProblem(await port.ask('DELETE', '/api/self/tasks/kai-task-1?replace=false', kai), 'last-task');
    expectProblem(await port.ask('DELETE', '/api/self/tasks/other', kai), 'unknown-task');
    expect(await json('DELETE', '/api/self/tasks/kai-task-1?replace=true', kai)).toEqual({
      status: 202,
      body: { status: 'ending' },
    });
    expect(port.control.known.get('kai')?.tasks).toEqual([]);
  });

  it('a busy lease is taken and dropped', async () => {
    const taken = await json('PUT', '/api/self/busy', { ...kai, body: { ttl: '10m', reason: 'a long night' } });
    expect(taken).toEqual({ status: 200, body: { expires_at: expect.stringMatching(RFC3339_UTC) } });
    expect(port.control.leases.get('kai')).toBe('a long night');
    expect(await json('DELETE', '/api/self/busy', kai)).toEqual({ status: 200, body: { status: 'ok' } });
    expect(port.control.leases.size).toBe(0);
  });

  it('a reload says what it did, or every complaint', async () => {
    port.control.reloadAnswer = done({ added: ['a'], removed: [], changed: ['b'], restart_needed: ['listen'] });
    expect(await json('POST', '/admin/reload')).toEqual({
      status: 200,
      body: { added: ['a'], removed: [], changed: ['b'], restart_needed: ['listen'] },
    });
    const complaints = ['orchestrator.yaml:3:1: unknown key', 'orchestrator.yaml:9:2: duplicate hostname'];
    port.control.reloadAnswer = failed({ problem: 'config-invalid', extra: { complaints } });
    const answer = await port.ask('POST', '/admin/reload');
    expectProblem(answer, 'config-invalid');
    expect(JSON.parse(answer.body).complaints).toEqual(complaints);
  });

  it('an agent is kept asleep or awake, until a time or until further notice, and released', async () => {
    const url = '/admin/agents/kai/override';
    const kept = await json('PUT', url, { body: { state: 'awake', until: '2026-01-31T18:00:00.5+01:00' } });
    const override = { state: 'awake', since: '2026-01-01T00:00:00.000Z', until: '2026-01-31T17:00:00.500Z' };
    expect(kept).toMatchObject({ status: 200, body: { name: 'kai', override } });
    expect((await json('GET', '/admin/agents/kai')).body.override).toEqual(override);
    const forGood = { state: override.state, since: override.since };
    expect((await json('PUT', url, { body: { state: 'awake' } })).body.override).toEqual(forGood);
    for (let each = 0; each < 2; each += 1) {
      const released = await json('DELETE', url);
      expect(released).toMatchObject({ status: 200, body: { name: 'kai' } });
      expect(released.body).not.toHaveProperty('override');
    }
  });

  it('an override that makes no sense is refused', async () => {
    const ask = (body: unknown, name = 'kai') => port.ask('PUT', `/admin/agents/${name}/override`, { body });
    const wrong: readonly (readonly [unknown, string])[] = [
      [{}, 'state: is missing'],
      [{ state: 'dozing' }, 'state: must be one of asleep, awake'],
      [{ state: 'awake', until: 'tomorrow' }, 'until: must match format "date-time"'],
      [{ state: 'awake', until: '2026-01-31' }, 'until: must match format "date-time"'],
      [{ state: 'awake', until: '2026-06-30T23:59:60Z' }, 'until: is no time that there is'],
      [{ state: 'awake', until: null }, 'until: must be string'],
      [{ state: 'awake', why: 'so' }, 'why: is not known here'],
    ];
    for (const [body, detail] of wrong) expect(expectProblem(await ask(body), 'invalid-body')).toBe(detail);
    expectProblem(await ask({ state: 'awake' }, 'nobody'), 'unknown-agent');
    expectProblem(await ask({ state: 'awake' }, 'always'), 'not-on-demand');
    expectProblem(await port.ask('DELETE', '/admin/agents/nobody/override'), 'unknown-agent');
    expectProblem(await port.ask('DELETE', '/admin/agents/always/override'), 'not-on-demand');
    expectProblem(await port.ask('GET', '/admin/agents/kai/override'), 'method-not-allowed');
  });

  it('every answer has a request id of its own, is not stored, and gives a browser nothing to do', async () => {
    const ids = new Set<unknown>();
    for (const url of ['/healthz', '/admin/agents', '/nothing', '/admin/agents/nobody', '/%']) {
      const { headers } = await port.ask('GET', url, { headers: { 'x-request-id': 'mine' } });
      ids.add(headers['x-request-id']);
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    }
    expect(ids.size).toBe(5);
  });

  it('a call that changes something leaves a line with who made it, and never the token', async () => {
    await port.ask('POST', '/admin/agents/kai/sleep?force=true');
    await port.ask('DELETE', '/api/self/busy', kai);
    await port.ask('GET', '/admin/agents');
    expect(port.log.lines[0]?.facts['url']).toBe('/admin/agents/kai/sleep');
    expect(port.log.lines.map(({ message, facts }) => [message, facts['method'], facts['by'], facts['status']])).toEqual([
      ['a call was made on the internal port', 'POST', 'admin', 202],
      ['a call was made on the internal port', 'DELETE', 'kai', 200],
    ]);
    expect(JSON.stringify(port.log.lines)).not.toMatch(/token/);
  });

  /** The request has to get as far as the runtime first; each turn lets pending callbacks run. */
  async function untilWaiting(): Promise<void> {
    for (let turn = 0; turn < 1000 && port.control.waiting === 0; turn += 1)
      await new Promise((resolve) => setImmediate(resolve));
    expect(port.control.waiting).toBe(1);
  }
});
