import { describe, expect, test } from 'vitest';
import { type House, OWN_PORTS, caller, codeOf, house } from './harness.ts';

const KAI = {
  hostnames: ['*.kai.test'],
  domains: ['*.preview.test', 'one.more.test', '*.kai.test'],
  idle: { timeout: '60s', drain_timeout: '10s' },
};
const AGENTS = {
  kai: KAI,
  eve: { domains: ['*.preview.test'] },
  fixed: { backend: 'http://127.0.0.1:4444' },
  files: { policy: 'unmanaged', backend: 'http://127.0.0.1:5555' },
};

async function awake(agents: Readonly<Record<string, object>> = AGENTS): Promise<House> {
  const open = await house({ agents: agents as never });
  await open.ready();
  return open;
}

const register = (open: House, body: Partial<{ hostname: string; target: string; ttl: string }> = {}, who = caller()) =>
  open.control.register(who, { hostname: 'a.preview.test', target: ':3000', ...body });

describe('registering a hostname', () => {
  test('leads requests to the task that registered it, at the port it named', async () => {
    const open = await awake();
    expect(register(open, { ttl: '10m' })).toEqual({
      ok: true,
      value: { hostname: 'a.preview.test', target: ':3000', agent: 'kai', expires_at: '2026-01-01T00:10:00.401Z' },
    });
    const work = open.admitted('A.Preview.test.:8080');
    expect(work.target.address).toEqual({ host: '127.0.0.1', port: 3000 });
    expect(open.fleet.lookup('a.preview.test' as never)).toMatchObject({ configured: false, interceptsHealth: false });
    await open.clock.settle();
    expect(open.eventsOf('service.registered')).toMatchObject([{ agent: 'kai', hostname: 'a.preview.test', port: 3000 }]);
    expect(open.metrics.values.get('registered_services')).toBe(1);
    expect(open.control.services()).toMatchObject([{ hostname: 'a.preview.test', created_at: '2026-01-01T00:00:00.401Z' }]);
    expect(open.control.servicesOf('eve')).toEqual([]);
    expect(open.store.routes()).toMatchObject([{ hostname: 'a.preview.test', task: 'task-1', port: 3000 }]);
  });

  test.each([
    ['http://127.0.0.1:3000', 'ok'],
    ['HTTP://127.0.0.1:3000/', 'ok'],
    [':65535', 'ok'],
    [':1024', 'ok'],
    // Somebody else, in every spelling. None of them is ever looked up.
    ['http://localhost:3000', 'foreign-target'],
    ['http://169.254.169.254', 'foreign-target'],
    ['http://169.254.169.254:80/latest/meta-data', 'foreign-target'],
    ['http://2130706433:3000', 'foreign-target'],
    ['http://0x7f000001:3000', 'foreign-target'],
    ['http://0x7f.1:3000', 'foreign-target'],
    ['http://0177.0.0.1:3000', 'foreign-target'],
    ['http://127.1:3000', 'foreign-target'],
    ['http://0.0.0.0:3000', 'foreign-target'],
    ['http://127.0.0.1.:3000', 'foreign-target'],
    ['http://[::1]:3000', 'foreign-target'],
    ['http://[::ffff:127.0.0.1]:3000', 'foreign-target'],
    ['http://１２７.0.0.1:3000', 'foreign-target'],
    ['http://example.com:3000', 'foreign-target'],
    ['http://eve.test:3000', 'foreign-target'],
    ['http://127.0.0.1@example.com:3000', 'foreign-target'],
    ['http://127.0.0.1:3000@example.com', 'foreign-target'],
    ['https://example.com', 'foreign-target'],
    // The system's, the daemon's own, and those of other agents.
    [':80', 'foreign-target'],
    [':1023', 'foreign-target'],
    [`:${OWN_PORTS[0]}`, 'foreign-target'],
    [`:${OWN_PORTS[1]}`, 'foreign-target'],
    [':4444', 'foreign-target'],
    [':5555', 'foreign-target'],
    // No targets at all.
    [':0', 'invalid-target'],
    [':65536', 'invalid-target'],
    [':3000x', 'invalid-target'],
    ['3000', 'invalid-target'],
    ['127.0.0.1:3000', 'invalid-target'],
    ['http://', 'invalid-target'],
    ['http://:3000', 'invalid-target'],
    ['http://user@127.0.0.1:3000', 'invalid-target'],
    ['https://127.0.0.1:3000', 'invalid-target'],
    ['http://127.0.0.1', 'invalid-target'],
    ['http://127.0.0.1:3000/path', 'invalid-target'],
    ['http://127.0.0.1:3000?query', 'invalid-target'],
    [' :3000', 'invalid-target'],
  ])('target %j: %s', async (target, code) => {
    const open = await awake();
    expect(codeOf(register(open, { target }))).toBe(code);
    expect(open.control.services()).toHaveLength(code === 'ok' ? 1 : 0);
  });

  test("the port of another agent's running task is foreign, the agent's own is not", async () => {
    const open = await awake();
    await open.ready('eve');
    expect(codeOf(register(open, { target: `:${open.port('eve')}` }))).toBe('foreign-target');
    expect(codeOf(register(open, { target: `:${open.port('kai')}` }))).toBe('ok');
  });

  test.each([
    ['one.more.test', 'ok'],
    ['deep.er.preview.test', 'ok'],
    ['PREVIEW.preview.test.', 'ok'],
    ['own.kai.test', 'ok'],
    ['preview.test', 'hostname-not-allowed'],
    ['xpreview.test', 'hostname-not-allowed'],
    ['other.test', 'hostname-not-allowed'],
    ['more.test', 'hostname-not-allowed'],
    ['*.preview.test', 'invalid-hostname'],
    ['http://a.preview.test', 'invalid-hostname'],
    ['a.preview.test:80', 'invalid-hostname'],
    ['a..preview.test', 'invalid-hostname'],
    ['a b.preview.test', 'invalid-hostname'],
    ['-a.preview.test', 'invalid-hostname'],
    ['[::1]', 'invalid-hostname'],
    [`${'a'.repeat(64)}.preview.test`, 'invalid-hostname'],
    ['', 'invalid-hostname'],
  ])('hostname %j: %s', async (hostname, code) => {
    const open = await awake();
    expect(codeOf(register(open, { hostname }))).toBe(code);
  });

  test('a hostname that another agent or the config holds is taken', async () => {
    const open = await awake({ ...AGENTS, eve: { ...AGENTS.eve, hostname: 'eve.preview.test' } });
    await open.ready('eve');
    expect(codeOf(register(open))).toBe('ok');
    expect(codeOf(register(open, {}, caller('eve')))).toBe('hostname-taken');
    expect(codeOf(register(open, { hostname: 'eve.preview.test' }))).toBe('hostname-taken');
    expect(codeOf(register(open, { hostname: 'eve.preview.test' }, caller('eve')))).toBe('hostname-taken');
    expect(codeOf(open.control.unregister(caller('eve'), 'a.preview.test'))).toBe('forbidden');
    expect(codeOf(open.control.unregister(caller(), 'A.preview.test.'))).toBe('ok');
    expect(codeOf(open.control.unregister(caller(), 'a.preview.test'))).toBe('unknown-service');
    expect(codeOf(register(open, {}, caller('eve')))).toBe('ok');
    expect(codeOf(open.control.unregister(null, 'a.preview.test'))).toBe('ok');
    await open.clock.settle();
    expect(open.eventsOf('service.removed').map(({ reason }) => reason)).toEqual(['agent', 'admin']);
  });

  test.each(['0s', '10', '1h30m', '-5s'])('ttl %j is refused', async (ttl) => {
    const open = await awake();
    expect(codeOf(register(open, { ttl }))).toBe('invalid-body');
  });

  test('posting again renews; the end of the ttl removes, and no ttl is until the agent sleeps', async () => {
    const open = await awake();
    register(open, { ttl: '10s' });
    register(open, { hostname: 'b.preview.test', ttl: '15s' });
    register(open, { hostname: 'c.preview.test' });
    await open.clock.advance(9000);
    register(open, { ttl: '10s', target: ':3001' });
    await open.clock.advance(6000);
    expect(open.control.servicesOf('kai').map(({ hostname, target }) => [hostname, target])).toEqual([
      ['a.preview.test', ':3001'],
      ['c.preview.test', ':3000'],
    ]);
    await open.clock.advance(4000);
    expect(open.control.services()).toHaveLength(1);
    expect(open.eventsOf('service.registered')).toHaveLength(3);
    expect(open.eventsOf('service.removed').map(({ reason }) => reason)).toEqual(['ttl', 'ttl']);
    await open.clock.advance(60_000);
    expect(open.control.services()).toEqual([]);
    expect(open.eventsOf('service.removed').at(-1)).toMatchObject({ hostname: 'c.preview.test', reason: 'stopping' });
    expect(open.store.routes()).toEqual([]);
    expect(open.metrics.values.get('registered_services')).toBe(0);
  });

  test('is for agents from starting on: asleep and stopping ones get 409, draining ones keep what they have', async () => {
    const open = await house({ agents: AGENTS });
    expect(codeOf(register(open))).toBe('agent-asleep');
    open.ask();
    await open.clock.advance(1);
    expect(open.state()).toBe('starting');
    expect(codeOf(register(open))).toBe('ok');
    await open.ready();
    const work = open.admitted();
    open.control.sleep('kai', { force: false });
    expect(open.control.services()).toHaveLength(1);
    expect(codeOf(register(open, { hostname: 'b.preview.test' }))).toBe('ok');
    work.end();
    expect(open.state()).toBe('stopping');
    expect(open.control.services()).toEqual([]);
    expect(codeOf(register(open))).toBe('agent-asleep');
    expect(codeOf(register(open, {}, caller('nobody')))).toBe('unknown-agent');
  });

  test('a registered route ends with its task, and with the last one that serves', async () => {
    const open = await awake({ kai: { ...KAI, replicas: 2, replicas_max: 2 } });
    const [first = '', second = ''] = open.tasks();
    register(open, {}, caller('kai', { task: first }));
    register(open, { hostname: 'b.preview.test' }, caller('kai', { task: second }));
    open.engine.exit('kai', 'exit code 1', { taskId: second });
    await open.clock.settle();
    expect(open.control.services().map(({ hostname }) => hostname)).toEqual(['a.preview.test']);
    expect(open.eventsOf('service.removed')).toMatchObject([{ hostname: 'b.preview.test', reason: 'task ended' }]);
    await open.drive(open.control.endTask(caller('kai', { admin: true }), first, { replace: true }));
    expect(open.ask('kai.test')).toMatchObject({ kind: 'asleep', state: 'starting' });
    expect(open.fleet.lookup('a.preview.test' as never)).toBeNull();
  });

  test('a task that is being drained loses its names at once: they would lead to somebody who takes nothing new', async () => {
    const open = await awake({ kai: { ...KAI, replicas: 2, replicas_max: 2, idle: { drain_timeout: '1m' } } });
    const [first = ''] = open.tasks();
    register(open, {}, caller('kai', { task: first }));
    const work = [open.admitted(), open.admitted()];
    const ending = open.control.endTask(caller('kai', { admin: true }), first, { replace: false });
    await open.clock.advance(1000);
    expect(open.fleet.lookup('a.preview.test' as never)).toBeNull();
    for (const piece of work) piece.end();
    expect(await open.drive(ending)).toMatchObject({ ok: true });
  });

  test('the port is looked at again at every look-up: a route whose port has become foreign is removed', async () => {
    const open = await awake();
    register(open, { target: ':4000' });
    expect(open.fleet.lookup('a.preview.test' as never)).not.toBeNull();
    await open.reload({ ...AGENTS, late: { policy: 'unmanaged', backend: 'http://127.0.0.1:4000' } });
    expect(open.fleet.lookup('a.preview.test' as never)).toBeNull();
    await open.clock.settle();
    expect(open.eventsOf('service.removed')).toMatchObject([{ reason: 'foreign target' }]);
  });

  test('a store that cannot be written refuses the change and leaves everything as it was', async () => {
    const open = await awake();
    register(open);
    open.store.full = true;
    expect(codeOf(register(open, { hostname: 'b.preview.test' }))).toBe('state-failed');
    expect(codeOf(register(open, { target: ':3001' }))).toBe('state-failed');
    expect(codeOf(open.control.unregister(caller(), 'a.preview.test'))).toBe('state-failed');
    expect(open.control.services()).toMatchObject([{ hostname: 'a.preview.test', target: ':3000' }]);
    expect(open.log.lines.filter(({ level }) => level === 'error')).toHaveLength(3);
    // The agent sleeps all the same; its route must not outlive it in memory.
    await open.clock.advance(60_000);
    expect(open.control.services()).toEqual([]);
  });

  test('an agent that registers without end is told to stop, and may still renew', async () => {
    const open = await awake();
    for (let index = 0; index < 1000; index += 1) register(open, { hostname: `h${index}.preview.test` });
    expect(codeOf(register(open))).toBe('route-limit');
    expect(codeOf(register(open, { hostname: 'h7.preview.test' }))).toBe('ok');
    open.control.unregister(caller(), 'h8.preview.test');
    expect(codeOf(register(open))).toBe('ok');
  });
});

describe('looking a host up', () => {
  test('exact beats registered beats wildcard, and the longest suffix wins', async () => {
    const open = await awake({ kai: KAI, eve: { hostname: 'x.kai.test', hostnames: ['*.deep.kai.test'] } });
    const agentOf = (host: string) => open.fleet.lookup(host as never)?.agent;
    register(open, { hostname: 'own.kai.test', target: ':3000' });
    expect(agentOf('x.kai.test')).toBe('eve');
    expect(agentOf('a.b.deep.kai.test')).toBe('eve');
    expect(agentOf('a.b.kai.test')).toBe('kai');
    expect(open.admitted('own.kai.test').target.address.port).toBe(3000);
    expect(agentOf('deep.kai.test')).toBe('kai');
    expect(open.fleet.lookup('unknown.test' as never)).toBeNull();
  });
});
