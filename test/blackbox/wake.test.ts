import { describe, expect } from 'vitest';
import { it, program } from '../support/daemon.ts';
import { isAlive } from '../support/marked-processes.ts';

const hello = { process: program('agents/hello/main.ts'), idle: { timeout: '500ms' } };

describe.concurrent('wake', () => {
  it('an agent goes 0 -> 1 -> 0 and again, driven over HTTP only', async ({ start }) => {
    const daemon = await start({ agents: { hello } });
    expect(daemon.home.agentProcesses()).toEqual([]);
    let pid = 0;
    for (let life = 1; life <= 2; life += 1) {
      const before = daemon.lastEvent;
      const awake = await daemon.wake('hello', '/whoami');
      expect(awake.status).toBe(200);
      expect(awake.json.pid).not.toBe(pid);
      pid = awake.json.pid;
      expect(daemon.home.agentProcesses().map((process) => process.pid)).toEqual([pid]);

      const slept = await daemon.event('agent.sleep', 'hello', before);
      expect(slept).toMatchObject({ reason: 'idle', from: 'stopping', to: 'sleeping' });
      expect(isAlive(pid)).toBe(false);
      expect(daemon.home.agentProcesses()).toEqual([]);
    }
    expect(daemon.eventsOf('hello').slice(0, 5)).toEqual([
      'agent.wake',
      'agent.starting',
      'agent.ready',
      'agent.draining',
      'agent.sleep',
    ]);
  });

  it('the first answer is the one of the contract, to the letter', async ({ start }) => {
    const daemon = await start({ agents: { hello } });
    const reply = await daemon.call('hello', '/anything?at=all');
    expect(reply.status).toBe(503);
    expect(reply.text).toBe('{"status":"sleeping","agent":"hello"}');
    const { date, connection, 'x-request-id': id, ...headers } = reply.headers;
    expect(headers).toEqual({
      'content-type': 'application/json',
      'content-length': '37',
      'cache-control': 'no-store',
      vary: 'Accept, Sec-Fetch-Mode, Sec-Fetch-Dest',
      'retry-after': '3',
    });
    expect(date).toBeDefined();
    expect(connection).toBe('close');
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    await daemon.event('agent.ready', 'hello');
  });

  it('A: 100 parallel first requests start one process', async ({ start }) => {
    const daemon = await start({ agents: { hello: { ...hello, replicas: 1, idle: { timeout: '1m' } } } });
    const first = await Promise.all(Array.from({ length: 100 }, () => daemon.call('hello', '/whoami')));
    // A hundred connections take a while, and the agent may be there before the last of them.
    expect(first.map(({ status }) => status)).toContain(503);
    for (const reply of first) if (reply.status !== 200) expect(['sleeping', 'starting']).toContain(reply.json.status);
    await daemon.event('agent.ready', 'hello');
    const then = await Promise.all(Array.from({ length: 100 }, () => daemon.call('hello', '/whoami')));
    expect(then.map(({ status }) => status)).toEqual(then.map(() => 200));
    const pids = new Set(then.map(({ json }) => json.pid));
    expect(pids.size).toBe(1);
    expect(daemon.home.agentProcesses().map(({ pid }) => pid)).toEqual([...pids]);
    expect(daemon.run.log.filter(({ msg }) => msg === 'task started')).toHaveLength(1);
    expect(daemon.eventsOf('hello')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
    const metrics = await daemon.metrics();
    expect(metrics.get('wakes_total{agent="hello",cause="request"}')).toBe(1);
    expect(metrics.get('wake_duration_seconds_count{agent="hello",result="ready"}')).toBe(1);
    expect([...metrics.keys()].filter((series) => series.startsWith('wakes_total'))).toHaveLength(1);
  });
});
