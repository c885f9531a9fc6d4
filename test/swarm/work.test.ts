import { describe, expect } from 'vitest';
import { SILENT } from '../support/lengths.ts';
import { eventsBetween, sleptAfter } from '../support/moments.ts';
import { it, msBetween } from './stage.ts';

/** What keeps an agent awake on a real Swarm. */
describe.concurrent('work on Swarm', () => {
  it(
    'B: a silent WebSocket and a slow download outlive an idle timeout six times over',
    { timeout: 600_000 },
    async ({ stage }) => {
      console.info(SILENT);
      const { idleMs, workSeconds } = SILENT;
      await Promise.all([stage.deploy('socket'), stage.deploy('download')]);
      const idle = { timeout: `${idleMs}ms` };
      const daemon = await stage.start({ socket: { idle }, download: { idle } });
      const { socket, closed, ask } = await daemon.wakeSocket('socket', '/ws');
      const download = await daemon.wake('download', `/download?seconds=${workSeconds}`);
      const downloaded = Date.now();
      expect([download.status, download.text.length]).toEqual([200, workSeconds * 10 * 64]);
      expect(await daemon.view('socket')).toMatchObject({ state: 'ready', connections: 1 });
      expect(await ask('still there?')).toBe('still there?');

      const began = downloaded - workSeconds * 1000;
      const slept = await sleptAfter(began, daemon, 'download');
      expect(slept).toMatchObject({ reason: 'idle' });
      expect(msBetween(downloaded, slept)).toBeGreaterThan(idleMs * 0.9);
      expect(eventsBetween(began, downloaded, daemon)).toEqual([]);
      socket.close(1000);
      expect((await closed).code).toBe(1000);
      expect(await sleptAfter(began, daemon, 'socket')).toMatchObject({ reason: 'idle' });
      for (const name of ['socket', 'download']) {
        const updates = await stage.updates(name);
        expect(updates.filter(({ at }) => at > began && at < downloaded)).toEqual([]);
        expect(updates.slice(-2)).toMatchObject([{ replicas: [0, 1] }, { replicas: [1, 0] }]);
      }
    },
  );

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
