import { Agent } from 'node:http';
import { describe, expect } from 'vitest';
import { it, program } from '../support/daemon.ts';

/** Who neither wakes an agent nor keeps it awake, and how often the others may wake it. */
const plain = { process: program('test/blackbox/agents/trouble.ts') };
const monitor = { 'user-agent': 'Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)' };

describe.concurrent('callers of a sleeping agent', () => {
  it('a monitor and a rule neither wake it nor keep it awake, and get answers all the while', async ({ start }) => {
    const rules = [{ path: '/probe/*', cidr: 'loopback', answer: { status: 200, body: '{"alive":true}' } }];
    const daemon = await start({ ignore: { rules }, agents: { plain: { ...plain, idle: { timeout: '1s' } } } });
    const asleep = await daemon.call('plain', '/', { headers: monitor });
    expect([asleep.status, asleep.json]).toEqual([200, { status: 'sleeping', agent: 'plain' }]);
    expect((await daemon.call('plain', '/robots.txt')).status).toBe(503);
    expect((await daemon.call('plain', '/favicon.ico')).status).toBe(204);
    const probed = await daemon.call('plain', '/probe/1');
    expect([probed.status, probed.json, probed.headers['content-type']]).toEqual([200, { alive: true }, 'application/json']);
    expect((await daemon.view('plain')).state).toBe('sleeping');

    await daemon.wake('plain');
    let over = false;
    const slept = daemon.event('agent.sleep', 'plain').finally(() => (over = true));
    const agent = new Agent({ keepAlive: true });
    const answers = new Set<string>();
    while (!over) answers.add((await daemon.call('plain', '/', { agent, headers: monitor })).text);
    agent.destroy();
    expect(await slept).toMatchObject({ reason: 'idle' });
    // It was asked itself while it was awake, and nobody has woken it since.
    expect(answers.size).toBeGreaterThan(1);
    const events = daemon.eventsOf('plain');
    expect(events.slice(events.indexOf('agent.sleep'))).not.toContain('agent.wake');
  });

  it('a client that has ordered its wakes gets 429, by the address that the tunnel names', async ({ start }) => {
    const settings = { wake_limits: { per_client: '1/h' }, agents: { plain: { ...plain, on_sleeping: 'hold' } } };
    const daemon = await start(settings);
    const from = (address: string) => daemon.call('plain', '/', { headers: { 'cf-connecting-ip': address } });
    expect((await from('192.0.2.1')).status).toBe(200);
    await daemon.admin('/admin/agents/plain/sleep?force=true', { method: 'POST' });
    await daemon.event('agent.sleep', 'plain');

    const refused = await from('192.0.2.1');
    expect(refused.status).toBe(429);
    expect(refused.json.type).toMatch(/\/wake-limit$/);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(3000);
    expect((await from('192.0.2.2')).status).toBe(200);

    daemon.home.write({ ...settings, wake_limits: { per_client: '0/h' } });
    const reloaded = await daemon.admin('/admin/reload', { method: 'POST' });
    expect(reloaded.status).toBe(422);
    expect(reloaded.text).toContain('it would refuse every wake; write null for no limit');
  });
});
