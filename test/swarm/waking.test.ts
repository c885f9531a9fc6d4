import { describe, expect } from 'vitest';
import { it } from './stage.ts';

/** From asleep to awake and back on a real Swarm, driven over HTTP only. */
describe.concurrent('waking on Swarm', () => {
  it('an agent goes 0 -> 1 -> 0 and again, driven over HTTP only', async ({ stage }) => {
    await stage.deploy('there');
    const daemon = await stage.start({ there: { idle: { timeout: '1s' } } });
    let task = '';
    for (let life = 1; life <= 2; life += 1) {
      const before = daemon.lastEvent;
      const refused = await daemon.call('there', '/anything?at=all');
      expect([refused.status, refused.text]).toEqual([503, '{"status":"sleeping","agent":"there"}']);
      expect(refused.headers).toMatchObject({ 'retry-after': expect.stringMatching(/^[1-9]/), 'cache-control': 'no-store' });

      const awake = await daemon.wake('there');
      expect(awake.status).toBe(200);
      expect(awake.json.task).not.toBe(task);
      task = awake.json.task;

      const slept = await daemon.event('agent.sleep', 'there', before);
      expect(slept).toMatchObject({ reason: 'idle', from: 'stopping', to: 'sleeping' });
      expect(await stage.wanted('there')).toBe(0);
      await stage.emptied('there');
      expect(await daemon.view('there')).toMatchObject({ state: 'sleeping', replicas: { running: 0 } });
    }
    expect((await stage.updates('there')).map(({ replicas }) => replicas)).toEqual([
      [0, 1],
      [1, 0],
      [0, 1],
      [1, 0],
    ]);
  });

  it('A: 100 parallel first requests make exactly one service update', async ({ stage }) => {
    await stage.deploy('crowd');
    const daemon = await stage.start({ crowd: { idle: { timeout: '1m' } } });
    const first = await Promise.all(Array.from({ length: 100 }, () => daemon.call('crowd')));
    for (const reply of first) {
      expect([reply.status, reply.json.agent]).toEqual([503, 'crowd']);
      expect(['sleeping', 'starting']).toContain(reply.json.status);
    }
    await daemon.event('agent.ready', 'crowd');
    const then = await Promise.all(Array.from({ length: 100 }, () => daemon.call('crowd')));
    expect(then.map(({ status }) => status)).toEqual(then.map(() => 200));
    expect(new Set(then.map(({ json }) => json.task)).size).toBe(1);
    expect(await stage.updates('crowd')).toMatchObject([{ replicas: [0, 1] }]);
    expect(daemon.eventsOf('crowd')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
  });

  it('H: the first request let through meets a task whose health check has passed', async ({ stage }) => {
    await stage.deploy('slow', { env: { WARMUP_MS: '1500' } });
    const daemon = await stage.start({ slow: { idle: { timeout: '1m' } } });
    // Clients that do not wait to be asked.
    const replies = [await daemon.call('slow')];
    while (replies.at(-1)?.status !== 200) replies.push(await daemon.call('slow'));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200, 503]));
    for (const reply of replies.slice(1, -1)) expect(reply.json).toEqual({ status: 'starting', agent: 'slow' });
    const { early, requests, checks } = replies.at(-1)?.json ?? {};
    expect({ early, requests }).toEqual({ early: 0, requests: 1 });
    expect(checks).toBeGreaterThan(1);
  });

  it('C: a call while its task is still stopping starts it again by itself, and never beside the old one', async ({ stage }) => {
    await stage.deploy('quick');
    const daemon = await stage.start({ quick: { idle: { timeout: '1m' } } });
    const old = (await daemon.wake('quick')).json.task;
    await daemon.admin('/admin/agents/quick/sleep', { method: 'POST' });
    const call = await daemon.call('quick');
    expect([call.status, call.json.status]).toEqual([503, 'stopping']);
    let most = 0;
    let over = false;
    const watching = (async (): Promise<void> => {
      while (!over) most = Math.max(most, (await stage.containers('quick')).length);
    })();
    await daemon.event('agent.ready', 'quick', daemon.lastEvent).finally(() => (over = true));
    await watching;
    expect(most).toBe(1);
    const fresh = (await daemon.call('quick')).json;
    expect(fresh.task).not.toBe(old);
  });
});
