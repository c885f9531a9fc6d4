import { Agent } from 'node:http';
import { describe, expect } from 'vitest';
import type { Reply } from '../support/call.ts';
import { type Daemon, type DaemonEvent, it, program } from '../support/daemon.ts';
import { SILENT } from '../support/lengths.ts';
import { eventsBetween, sleptAfter } from '../support/moments.ts';

/** What keeps an agent awake, and what ends with it. Times are compared by the daemon's own clock, in its events. */
const hello = { process: program('agents/hello/main.ts') };
const plain = { process: program('test/blackbox/agents/trouble.ts') };
const between = (from: DaemonEvent | number, to: DaemonEvent): number =>
  Date.parse(to.at) - (typeof from === 'number' ? from : Date.parse(from.at));

/** The stream has passed on everything up to now: an event caused by this very call has come. */
async function caughtUp(daemon: Daemon): Promise<void> {
  const before = daemon.lastEvent;
  await daemon.admin('/admin/reload', { method: 'POST' });
  await daemon.event('config.reloaded', undefined, before);
}

describe.concurrent('awake', () => {
  it(
    'B: a silent WebSocket and a slow download outlive an idle timeout six times over',
    { timeout: 600_000 },
    async ({ start }) => {
      console.info(SILENT);
      const { idleMs, workSeconds } = SILENT;
      const idle = { timeout: `${idleMs}ms` };
      const daemon = await start({ agents: { socket: { ...hello, idle }, download: { ...hello, idle } } });
      const { socket, closed, ask } = await daemon.wakeSocket('socket', '/ws');
      const download = await daemon.wake('download', `/slow?seconds=${workSeconds}`);
      const downloaded = Date.now();
      expect(download.status).toBe(200);
      expect(download.text.length).toBe(workSeconds * 10 * 64);

      await caughtUp(daemon);
      const began = downloaded - workSeconds * 1000;
      expect(eventsBetween(began, downloaded, daemon)).toEqual([]);
      expect((await daemon.view('socket')).connections).toBe(1);
      expect(await ask('still there?')).toBe('still there?');

      // Idleness counts from the end of the work, not from its beginning.
      expect(between(downloaded, await sleptAfter(began, daemon, 'download'))).toBeGreaterThan(idleMs * 0.9);
      const closing = Date.now();
      socket.close(1000);
      expect((await closed).code).toBe(1000);
      const slept = await sleptAfter(began, daemon, 'socket');
      expect(slept).toMatchObject({ reason: 'idle' });
      expect(between(closing, slept)).toBeGreaterThan(idleMs * 0.9);
    },
  );

  it('an event stream keeps its agent awake, and is passed on as it comes', async ({ start }) => {
    const daemon = await start({ agents: { hello: { ...hello, idle: { timeout: '500ms' } } } });
    // Three ticks are two seconds: four times the idle timeout.
    const ticks: unknown[] = [];
    const onData = (text: string): boolean => {
      for (const line of text.split('\n')) if (line === 'event: tick') ticks.push(daemon.eventsOf('hello').at(-1));
      return ticks.length < 3;
    };
    await expect(daemon.wake('hello', '/sse', { onData })).rejects.toThrow('the test has seen enough');
    expect(ticks).toEqual(['agent.ready', 'agent.ready', 'agent.ready']);
    expect(await daemon.event('agent.sleep', 'hello')).toMatchObject({ reason: 'idle' });
  });

  it("the daemon's own answers neither wake an agent nor keep it awake", async ({ start }) => {
    const daemon = await start({ agents: { plain: { ...plain, idle: { timeout: '2s' } } } });
    const asleep = await daemon.call('plain', '/api/health');
    expect([asleep.status, asleep.json]).toEqual([503, { status: 'sleeping', agent: 'plain' }]);
    expect((await daemon.call('nobody')).status).toBe(404);
    await caughtUp(daemon);
    expect(daemon.eventsOf('plain')).toEqual([]);

    const woken = await daemon.call('plain', '/api/wake', { method: 'POST' });
    expect(woken.status).toBe(202);
    expect(woken.json).toMatchObject({ status: 'ok', agent: 'plain' });
    await daemon.event('agent.ready', 'plain');
    let over = false;
    const slept = daemon.event('agent.sleep', 'plain').finally(() => (over = true));
    const agent = new Agent({ keepAlive: true });
    const answers = new Set<string>();
    while (!over) answers.add((await daemon.call('plain', '/api/health', { agent })).text);
    agent.destroy();
    expect(await slept).toMatchObject({ reason: 'idle' });
    expect([...answers]).toContain('{"status":"ready","agent":"plain"}');
  });

  it('a busy lease holds an agent awake until it ends, is given back, or its task is gone', async ({ start }) => {
    const daemon = await start({ agents: { plain: { ...plain, idle: { timeout: '300ms', busy_max: '10m' } } } });
    const headers = { authorization: daemon.bearerOf('plain') };
    const lease = (ttl: string) => daemon.admin('/api/self/busy', { method: 'PUT', headers, json: { ttl, reason: 'thinking' } });
    // It may have fallen asleep again by the time it asks.
    const untilTaken = async (ttl: string): Promise<Reply> => {
      for (;;) {
        await daemon.wake('plain');
        const taken = await lease(ttl);
        if (taken.status !== 409) return taken;
      }
    };
    expect((await lease('1m')).status).toBe(409);

    const taken = await untilTaken('2s');
    expect((await daemon.view('plain')).busy).toMatchObject([{ reason: 'thinking' }]);
    // Not one from before it was taken.
    const slept = await daemon.events.first(
      'agent.sleep of plain',
      ({ type, at }) => type === 'agent.sleep' && Date.parse(at) >= Date.parse(taken.json.expires_at) - 2000,
    );
    expect(between(Date.parse(taken.json.expires_at), slept)).toBeGreaterThanOrEqual(0);

    await untilTaken('10m');
    const most = Date.parse((await lease('11m')).json.expires_at);
    expect(most).toBeLessThanOrEqual(Date.now() + 600_000);
    expect((await lease('0s')).status).toBe(400);
    expect((await daemon.admin('/api/self/busy', { method: 'DELETE', headers })).status).toBe(200);
    await daemon.event('agent.sleep', 'plain', slept);
  });

  it('an admin sleep waits for work and is refused when it lasts; by force it is not', async ({ start }) => {
    const daemon = await start({ agents: { plain: { ...plain, idle: { timeout: '1m', drain_timeout: '4s' } } } });
    await daemon.wake('plain');
    const order = (query = '') => daemon.admin(`/admin/agents/plain/sleep${query}`, { method: 'POST' });

    const long = daemon.call('plain', '/hold?ms=8000');
    await daemon.untilInFlight('plain', 1);
    expect((await order()).status).toBe(202);
    await daemon.event('agent.draining', 'plain');
    const late = await daemon.call('plain');
    expect([late.status, late.json.status]).toEqual([503, 'draining']);
    const refused = await daemon.event('agent.sleep_refused', 'plain');
    expect((await long).status).toBe(200);

    const cut = daemon.call('plain', '/hold?ms=60000');
    const cutOff = expect(cut).resolves.toMatchObject({ status: 502 });
    await daemon.untilInFlight('plain', 1);
    expect((await order('?force=true')).status).toBe(202);
    await cutOff;
    expect(await daemon.event('agent.sleep', 'plain', refused)).toMatchObject({ reason: 'admin' });
  });
});
