import { describe, expect, it } from 'vitest';
import { AgentProcess } from './agent-process.ts';
import { StubDaemon } from './stub-daemon.ts';

const SMALL = './small-agent.ts';

describe('an agent on the kit', () => {
  it('serves, registers a route before it listens, and takes the route back on the way out', async () => {
    await using stub = await StubDaemon.start();
    stub.answer = ({ method, body }) =>
      method === 'POST' ? { status: 200, body: { ...(body as object), agent: 'small', expires_at: null } } : { status: 204 };
    const environment = { REVEILLE_URL: stub.url, REVEILLE_TOKEN: 'token', REVEILLE_AGENT: 'small' };
    await using agent = await AgentProcess.start(SMALL, environment);
    expect(stub.asked).toEqual(['POST /api/services']);
    expect(await (await fetch(agent.url)).json()).toEqual({ hello: 'small' });
    agent.signal('SIGINT');
    expect(await agent.exit).toEqual({ code: 0, signal: null });
    expect(stub.asked).toEqual(['POST /api/services', 'DELETE /api/services/small.localhost']);
  });

  it('answers its own health path, and 503 there once it says that it is not ready', async () => {
    await using agent = await AgentProcess.start(SMALL);
    expect((await fetch(`${agent.url}/healthz`)).status).toBe(200);
    await fetch(`${agent.url}/tired`);
    expect((await fetch(`${agent.url}/healthz`)).status).toBe(503);
  });

  it('cuts work that does not end within the bound of a stop, says so, and still exits 0', async () => {
    await using agent = await AgentProcess.start(SMALL);
    const endless = await fetch(`${agent.url}/endless`);
    agent.signal('SIGTERM');
    await expect(endless.text()).rejects.toThrow('terminated');
    expect(await agent.exit).toEqual({ code: 0, signal: null });
    expect(agent.last).toBe('stop took too long, work was cut');
  });
});
