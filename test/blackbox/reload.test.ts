import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { it, program } from '../support/daemon.ts';

const hello = { process: program('agents/hello/main.ts'), idle: { timeout: '1m' } };
const plain = { process: program('test/blackbox/agents/trouble.ts'), idle: { timeout: '1m' } };

describe.concurrent('reload', () => {
  it('J: an agent that stays the same feels nothing, and a request in flight survives', async ({ start }) => {
    const agents = { hello, going: plain, changing: plain };
    const daemon = await start({ agents });
    const { pid } = (await daemon.wake('hello', '/whoami')).json;
    await daemon.wake('going');
    const { socket, ask } = await daemon.socket('hello', '/ws');

    const download = daemon.call('hello', '/slow?seconds=6');
    const last = daemon.call('going', '/hold?ms=6000');
    await Promise.all([daemon.untilInFlight('hello', 1), daemon.untilInFlight('going', 1)]);
    daemon.home.write({ agents: { hello, changing: { ...plain, idle: { timeout: '2h' } }, coming: plain } });
    daemon.run.signal('SIGHUP');
    expect(await daemon.event('config.reloaded')).toMatchObject({ added: 1, removed: 1, changed: 1 });

    // The removed one has no route from here on, and yet its last answer is given before its process goes.
    expect((await daemon.call('going')).status).toBe(404);
    expect((await daemon.call('coming')).status).toBe(503);
    expect((await daemon.view('changing')).idle_timeout).toBe('2h');
    const gone = (await last).json.pid;
    expect((await last).status).toBe(200);
    const whole = await download;
    expect([whole.status, whole.text.length]).toEqual([200, 60 * 64]);
    expect(await ask('the same connection')).toBe('the same connection');
    socket.terminate();
    expect((await daemon.call('hello', '/whoami')).json.pid).toBe(pid);
    expect(daemon.eventsOf('hello')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
    await daemon.run.logged('task ended', ({ agent }) => agent === 'going');
    expect(daemon.home.agentProcesses().map((process) => process.pid)).not.toContain(gone);
  });

  it('a bad file changes nothing, and every mistake in it is told', async ({ start }) => {
    const daemon = await start({ agents: { plain } });
    await daemon.wake('plain');
    const good = readFileSync(daemon.home.file, 'utf8');
    writeFileSync(daemon.home.file, 'listn: :80\nagents:\n  plain:\n    hostname: a b\n    idle: { timeout: soon }\n');
    const refused = await daemon.admin('/admin/reload', { method: 'POST' });
    expect([refused.status, refused.json.type]).toEqual([422, expect.stringMatching(/\/config-invalid$/)]);
    const words = [':1:1: .*listn.*listen', ':3:3: .*process', ':4:15: .*a b', ':5:22: .*soon'];
    expect(refused.json.complaints).toEqual(
      words.map((each) => expect.stringMatching(new RegExp(`^${daemon.home.file}${each}`))),
    );
    const { complaints } = await daemon.event('config.rejected');
    expect(complaints).toBe(refused.json.complaints.length);

    const before = daemon.lastEvent;
    daemon.run.signal('SIGHUP');
    await daemon.event('config.rejected', undefined, before);
    expect((await daemon.admin('/admin/health')).json.config.error).toContain('listn');
    expect((await daemon.call('plain')).status).toBe(200);
    const rejected = await daemon.run.logged('config rejected, nothing was changed');
    expect(rejected['complaints']).toEqual(refused.json.complaints);

    writeFileSync(daemon.home.file, good);
    expect((await daemon.admin('/admin/reload', { method: 'POST' })).json).toEqual({
      added: [],
      removed: [],
      changed: [],
      restart_needed: [],
    });
    expect((await daemon.admin('/admin/health')).json.config).not.toHaveProperty('error');
  });

  it('what needs a restart is named and stays as it is', async ({ start }) => {
    const daemon = await start({ agents: { plain } });
    daemon.home.write({ listen: '127.0.0.1:1', state_dir: 'elsewhere', log: { level: 'debug' }, agents: { plain } });
    const { json } = await daemon.admin('/admin/reload', { method: 'POST' });
    expect(json.restart_needed).toEqual(expect.arrayContaining(['listen', 'state_dir']));
    expect(json.restart_needed).not.toContain('log.level');
    expect((await daemon.call('plain')).status).toBe(503);
  });

  it('an agent made by API is routed, kept across a restart, and deleted again', async ({ home }) => {
    const at = home({ agents: { plain, backed: { ...plain, policy: 'always-on' } } });
    const daemon = await at.start();
    const { json } = await daemon.admin('/api/self?agent=backed');
    const body = { name: 'made', hostname: 'made.test', backend: `http://${json.tasks[0].address}`, policy: 'unmanaged' };
    expect((await daemon.admin('/admin/agents', { method: 'POST', json: body })).status).toBe(201);
    expect((await daemon.admin('/admin/agents', { method: 'POST', json: body })).status).toBe(409);
    expect((await daemon.view('made')).state).toBe('running');
    const itself = { headers: { authorization: daemon.bearerOf('made') } };
    expect((await daemon.admin('/api/self', itself)).status).toBe(200);
    await daemon.run.end();

    const next = await at.start();
    expect((await next.view('made')).backend).toBe(body.backend);
    expect((await next.admin('/api/self', itself)).status).toBe(200);
    // Nobody listens there any more, and nobody started it.
    expect((await next.call('made')).json.type).toMatch(/\/upstream-refused$/);
    expect((await next.admin('/admin/agents/made', { method: 'DELETE' })).status).toBe(200);
    expect((await next.admin('/admin/agents/plain', { method: 'DELETE' })).status).toBe(409);
    expect((await next.call('made')).status).toBe(404);
  });
});
