import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { type Daemon, it, program } from '../support/daemon.ts';

const preview = {
  process: program('test/blackbox/agents/preview.ts'),
  domains: ['*.preview.test'],
  idle: { timeout: '1m' },
};

const register = (daemon: Daemon, query: Readonly<Record<string, string>>) =>
  daemon.call('preview', `/register?${String(new URLSearchParams(query))}`);
const sleep = (daemon: Daemon) => daemon.admin('/admin/agents/preview/sleep?force=true', { method: 'POST' });

describe.concurrent('routes', () => {
  it('a registered preview is reached over HTTP and WebSocket, counts as activity, and is purged on sleep', async ({ start }) => {
    const daemon = await start({ agents: { preview: { ...preview, idle: { timeout: '3s' } } } });
    const pid = (await daemon.wake('preview')).text.replace('agent ', '');
    const registered = await register(daemon, { hostname: 'A.preview.test' });
    expect([registered.status, registered.json]).toEqual([
      200,
      { hostname: 'a.preview.test', target: expect.stringMatching(/:\d+$/), agent: 'preview', expires_at: null },
    ]);
    expect(await daemon.event('service.registered', 'preview')).toMatchObject({ hostname: 'a.preview.test' });
    expect((await daemon.call('a.preview.test')).text).toBe(`preview of ${pid}`);
    // The daemon's own paths are for configured hostnames only.
    expect((await daemon.call('a.preview.test', '/api/health')).text).toBe(`preview of ${pid}`);

    // Twice the idle timeout with nothing but a silent WebSocket on the preview.
    const { socket, closed, ask } = await daemon.socket('a.preview.test', '/');
    expect(await ask('hello')).toBe('preview: hello');
    await pause(6000);
    expect(await ask('awake?')).toBe('preview: awake?');
    expect(daemon.eventsOf('preview')).not.toContain('agent.draining');
    socket.close();
    await closed;

    await daemon.event('agent.sleep', 'preview');
    expect(await daemon.event('service.removed', 'preview')).toMatchObject({ hostname: 'a.preview.test' });
    expect((await daemon.call('a.preview.test')).status).toBe(404);
    expect((await daemon.admin('/admin/services')).json).toEqual([]);
    // Awake again it has to register anew.
    await daemon.wake('preview');
    expect((await daemon.call('a.preview.test')).status).toBe(404);
  });

  it('what an agent may not register is refused, each with its own code', async ({ start }) => {
    const other = { ...preview, hostname: 'taken.preview.test' };
    const daemon = await start({ agents: { preview, other } });
    await daemon.wake('preview');
    const code = async (query: Readonly<Record<string, string>>) => {
      const { status, json } = await register(daemon, query);
      return `${status} ${String(json.type).split('/').at(-1) ?? ''}`;
    };
    expect(await code({ hostname: 'elsewhere.test' })).toBe('403 hostname-not-allowed');
    expect(await code({ hostname: 'taken.preview.test' })).toBe('409 hostname-taken');
    expect(await code({ hostname: '*.preview.test' })).toBe('400 invalid-hostname');
    const foreign = [':22', `:${daemon.port}`, `:${daemon.adminPort}`, 'http://169.254.169.254:80', 'http://localhost:3000'];
    foreign.push('http://2130706433:3000', 'http://[::1]:3000', 'http://[::ffff:127.0.0.1]:3000', 'http://0x7f.1:3000');
    for (const target of foreign)
      expect(await code({ hostname: 'a.preview.test', target })).toMatch(/^40[03] (?:foreign|invalid)-target$/);
    expect((await daemon.admin('/admin/services')).json).toEqual([]);

    const asleep = await daemon.admin('/api/services', {
      method: 'POST',
      json: { agent: 'nobody', hostname: 'a.b', target: ':80' },
    });
    expect(asleep.status).toBe(404);
    const headers = { authorization: 'Bearer wrong' };
    expect((await daemon.admin('/api/services', { method: 'POST', headers, json: {} })).status).toBe(401);
  });

  it('a route with a ttl is gone when that is over, and one whose task has crashed at once', async ({ start }) => {
    const daemon = await start({ agents: { preview } });
    await daemon.wake('preview');
    expect((await register(daemon, { hostname: 'b.preview.test', ttl: '1s' })).status).toBe(200);
    expect(await daemon.event('service.removed')).toMatchObject({ hostname: 'b.preview.test' });
    expect((await daemon.call('b.preview.test')).status).toBe(404);

    await register(daemon, { hostname: 'c.preview.test' });
    await sleep(daemon);
    await daemon.event('agent.sleep', 'preview');
    expect((await daemon.call('c.preview.test')).status).toBe(404);
  });

  it('hello shows its preview by itself', async ({ start }) => {
    const hello = { process: program('agents/hello/main.ts'), domains: ['*.hello.test'] };
    const daemon = await start({ agents: { hello } });
    await daemon.wake('hello', '/whoami');
    const opened = await daemon.call('hello', '/preview', { method: 'POST' });
    expect([opened.status, opened.json]).toEqual([200, { hostname: 'preview.hello.test' }]);
    expect((await daemon.call('preview.hello.test')).text).toContain('A preview');
  });

  it('path access wakes and reaches an agent for the operator, whose token the agent never sees', async ({ start }) => {
    const daemon = await start({ agents: { hello: { process: program('agents/hello/main.ts') } } });
    const path = '/agents/hello/echo?a=%2F..%2f&b=1';
    expect((await daemon.admin(path, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
    const first = await daemon.admin(path);
    expect([first.status, first.json, first.headers['retry-after']]).toEqual([503, { status: 'sleeping', agent: 'hello' }, '3']);
    await daemon.event('agent.ready', 'hello');

    const headers = { cookie: 'session=secret', 'x-kept': 'yes', 'x-forwarded-for': '6.6.6.6' };
    const reply = await daemon.admin(path, { method: 'POST', headers, body: 'a body' });
    expect(reply.status).toBe(200);
    expect(reply.headers['content-security-policy']).toBe('sandbox allow-scripts allow-forms');
    expect(reply.json).toMatchObject({ method: 'POST', url: '/echo?a=%2F..%2f&b=1', body: 'a body' });
    expect(reply.json.headers).toMatchObject({ host: 'hello.test', 'x-kept': 'yes' });
    expect(reply.json.headers).not.toHaveProperty('authorization');
    expect(reply.json.headers).not.toHaveProperty('cookie');
    expect(JSON.stringify(reply.json)).not.toContain('6.6.6.6');
    expect((await daemon.admin('/agents/nobody/')).status).toBe(404);
    expect((await daemon.admin('/agents/hello/../../admin/agents')).status).toBe(400);
  });
});
