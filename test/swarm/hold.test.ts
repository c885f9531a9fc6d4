import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { docker } from '../lab/engine.ts';
import { it } from './stage.ts';
import { isStopped } from './stopped.ts';

/** Callers who wait for a real Swarm service, over HTTP. */
const program = 'test/blackbox/agents/counter.ts';
const agent = { on_sleeping: 'hold', idle: { timeout: '1m' } };
const CROWD = 200;
/** As long as the agent keeps a connection that nobody uses, and two seconds more. */
const FROZEN_MS = 7000;

describe.concurrent('holding on Swarm', () => {
  it(`A, L: ${CROWD} simultaneous first requests are all served by one update of the service`, async ({ stage }) => {
    await stage.deploy('queue', { program });
    const daemon = await stage.start({ queue: { ...agent, hold: { max_requests: CROWD } } });
    const replies = await Promise.all(Array.from({ length: CROWD }, () => daemon.call('queue')));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(new Set(replies.map(({ json }) => json.requests)).size).toBe(CROWD);
    expect(await stage.updates('queue')).toMatchObject([{ replicas: [0, 1] }]);
    expect(daemon.eventsOf('queue')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
  });

  it('L: a POST of 1 MB survives a cold start byte for byte, once; a WebSocket gets its echo', async ({ stage }) => {
    await Promise.all([stage.deploy('upload', { program }), stage.deploy('socket', { program })]);
    const daemon = await stage.start({ upload: agent, socket: { ...agent, on_sleeping: 'auto' } });
    const body = randomBytes(512 * 1024).toString('hex');
    const [reply, { socket, closed, ask }] = await Promise.all([
      daemon.call('upload', '/', { method: 'POST', body }),
      daemon.socket('socket', '/'),
    ]);
    const sha256 = createHash('sha256').update(body).digest('hex');
    expect([reply.status, reply.json]).toEqual([200, expect.objectContaining({ bytes: 1024 * 1024, sha256, requests: 1 })]);
    expect(await ask('are you there?')).toBe('are you there?');
    socket.close(1000);
    expect((await closed).code).toBe(1000);
  });

  it('O: an agent whose container was paused for 7 s answers a POST', async ({ stage }) => {
    await stage.deploy('ice', { program });
    const daemon = await stage.start({ ice: { ...agent, idle: { timeout: '1m', freeze_after: '500ms' } } });
    expect((await daemon.call('ice')).json.requests).toBe(1);
    await daemon.event('agent.frozen', 'ice');
    const [container = ''] = await stage.containers('ice');
    const shown = (format: string): Promise<string> => docker(stage.node, 'inspect', '--format', format, container);
    expect(await shown('{{.State.Paused}} {{.State.Status}}')).toBe('true paused');
    expect(isStopped(Number(await shown('{{.State.Pid}}')))).toBe(true);
    await pause(FROZEN_MS);
    const reply = await daemon.call('ice', '/', { method: 'POST', body: 'good morning' });
    expect([reply.status, reply.json]).toEqual([200, expect.objectContaining({ bytes: 12, requests: 2 })]);
    expect(await stage.updates('ice')).toMatchObject([{ replicas: [0, 1] }]);
  });
});
