import { describe, expect, test } from 'vitest';
import { house } from './harness.ts';

const kai = (idle: object) => ({ kai: { idle: { timeout: '5s', ...idle } } });

describe('a change of idle.websocket holds for sockets that are open', () => {
  test('B: from data to open, a silent socket that was let go of holds its agent awake again', async () => {
    const open = await house({ agents: kai({ websocket: 'data', timeout: '60s' }) });
    await open.ready();
    open.admitted('kai.test', 'upgrade').upgraded();
    const other = open.admitted();
    await open.clock.advance(60_000);
    await open.reload(kai({ websocket: 'open', timeout: '60s' }));
    other.end();
    await open.clock.advance(3_600_000);
    expect(open.engine.scales('kai')).toEqual([1]);
  });

  test('from open to data, a silent socket holds nobody awake any more', async () => {
    const open = await house({ agents: kai({ websocket: 'open' }) });
    await open.ready();
    const work = open.admitted('kai.test', 'upgrade', () => work.end());
    work.upgraded();
    await open.clock.advance(60_000);
    expect(open.state()).toBe('ready');
    await open.reload(kai({ websocket: 'data' }));
    await open.clock.advance(5000);
    expect(open.engine.scales('kai')).toEqual([1, 0]);
  });

  test('a shorter idle timeout counts for sockets at once', async () => {
    const open = await house({ agents: kai({ websocket: 'data', timeout: '1h' }) });
    await open.ready();
    const work = open.admitted('kai.test', 'upgrade', () => work.end());
    work.upgraded();
    await open.reload(kai({ websocket: 'data', timeout: '5s' }));
    await open.clock.advance(10_000);
    expect(open.engine.scales('kai')).toEqual([1, 0]);
  });
});
