import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ApiService, ApiTask } from '../../src/swarm/api.ts';
import { SwarmEngine } from '../../src/swarm/engine.ts';
import { refusal } from '../support/api-faults.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingMetrics } from '../support/recording-metrics.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';
import { SimClock } from '../support/sim-clock.ts';
import { task, workload } from './listing.ts';
import { SERVICE, ScriptedApi, text } from './scripted-api.ts';
import { until } from './until.ts';

/** The whole engine against answers that were written down: what a real one says only in rare moments. */
let scripted: ScriptedApi;
let clock: SimClock;
let watcher: RecordingWatcher;
let log: RecordingLog;
let metrics: RecordingMetrics;
let engine: SwarmEngine;

beforeEach(async () => {
  scripted = await new ScriptedApi().start();
  clock = new SimClock();
  watcher = new RecordingWatcher();
  log = new RecordingLog();
  metrics = new RecordingMetrics();
  const { socket } = scripted;
  engine = new SwarmEngine({ clock, log, metrics, socket, network: 'reveille_agents', ownName: 'me' });
});
afterEach(async () => {
  await engine.close();
  await scripted.dispose();
});

/** Ready to be ordered about, and nothing is under way. */
async function up(): Promise<void> {
  await engine.open(watcher);
  engine.declare(workload);
  await watcher.until(() => watcher.latest('kai') !== null);
  await until(() => clock.pending === 1);
}

const services = (service: ApiService): void => {
  scripted.script('services', text(JSON.stringify([service])));
  scripted.script('service', text(JSON.stringify(service)));
};
const tasks = (...list: readonly ApiTask[]): void => scripted.script('tasks', text(JSON.stringify(list)));
const updates = (): readonly string[] => scripted.asked.filter(({ call }) => call === 'update').map(({ body }) => body);

/** One task is wanted of it. */
const WANTED = { ...SERVICE, Version: { Index: 20 }, Spec: { ...SERVICE.Spec, Mode: { Replicated: { Replicas: 1 } } } };
/** Something about the service has changed. */
const CHANGED = '{"Type":"service","Action":"update","Actor":{"ID":"svc1","Attributes":{"name":"kai"}}}\n';
/** Something has happened to the container of its task. */
const container = (action: string): string =>
  `${JSON.stringify({
    Type: 'container',
    Action: action,
    Actor: {
      ID: 'c1',
      Attributes: { 'com.docker.swarm.service.name': 'kai', 'com.docker.swarm.task.id': 'task1', exitCode: '137' },
    },
  })}\n`;

describe('an order to scale', () => {
  it('G: sends the spec back as it was read: order of members, unknown fields, empty objects and all 64 bits', async () => {
    const spec =
      '{"Name":"kai","Labels":{"z":"1","a":"\\u00e9"},"TaskTemplate":{"ContainerSpec":{"Image":"x@sha256:y","Env":["B=1","A=2"],' +
      '"StopGracePeriod":9223372036854775807,"NewField":{"Deep":[null,1.50,{}]}},"Resources":{},"ForceUpdate":18446744073709551615,' +
      '"Networks":[{"Target":"net1"}]},"Mode":{"Replicated":{"Replicas":0}}}';
    scripted.script('service', text(`{"ID":"svc1","Version":{"Index":9007199254740993},"Spec":${spec}}`));
    await up();
    await engine.scale('kai', 1);
    expect(updates()).toEqual([spec.replace('\\u00e9', 'é').replace('"Replicas":0', '"Replicas":1')]);
    expect(scripted.asked.find(({ call }) => call === 'update')?.url).toBe(
      '/v1.41/services/svc1/update?version=9007199254740993',
    );
  });

  it('G: reads again and writes once more where somebody else was quicker, and counts it', async () => {
    await up();
    let index = 16;
    scripted.script('service', () => text(JSON.stringify({ ...SERVICE, Version: { Index: (index += 1) } })));
    scripted.script('update', () =>
      scripted.count('update') === 1
        ? refusal(500, 'rpc error: code = Unknown desc = update out of sequence')
        : text('{"Warnings":null}'),
    );
    await engine.scale('kai', 1);
    const versions = scripted.asked.filter(({ call }) => call === 'update').map(({ url }) => url.split('=')[1]);
    expect(versions).toEqual(['17', '18']);
    expect(metrics.values.get('engine_update_conflicts_total')).toBe(1);
  });

  it('G: that meets another writer twice is given up, and says so', async () => {
    await up();
    scripted.script('update', refusal(500, 'rpc error: code = Unknown desc = update out of sequence'));
    await expect(engine.scale('kai', 1)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'service kai is being changed by somebody else: a second daemon?',
    });
    expect(scripted.count('update')).toBe(2);
    expect(metrics.values.get('engine_update_conflicts_total')).toBe(2);
  });

  it('C: that Swarm takes no notice of is given again after a second, by way of fewer', async () => {
    await up();
    const written = (): number[] =>
      updates().map((body) => (JSON.parse(body) as { Mode: { Replicated: { Replicas: number } } }).Mode.Replicated.Replicas);
    await engine.scale('kai', 1);
    services({ ...SERVICE, Spec: { ...SERVICE.Spec, Mode: { Replicated: { Replicas: 1 } } } });
    await watcher.until(() => watcher.latest('kai')?.wanted === 1);
    await clock.advance(900);
    expect(written()).toEqual([1]);
    for (let waited = 0; waited < 300 && written().length < 3; waited += 10) {
      await clock.advance(10);
      await turn();
    }
    await until(() => written().length === 3);
    expect(written()).toEqual([1, 0, 1]);
    expect(log.lines.map(({ message }) => message)).toContain('Swarm brought no task for an order; it is given again');
  });

  it('that changes nothing writes nothing', async () => {
    await up();
    await engine.scale('kai', 0);
    expect(updates()).toEqual([]);
  });
});

describe('a look that an order has overtaken', () => {
  it('is thrown away: what was listed before the order was answered is never told after it', async () => {
    await up();
    const told = watcher.observations.length;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    // The look asks for tasks, is held there, and meanwhile an order goes by.
    let looks = 0;
    scripted.script('tasks', async () => {
      looks += 1;
      if (looks === 1) await held;
      return text('[]');
    });
    const observed = engine.observe('kai');
    await until(() => looks === 1);
    const ordered = engine.scale('kai', 1);
    await until(() => scripted.count('update') === 1);
    await ordered;
    services({ ...SERVICE, Spec: { ...SERVICE.Spec, Mode: { Replicated: { Replicas: 1 } } } });
    release();
    expect((await observed).wanted).toBe(1);
    const later = watcher.observations.slice(told).map(({ observation }) => observation.wanted);
    expect(later.filter((wanted) => wanted === 0)).toEqual([]);
  });
});

describe('a start', () => {
  const state = (): string | undefined => watcher.latest('kai')?.tasks[0]?.state;

  it("I: is seen by the container's start event, before Swarm says so and without another call", async () => {
    await up();
    services(WANTED);
    tasks(task({ state: 'starting', index: 21 }));
    scripted.say(CHANGED);
    await watcher.until(() => state() === 'starting');
    const calls = scripted.asked.length;
    scripted.say(container('start'));
    await watcher.until(() => state() === 'running');
    expect(scripted.asked.length).toBe(calls);
    scripted.say(container('die'));
    await watcher.until(() => state() === 'ending');
  });

  it('I: on another node, of which no event tells, is found by listing again within 100 ms', async () => {
    scripted.script('nodes', text('[{"ID":"node1"},{"ID":"node2"}]'));
    await up();
    services(WANTED);
    tasks(task({ state: 'starting', index: 21, node: 'node2' }));
    scripted.say(CHANGED);
    await watcher.until(() => state() === 'starting');
    tasks(task({ state: 'running', index: 22, node: 'node2' }));
    await clock.advance(100);
    await watcher.until(() => state() === 'running');
  });
});

describe("an end after Docker's own health check has failed", () => {
  /** Its one task runs, and the engine has heard that its health check fails. */
  async function unwell(): Promise<void> {
    await up();
    services(WANTED);
    tasks(task({ state: 'running', index: 21 }));
    scripted.say(container('health_status: unhealthy'));
    scripted.say(CHANGED);
    await watcher.until(() => watcher.latest('kai')?.tasks[0]?.state === 'running');
  }
  async function exit(): Promise<string | null | undefined> {
    tasks(task({ state: 'failed', desired: 'shutdown', index: 22 }));
    scripted.say(container('die'));
    await watcher.until(() => watcher.latest('kai')?.lastExit?.startsWith('exit code') === true);
    return watcher.latest('kai')?.lastExit;
  }

  it('says so', async () => {
    await unwell();
    expect(await exit()).toBe("exit code 137, after Docker's health check of it had failed");
  });

  it('says nothing of it where the engine was lost in between, since it may have recovered unheard', async () => {
    await unwell();
    scripted.script('nodes', refusal(500, 'boom'));
    await clock.advance(30_000);
    await watcher.until(() => watcher.told.length === 1);
    scripted.script('nodes', null);
    await clock.advance(100);
    await watcher.until(() => watcher.told.at(-1) === 'restored');
    expect(await exit()).toBe('exit code 137');
  });
});

describe('the listing of everything', () => {
  it('comes twice a minute, and sets right what no event told', async () => {
    await up();
    services({ ...SERVICE, Spec: { ...SERVICE.Spec, Mode: { Replicated: { Replicas: 3 } } } });
    await clock.advance(30_000);
    await watcher.until(() => watcher.latest('kai')?.wanted === 3);
  });

  it('that fails is a lost engine, and it is there again by itself', async () => {
    await up();
    scripted.script('nodes', refusal(500, 'boom'));
    await clock.advance(30_000);
    await watcher.until(() => watcher.told.length === 1);
    expect(watcher.told).toEqual(['lost: GET /nodes: boom']);
    scripted.script('nodes', null);
    await clock.advance(100);
    await watcher.until(() => watcher.told.at(-1) === 'restored');
  });

  it('that ends after the engine was closed is the last', async () => {
    await up();
    let release = (): void => undefined;
    scripted.script('nodes', () => new Promise((resolve) => (release = () => resolve(text('[]')))));
    const before = scripted.count('nodes');
    await clock.advance(30_000);
    await until(() => scripted.count('nodes') > before);
    await engine.close();
    release();
    await until(() => clock.pending === 0);
    await turn();
    expect(clock.pending).toBe(0);
  });
});

describe('a service that cannot be looked at', () => {
  it('is said once, not once a second, and again when it is for another reason', async () => {
    await up();
    const said = (): readonly unknown[] =>
      log.lines.filter(({ message }) => message === 'service could not be looked at').map(({ facts }) => facts['detail']);
    const look = async (): Promise<void> => {
      const before = scripted.count('service');
      scripted.say(CHANGED);
      await until(() => scripted.count('service') > before);
      for (let at = 0; at < 20; at += 1) await turn();
    };
    scripted.script('service', refusal(403, 'no'));
    const forbidden = 'GET /services/kai is not allowed (403): a socket proxy must let it through';
    for (let time = 0; time < 3; time += 1) await look();
    expect(said()).toEqual([forbidden]);
    scripted.script('service', refusal(500, 'boom'));
    for (let time = 0; time < 3; time += 1) await look();
    expect(said()).toEqual([forbidden, 'GET /services/kai: boom']);
    scripted.script('service', null);
    await look();
    scripted.script('service', refusal(500, 'boom'));
    await look();
    expect(said().length).toBe(3);
  });
});
