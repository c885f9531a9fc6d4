import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { Relay } from './relay.ts';
import { type Stage, it, until } from './stage.ts';

/** Promise F with the real daemon: its Docker socket is a relay, which the test cuts. */
const long = { idle: { timeout: '1m' } };

async function behindRelay(stage: Stage, agents: readonly string[]): Promise<{ readonly daemon: Daemon; readonly relay: Relay }> {
  const socket = join(stage.home.directory, 'docker.sock');
  const relay = new Relay(socket, stage.lab.engine.socket);
  await relay.open();
  await Promise.all(agents.map((name) => stage.deploy(name)));
  const settings = Object.fromEntries(agents.map((name) => [name, long]));
  const daemon = await stage.start(settings, { swarm: { network: stage.lab.network, socket } });
  return { daemon, relay };
}

const readiness = async (daemon: Daemon): Promise<number> => (await daemon.admin('/readyz')).status;

describe.concurrent('an engine that is away', () => {
  it('F: with the Docker socket gone the ready are served and wakes refused; back, all is right without help', async ({
    stage,
  }) => {
    const { daemon, relay } = await behindRelay(stage, ['serves', 'sleeps', 'scaled', 'gone']);
    const task = (await daemon.wake('serves')).json.task;
    await daemon.wake('gone');
    expect(await readiness(daemon)).toBe(200);

    await relay.cut();
    await daemon.event('engine.lost');
    expect(await readiness(daemon)).toBe(503);
    expect((await daemon.admin('/admin/health')).json.engine).toMatchObject({ name: 'swarm', connected: false });
    const served = await daemon.call('serves');
    expect([served.status, served.json.task]).toEqual([200, task]);
    const refused = await daemon.call('sleeps');
    expect([refused.status, refused.headers['content-type']]).toEqual([503, 'application/problem+json']);
    expect(refused.json.type).toMatch(/engine-unavailable$/);
    expect(refused.headers['retry-after']).toMatch(/^[1-9]/);
    const { socket, closed, ask } = await daemon.socket('serves', '/ws');
    expect(await ask('through')).toBe('through');

    // Meanwhile the operator works on, and nobody can tell the daemon.
    await stage.docker('service', 'scale', '--detach', 'scaled=1', 'gone=0');
    await until(
      'it runs',
      () => stage.containers('scaled'),
      (ids) => ids.length === 1,
    );
    expect((await daemon.view('scaled')).state).toBe('sleeping');
    await until(
      'nothing runs',
      () => stage.containers('gone'),
      (ids) => ids.length === 0,
    );

    await relay.open();
    const restored = await daemon.event('engine.restored');
    await daemon.event('agent.ready', 'scaled', restored);
    await until(
      'it is asleep',
      () => daemon.view('gone'),
      ({ state }) => state === 'sleeping',
    );
    expect(await readiness(daemon)).toBe(200);
    expect((await daemon.call('scaled')).status).toBe(200);
    expect((await daemon.wake('sleeps')).status).toBe(200);
    expect((await daemon.call('serves')).json.task).toBe(task);
    expect(await ask('the same socket')).toBe('the same socket');
    socket.close(1000);
    await closed;
    for (const name of ['serves', 'sleeps', 'scaled']) expect(await stage.updates(name)).toHaveLength(1);
    expect(daemon.eventsOf('serves')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
    await daemon.home.close();
    await relay.cut();
  });

  it('F: the event stream cut alone is subscribed to again, and what happened in between is seen', async ({ stage }) => {
    const { daemon, relay } = await behindRelay(stage, ['other', 'missed']);
    await daemon.wake('other');
    // The very moment: while it is deaf, and before it has listed everything again.
    relay.beforeNext(/^GET \/info$/, () => stage.docker('service', 'scale', '--detach', 'missed=1').then(() => undefined));
    expect(relay.cutEvents()).toBe(1);
    const restored = await daemon.event('engine.restored');
    await daemon.event('agent.ready', 'missed', restored);
    expect((await daemon.call('missed')).status).toBe(200);
    expect((await daemon.call('other')).status).toBe(200);
    expect(relay.calls.filter((call) => call === 'GET /events')).toHaveLength(2);
    // And the new stream is listened to.
    await stage.docker('service', 'scale', '--detach', 'missed=0');
    expect(await daemon.event('agent.sleep', 'missed')).toMatchObject({ reason: 'external' });
    await daemon.home.close();
    await relay.cut();
  });

  it('F: an engine that goes away in the middle of a start neither doubles nor loses it', async ({ stage }) => {
    const { daemon, relay } = await behindRelay(stage, ['caught']);
    expect((await daemon.call('caught')).status).toBe(503);
    // Swarm tells of an update before it answers it: the daemon has its answer once it calls again.
    await until(
      'the order is out',
      () => Promise.resolve(relay.calls),
      (calls) => calls.slice(0, -1).some((call) => call.startsWith('POST')),
    );
    await relay.cut();
    await daemon.event('engine.lost');
    await until(
      'its task runs',
      () => stage.containers('caught'),
      (ids) => ids.length === 1,
    );
    await relay.open();
    await daemon.event('agent.ready', 'caught');
    expect((await daemon.call('caught')).status).toBe(200);
    expect(await stage.updates('caught')).toHaveLength(1);
    await daemon.home.close();
    await relay.cut();
  });

  it('F: started while the engine is away, the daemon waits for it and then finds everything', async ({ stage }) => {
    await stage.deploy('early', { replicas: 1 });
    const socket = join(stage.home.directory, 'docker.sock');
    const daemon = await stage.start({ early: long }, { swarm: { network: stage.lab.network, socket } });
    expect(await readiness(daemon)).toBe(503);
    const refused = await daemon.call('early');
    expect([refused.status, refused.json.type]).toEqual([503, expect.stringMatching(/engine-unavailable$/)]);
    const relay = new Relay(socket, stage.lab.engine.socket);
    await relay.open();
    await daemon.event('agent.ready', 'early');
    expect((await daemon.call('early')).status).toBe(200);
    expect(await stage.updates('early')).toEqual([]);
    await daemon.home.close();
    await relay.cut();
  });
});
