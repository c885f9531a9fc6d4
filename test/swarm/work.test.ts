import { describe, expect } from 'vitest';
import { it, msBetween } from './stage.ts';

/** What keeps an agent awake on a real Swarm. */
describe.concurrent('work on Swarm', () => {
  it('B: a silent WebSocket and a download of 30 s outlive an idle timeout of 5 s', { timeout: 180_000 }, async ({ stage }) => {
    await Promise.all([stage.deploy('socket'), stage.deploy('download')]);
    const daemon = await stage.start({ socket: { idle: { timeout: '5s' } }, download: { idle: { timeout: '5s' } } });
    await Promise.all([daemon.wake('socket'), daemon.wake('download')]);

    const { socket, closed, ask } = await daemon.socket('socket', '/ws');
    const download = await daemon.call('download', '/download?seconds=30');
    const downloaded = Date.now();
    expect([download.status, download.text.length]).toEqual([200, 300 * 64]);
    expect(await daemon.view('socket')).toMatchObject({ state: 'ready', connections: 1 });
    expect(daemon.eventsOf('socket')).not.toContain('agent.draining');
    expect(await ask('still there?')).toBe('still there?');

    const slept = await daemon.event('agent.sleep', 'download');
    expect(slept).toMatchObject({ reason: 'idle' });
    expect(msBetween(downloaded, slept)).toBeGreaterThan(4500);
    socket.close(1000);
    expect((await closed).code).toBe(1000);
    expect(await daemon.event('agent.sleep', 'socket')).toMatchObject({ reason: 'idle' });
    for (const name of ['socket', 'download'])
      expect(await stage.updates(name)).toMatchObject([{ replicas: [0, 1] }, { replicas: [1, 0] }]);
  });

  it('B: the end of one request is not the end of all: a longer one beside it is not cut', async ({ stage }) => {
    await stage.deploy('busy');
    const daemon = await stage.start({ busy: { idle: { timeout: '500ms' } } });
    const long = daemon.wake('busy', '/hold?ms=4000');
    await daemon.untilInFlight('busy', 1);
    const short = await daemon.call('busy');
    expect(short.status).toBe(200);
    const reply = await long;
    expect([reply.status, reply.json.task]).toEqual([200, short.json.task]);
    expect(await daemon.event('agent.sleep', 'busy')).toMatchObject({ reason: 'idle' });
  });
});
