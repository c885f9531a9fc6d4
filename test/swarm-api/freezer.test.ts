import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SwarmEngine } from '../../src/swarm/engine.ts';
import { type Fault, refusal } from '../support/api-faults.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingMetrics } from '../support/recording-metrics.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';
import { SimClock } from '../support/sim-clock.ts';
import { service, task, workload } from './listing.ts';
import { ScriptedApi, text } from './scripted-api.ts';
import { until } from './until.ts';

/** Pausing and unpausing containers: what the engine does about every answer, which a real one gives in rare moments only. */
const LIMIT_MS = 10_000;
const DONE: Fault = { kind: 'answer', status: 204, text: '' };

let scripted: ScriptedApi;
let clock: SimClock;
let watcher: RecordingWatcher;
let log: RecordingLog;
let engine: SwarmEngine;

beforeEach(async () => {
  scripted = await new ScriptedApi().start();
  clock = new SimClock();
  watcher = new RecordingWatcher();
  log = new RecordingLog();
  const { socket } = scripted;
  engine = new SwarmEngine({ clock, log, metrics: new RecordingMetrics(), socket, network: 'reveille_agents', ownName: 'me' });
});
afterEach(async () => {
  await engine.close();
  await scripted.dispose();
});

const TASKS = [task({ id: 'a', slot: 1, container: 'ca' }), task({ id: 'b', slot: 2, container: 'cb' })];
const frozen = (): readonly boolean[] => watcher.latest('kai')?.tasks.map((each) => each.frozen) ?? [];
const asked = (call: 'pause' | 'unpause'): readonly string[] =>
  scripted.asked.filter((each) => each.call === call).map(({ url }) => url.split('/').at(-2) ?? '');
/** What the engine lists as paused, by task. */
const paused = (...tasks: readonly string[]): void => {
  const list = tasks.map((id) => ({ Id: `c${id}`, Labels: { 'com.docker.swarm.task.id': id }, State: 'paused' }));
  scripted.script('containers', text(JSON.stringify(list)));
  scripted.script('container', ({ url }) =>
    text(JSON.stringify({ State: { Paused: tasks.some((id) => url.includes(`/c${id}/`)) } })),
  );
};
const event = (action: string, id: string): string => {
  const labels = { 'com.docker.swarm.service.name': 'kai', 'com.docker.swarm.task.id': id };
  return `${JSON.stringify({ Type: 'container', Action: action, Actor: { ID: `c${id}`, Attributes: labels } })}\n`;
};

/** Two tasks run, and nothing is under way. */
async function up(tasks = TASKS): Promise<void> {
  scripted.script('tasks', text(JSON.stringify(tasks)));
  scripted.script('service', text(JSON.stringify(service(tasks.length))));
  scripted.script('services', text(JSON.stringify([service(tasks.length)])));
  await engine.open(watcher);
  engine.declare({ ...workload, replicas: tasks.length });
  await watcher.until(() => watcher.latest('kai')?.tasks.length === tasks.length);
}

describe('freezing a service', () => {
  it('pauses the containers of all its tasks, and shows them as frozen from then on', async () => {
    await up();
    paused('a', 'b');
    await engine.freeze('kai');
    expect([...asked('pause')].sort()).toEqual(['ca', 'cb']);
    await watcher.until(() => String(frozen()) === 'true,true');
    expect(watcher.latest('kai')?.tasks.map(({ state }) => state)).toEqual(['running', 'running']);
  });

  it('takes a container that is paused already, has ended or is gone for what it is', async () => {
    await up();
    scripted.script('pause', ({ url }) =>
      url.includes('/ca/') ? refusal(409, 'Container ca is already paused') : refusal(404, 'No such container: cb'),
    );
    await engine.freeze('kai');
    scripted.script('pause', refusal(409, 'Container ca is not running'));
    await engine.freeze('kai');
    expect(asked('unpause')).toEqual([]);
  });

  it('leaves alone what has not started, and what is ending', async () => {
    await up([
      task({ id: 'a', slot: 1, container: 'ca' }),
      task({ id: 'b', slot: 2, container: 'cb', state: 'preparing' }),
      task({ id: 'c', slot: 3, container: 'cc', desired: 'shutdown' }),
    ]);
    await engine.freeze('kai');
    expect(asked('pause')).toEqual(['ca']);
  });

  it('freezes nothing where one task is on another node', async () => {
    await up([TASKS[0]!, task({ id: 'b', slot: 2, container: 'cb', node: 'node2' })]);
    await expect(engine.freeze('kai')).rejects.toMatchObject({
      name: 'EngineError',
      code: 'task-elsewhere',
      message: 'task b of kai has no container on this node',
    });
    expect(asked('pause')).toEqual([]);
  });

  const FAULTS: readonly (readonly [what: string, fault: Fault, code: string])[] = [
    ['a failure of its own', refusal(500, 'cannot pause container cb: OCI runtime pause failed'), 'unavailable'],
    ['that it is forbidden', refusal(403, 'forbidden by the proxy'), 'refused'],
    ['that it cannot', refusal(409, 'cannot pause a container of this kind'), 'refused'],
    ['nothing, ever', { kind: 'hang' }, 'unavailable'],
    ['a connection that is cut', { kind: 'reset' }, 'unavailable'],
  ];
  it.each(FAULTS)(
    'lets all go on again where one is answered with %s, and the engine is not lost for it',
    async (_, fault, code) => {
      await up();
      scripted.script('pause', ({ url }) => (url.includes('/cb/') ? fault : DONE));
      const refused = expect(engine.freeze('kai')).rejects.toMatchObject({ name: 'EngineError', code, message: /.{10,}/ });
      await until(() => scripted.count('pause') === 2);
      if (fault.kind === 'hang') await clock.advance(LIMIT_MS);
      await refused;
      expect([...asked('unpause')].sort()).toEqual(['ca', 'cb']);
      expect(watcher.told).toEqual([]);
      scripted.script('pause', null);
      paused('a', 'b');
      await engine.freeze('kai');
      await watcher.until(() => String(frozen()) === 'true,true');
    },
  );

  it('says so where one that should go on again does not, and shows what is true', async () => {
    await up();
    scripted.script('pause', ({ url }) => (url.includes('/cb/') ? refusal(500, 'boom') : DONE));
    scripted.script('unpause', refusal(500, 'the freezer is stuck'));
    paused('a');
    await expect(engine.freeze('kai')).rejects.toMatchObject({ code: 'unavailable' });
    await watcher.until(() => String(frozen()) === 'true,false');
    expect(log.lines.find(({ message }) => message === 'container may have stayed frozen')?.facts).toMatchObject({
      agent: 'kai',
    });
  });

  it('is refused where a socket proxy does not let through what a later daemon would need; all else goes on', async () => {
    scripted.script('containers', refusal(403, 'forbidden by the proxy'));
    await up();
    await expect(engine.freeze('kai')).rejects.toMatchObject({
      code: 'refused',
      message: 'GET /containers/json is not allowed (403): a socket proxy must let it through',
    });
    expect(asked('pause')).toEqual([]);
    await engine.scale('kai', 3);
    expect(watcher.told).toEqual([]);
  });
});

describe('thawing a service', () => {
  it('takes one call for each container, and lists nothing before', async () => {
    await up();
    const containers = scripted.count('container');
    await engine.freeze('kai');
    // Of the look that follows it, these are the last.
    await until(() => scripted.count('container') === containers + 2);
    const before = scripted.asked.length;
    const thawed = engine.thaw('kai');
    await until(() => scripted.count('unpause') === 2);
    expect(scripted.asked.slice(before, before + 2).map(({ call }) => call)).toEqual(['unpause', 'unpause']);
    await thawed;
  });

  it('takes one that is not paused, or is gone, for what it is', async () => {
    await up();
    scripted.script('unpause', ({ url }) =>
      url.includes('/ca/') ? refusal(500, 'Container ca is not paused') : refusal(404, 'No such container: cb'),
    );
    await engine.thaw('kai');
    expect(watcher.told).toEqual([]);
  });

  it('rejects where one stays paused, and shows which', async () => {
    await up();
    await engine.freeze('kai');
    paused('b');
    scripted.script('unpause', ({ url }) => (url.includes('/cb/') ? refusal(500, 'the freezer is stuck') : DONE));
    await expect(engine.thaw('kai')).rejects.toMatchObject({ name: 'EngineError', code: 'unavailable' });
    await watcher.until(() => String(frozen()) === 'false,true');
  });

  it('has the last word over a freeze that is under way, however late its events come', async () => {
    await up();
    const calls = [engine.freeze('kai'), engine.thaw('kai')];
    await Promise.all(calls);
    const seen = watcher.observations.length;
    scripted.say(event('pause', 'a'));
    const before = scripted.count('container');
    await until(() => scripted.count('container') > before);
    await engine.observe('kai');
    for (const { observation } of watcher.observations.slice(seen))
      expect(observation.tasks.map((each) => each.frozen)).toEqual([false, false]);
  });

  it('touches no container of another service', async () => {
    paused('a', 'x');
    await up();
    await engine.thaw('kai');
    expect([...asked('unpause')].sort()).toEqual(['ca', 'cb']);
  });
});

describe('what is paused', () => {
  it('E: is known to a daemon that starts later, from the first observation on', async () => {
    paused('a', 'b');
    await up();
    expect(watcher.observations.map(({ observation }) => String(observation.tasks.map((each) => each.frozen)))).toEqual(
      watcher.observations.map(() => 'true,true'),
    );
  });

  it('is seen when somebody else pauses it, and lets it go on', async () => {
    await up();
    paused('b');
    scripted.say(event('pause', 'b'));
    await watcher.until(() => String(frozen()) === 'false,true');
    paused();
    scripted.say(event('unpause', 'b'));
    await watcher.until(() => String(frozen()) === 'false,false');
  });

  it('is asked of each container right after an event, when the list may not have it yet', async () => {
    await up();
    paused('b');
    scripted.script('containers', text('[]'));
    scripted.say(event('pause', 'b'));
    await watcher.until(() => String(frozen()) === 'false,true');
    await engine.observe('kai');
    expect(frozen()).toEqual([false, true]);
  });

  it('is known of a service that is declared later', async () => {
    await up();
    paused('a');
    await engine.release('kai');
    const seen = watcher.observations.length;
    engine.declare({ ...workload, replicas: 2 });
    await watcher.until(() => watcher.observations.length > seen);
    expect(watcher.observations[seen]?.observation.tasks.map((each) => each.frozen)).toEqual([true, false]);
  });

  it('is asked about when there was a reason to, and not at every look', async () => {
    await up();
    const before = scripted.count('container');
    for (let times = 1; times <= 3; times += 1) await engine.observe('kai');
    expect(scripted.count('container')).toBe(before);
  });
});
