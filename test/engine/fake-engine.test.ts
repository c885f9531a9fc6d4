import { describe, expect, test } from 'vitest';
import type { Workload } from '../../src/ports/engine.ts';
import type { FakeEngineOptions } from '../support/fake-agent.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';
import { SimClock } from '../support/sim-clock.ts';

const kai: Workload = {
  agent: 'kai',
  policy: 'on-demand',
  replicas: 1,
  process: { command: ['kai'], cwd: '/', env: {}, port: null, token: 't' },
  swarm: null,
};

async function opened(options: FakeEngineOptions = {}) {
  const clock = new SimClock();
  const engine = new FakeEngine(clock, options);
  const watcher = new RecordingWatcher();
  await engine.open(watcher);
  engine.declare(kai);
  await clock.settle();
  return { clock, engine, watcher };
}

describe('the fake engine on script', () => {
  test('starts and stops in the scripted time, and records every call with its instant', async () => {
    const { clock, engine, watcher } = await opened({ startMs: 400, stopMs: 3000 });
    const start = clock.now();
    await engine.scale('kai', 1);
    await clock.advance(399);
    expect(watcher.latest('kai')?.tasks[0]).toMatchObject({ state: 'starting', address: null });
    await clock.advance(1);
    expect(watcher.latest('kai')?.tasks[0]).toMatchObject({ state: 'running', address: { host: '127.0.0.1' } });
    await engine.scale('kai', 0);
    await clock.advance(2999);
    expect(watcher.latest('kai')?.tasks[0]?.state).toBe('ending');
    await clock.advance(1);
    expect(watcher.latest('kai')).toEqual({ wanted: 0, tasks: [], converging: false, lastExit: null });
    expect(engine.calls.filter((each) => each.call === 'scale').map((each) => [each.at - start, each.replicas])).toEqual([
      [0, 1],
      [400, 0],
    ]);
    expect(clock.pending).toBe(0);
  });

  test('a scripted failure changes nothing and is used up', async () => {
    const { clock, engine } = await opened();
    engine.failNext('scale', 'refused', 'no such command');
    await expect(engine.scale('kai', 1)).rejects.toMatchObject({ code: 'refused', message: 'no such command' });
    expect(engine.truth('kai').wanted).toBe(0);
    await engine.scale('kai', 1);
    await clock.advance(400);
    expect(engine.scales('kai')).toEqual([1, 1]);
  });

  test('a lost connection makes calls unavailable and silent; restoring it tells everything anew', async () => {
    const { clock, engine, watcher } = await opened();
    engine.lose('gone');
    await clock.settle();
    engine.scaleByHand('kai', 1);
    await clock.advance(1000);
    await expect(engine.observe('kai')).rejects.toMatchObject({ code: 'unavailable' });
    expect(watcher.latest('kai')?.wanted).toBe(0);
    engine.restore();
    await clock.settle();
    expect(watcher.told).toEqual(['lost: gone', 'restored']);
    expect(watcher.latest('kai')).toMatchObject({ wanted: 1, tasks: [{ state: 'running' }] });
  });

  test('a scripted start ends as soon as it runs, with or without a replacement on its way', async () => {
    const { clock, engine, watcher } = await opened();
    engine.scriptStart('kai', { startMs: 50, exits: 'exit code 7' });
    await engine.scale('kai', 1);
    await clock.advance(50);
    expect(watcher.latest('kai')).toEqual({ wanted: 1, tasks: [], converging: false, lastExit: 'exit code 7' });
    await engine.scale('kai', 1);
    await clock.advance(400);
    engine.exit('kai', 'exit code 8', { converging: true });
    await clock.settle();
    expect(watcher.latest('kai')).toEqual({ wanted: 1, tasks: [], converging: true, lastExit: 'exit code 8' });
    await clock.advance(1400);
    expect(watcher.latest('kai')?.tasks[0]?.state).toBe('running');
    expect(watcher.told).toEqual(['restarted: kai']);
  });

  test('observations are late, lost and doubled as scripted, and never out of order', async () => {
    const { clock, engine, watcher } = await opened({ startMs: 10 });
    engine.news.delay(100);
    await engine.scale('kai', 1);
    await clock.advance(20);
    expect(watcher.latest('kai')?.wanted).toBe(0);
    engine.news.delay(0);
    engine.news.duplicate(1);
    engine.scaleByHand('kai', 2);
    await clock.advance(89);
    expect(watcher.observations.slice(1).map((each) => each.observation.wanted)).toEqual([1]);
    await clock.advance(1);
    expect(watcher.observations.slice(1).map((each) => each.observation.wanted)).toEqual([1, 1, 2, 2, 2]);
    engine.news.drop(1);
    engine.scaleByHand('kai', 0);
    await clock.settle();
    expect(watcher.latest('kai')?.wanted).toBe(2);
  });

  test('an on-demand agent stays down once its last task has ended, though another was to be replaced', async () => {
    const { clock, engine, watcher } = await opened();
    await engine.scale('kai', 2);
    await clock.advance(400);
    engine.exit('kai');
    await clock.advance(500);
    expect(watcher.latest('kai')).toMatchObject({ wanted: 2, converging: true });
    engine.exit('kai');
    await clock.advance(60_000);
    expect(watcher.latest('kai')).toEqual({ wanted: 2, tasks: [], converging: false, lastExit: 'exit code 1' });
  });

  test('as Swarm it starts beside an old task, which is counted, and asks nobody to drain', async () => {
    const { clock, engine, watcher } = await opened({ name: 'swarm' });
    await engine.scale('kai', 2);
    await clock.advance(400);
    await engine.scale('kai', 1);
    await engine.scale('kai', 0);
    expect(engine.overlaps).toBe(0);
    await engine.scale('kai', 1);
    expect(engine.overlaps).toBe(1);
    await clock.advance(5000);
    expect(watcher.drained).toEqual([]);
  });

  test('freezes and thaws in the scripted time, one after the other, and nobody but who runs', async () => {
    const { clock, engine, watcher } = await opened({ freezeMs: 5, thawMs: 8 });
    await engine.scale('kai', 1);
    const early = engine.freeze('kai');
    await clock.advance(400);
    await early;
    expect(watcher.latest('kai')?.tasks[0]).toMatchObject({ state: 'running', frozen: false });
    const from = clock.now();
    const settled: string[] = [];
    for (const call of ['freeze', 'thaw'] as const)
      void engine[call]('kai').then(() => settled.push(`${call} ${clock.now() - from}`));
    await clock.advance(5);
    expect(engine.truth('kai').tasks[0]?.frozen).toBe(true);
    await clock.advance(8);
    expect(watcher.latest('kai')?.tasks[0]?.frozen).toBe(false);
    expect(settled).toEqual(['freeze 5', 'thaw 13']);
    expect(clock.pending).toBe(0);
  });

  test('a scripted failure or silence freezes nothing, thaws nothing, and leaves the next call alone', async () => {
    const { clock, engine, watcher } = await opened({ freezeMs: 0, thawMs: 0 });
    await engine.scale('kai', 1);
    await clock.advance(400);
    for (const code of ['task-elsewhere', 'refused', 'unavailable'] as const) {
      engine.failNext('freeze', code);
      await expect(engine.freeze('kai')).rejects.toMatchObject({ name: 'EngineError', code });
    }
    expect(engine.truth('kai').tasks[0]?.frozen).toBe(false);
    await engine.freeze('kai');
    engine.hangNext('thaw');
    const hung = expect(engine.thaw('kai')).rejects.toMatchObject({ code: 'unavailable' });
    await clock.advance(9999);
    expect(engine.truth('kai').tasks[0]?.frozen).toBe(true);
    await clock.advance(1);
    await hung;
    expect(watcher.latest('kai')?.tasks[0]?.frozen).toBe(true);
    await engine.thaw('kai');
    expect(engine.truth('kai').tasks[0]?.frozen).toBe(false);
  });

  test('somebody else freezes and thaws it, and it stays frozen while its daemon is away', async () => {
    const { clock, engine } = await opened({ name: 'swarm' });
    expect(() => engine.freezeByHand('kai', true)).toThrow('script: kai has a task that can be frozen');
    await engine.scale('kai', 1);
    await clock.advance(400);
    engine.freezeByHand('kai', true);
    engine.orphan();
    const watcher = new RecordingWatcher();
    await engine.open(watcher);
    engine.declare(kai);
    await clock.settle();
    expect(watcher.latest('kai')?.tasks).toMatchObject([{ state: 'running', frozen: true }]);
    engine.freezeByHand('kai', false);
    await clock.settle();
    expect(watcher.latest('kai')?.tasks[0]?.frozen).toBe(false);
    expect(() => engine.freezeByHand('kai', false)).toThrow('script: kai has a task that can be thawed');
  });

  test('using it against the port is a violation', async () => {
    const engine = new FakeEngine(new SimClock());
    expect(() => engine.declare(kai)).toThrow('opened before it is used');
    await expect(engine.scale('kai', 1)).rejects.toThrow('opened before it is used');
    await engine.open(new RecordingWatcher());
    await expect(engine.open(new RecordingWatcher())).rejects.toThrow('opened once');
    await expect(engine.scale('kai', 1)).rejects.toThrow('declared before it is used');
    await expect(engine.freeze('kai')).rejects.toThrow('declared before it is used');
    expect(() => engine.exit('kai')).toThrow('agent kai is declared');
  });
});
