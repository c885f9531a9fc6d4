import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { it, program } from '../support/daemon.ts';

/** Callers who wait for a real agent, over HTTP. */
const counter = { process: program('test/blackbox/agents/counter.ts'), on_sleeping: 'hold', idle: { timeout: '1m' } };
const CROWD = 200;
/** As long as the agent keeps a connection that nobody uses, and two seconds more. */
const FROZEN_MS = 7000;

/** As in ps: R, S, T and so on. */
const stateOf = (pid: number): string => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '';
};

describe.concurrent('holding', () => {
  it(`A, L: ${CROWD} simultaneous first requests are all served by one start`, async ({ start }) => {
    const daemon = await start({ agents: { counter: { ...counter, hold: { max_requests: CROWD } } } });
    const replies = await Promise.all(Array.from({ length: CROWD }, () => daemon.call('counter')));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(new Set(replies.map(({ json }) => json.pid)).size).toBe(1);
    expect(new Set(replies.map(({ json }) => json.requests)).size).toBe(CROWD);
    expect(daemon.run.log.filter(({ msg }) => msg === 'task started')).toHaveLength(1);
    expect((await daemon.metrics()).get('wakes_total{agent="counter",cause="request"}')).toBe(1);
    expect(daemon.eventsOf('counter')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
  });

  it('L: a POST of 1 MB survives a cold start byte for byte, and reaches the agent once', async ({ start }) => {
    const daemon = await start({ agents: { counter } });
    const body = randomBytes(512 * 1024).toString('hex');
    const reply = await daemon.call('counter', '/upload', { method: 'POST', body });
    expect([reply.status, reply.json]).toEqual([
      200,
      expect.objectContaining({ bytes: 1024 * 1024, sha256: createHash('sha256').update(body).digest('hex'), requests: 1 }),
    ]);
    expect((await daemon.call('counter')).json.requests).toBe(2);
  });

  it('L: a WebSocket that is opened at a sleeping agent gets its echo', async ({ start }) => {
    const daemon = await start({ agents: { counter: { ...counter, on_sleeping: 'auto' } } });
    const { socket, closed, ask } = await daemon.socket('counter', '/');
    expect(await ask('are you there?')).toBe('are you there?');
    socket.close(1000);
    expect((await closed).code).toBe(1000);
  });

  it('O: an agent that was frozen for longer than it keeps connections answers a POST', async ({ start }) => {
    const daemon = await start({ agents: { counter: { ...counter, idle: { timeout: '1m', freeze_after: '300ms' } } } });
    const { pid } = (await daemon.call('counter')).json;
    await daemon.event('agent.frozen', 'counter');
    expect(stateOf(pid)).toBe('T');
    expect(await daemon.view('counter')).toMatchObject({ state: 'frozen' });
    await pause(FROZEN_MS);
    expect(stateOf(pid)).toBe('T');
    const reply = await daemon.call('counter', '/', { method: 'POST', body: 'good morning' });
    expect([reply.status, reply.json]).toEqual([200, expect.objectContaining({ pid, bytes: 12, requests: 2 })]);
    expect(daemon.eventsOf('counter').filter((type) => type === 'agent.thawed')).toHaveLength(1);
  });

  it('P: eviction interrupts no download and no event stream; idle agents go instead', async ({ start }) => {
    const agent = { ...counter, idle: { timeout: '1m', min_awake: '1ms' } };
    const names = ['streams', 'one', 'two', 'three'];
    const daemon = await start({ agents: Object.fromEntries(names.map((name) => [name, agent])), max_ready_agents: 2 });
    const chunks = { file: 0, events: 0 };
    const download = daemon.call('streams', '/stream', { onData: () => (chunks.file += 1) > 0 });
    const headers = { accept: 'text/event-stream' };
    const events = daemon.call('streams', '/stream', { headers, onData: () => (chunks.events += 1) > 0 });
    await daemon.untilInFlight('streams', 2);
    const pids = new Map<string, number>();
    for (const name of ['one', 'two', 'three', 'one']) {
      const before = { ...chunks };
      const reply = await daemon.call(name);
      expect(reply.status).toBe(200);
      expect(reply.json.pid).not.toBe(pids.get(name));
      pids.set(name, reply.json.pid);
      while (chunks.file === before.file || chunks.events === before.events) await pause(10);
    }
    expect(daemon.eventsOf('streams')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
    expect((await daemon.call('streams', '/finish')).status).toBe(200);
    for (const { status, text } of await Promise.all([download, events])) {
      expect(status).toBe(200);
      expect(text.endsWith('data: end\n\n')).toBe(true);
    }
    const evicted = daemon.events.items.filter(({ type, reason }) => type === 'agent.sleep' && reason === 'evicted');
    expect(evicted.map(({ agent: name }) => name)).toEqual(['one', 'two', 'three']);
  });
});
