import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineError } from '../../src/ports/engine.ts';
import { CALLS, type CallName } from '../../src/swarm/calls.ts';
import { SwarmEngine } from '../../src/swarm/engine.ts';
import { type Fault, refusal } from '../support/api-faults.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingMetrics } from '../support/recording-metrics.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';
import { SimClock } from '../support/sim-clock.ts';
import { node, service, task, workload } from './listing.ts';
import { ScriptedApi, text } from './scripted-api.ts';
import { until } from './until.ts';

/**
 * Every call that we make, failing in every way we know: the engine says so and settles, nothing is thrown where nobody
 * listens (vitest would fail for it), and once the fault has gone the agent can be woken without anybody's help.
 */
const ANY_CALL: Readonly<Record<string, Fault>> = {
  'a failure of its own': refusal(500, 'boom'),
  'that it is overloaded': refusal(503, 'the cluster is overloaded'),
  'no such thing': refusal(404, 'page not found'),
  'that it is forbidden': refusal(403, 'forbidden by the proxy'),
  'nothing, ever': { kind: 'hang' },
  'half an answer, and then nothing': { kind: 'stall' },
  'a connection that is cut': { kind: 'reset' },
  'half an answer, and then the connection is cut': { kind: 'half' },
  'what is no JSON': text('<html>It works!</html>'),
  'JSON that makes no sense': text('"text"'),
  'a redirect to somewhere else': { kind: 'redirect', to: 'http://127.0.0.1:1/' },
};
const FAULTS = Object.entries(ANY_CALL);
/** Of every call but a stop. */
const LIMIT_MS = 10_000;

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
});
afterEach(async () => {
  await engine.close();
  await scripted.dispose();
});

function make(network: string | null): void {
  const { socket } = scripted;
  engine = new SwarmEngine({ clock, log, metrics: new RecordingMetrics(), socket, network, ownName: 'me' });
}

/** Lets time pass where the fault is that nothing comes. */
async function outlast(call: CallName, fault: Fault, before: number): Promise<void> {
  if (fault.kind !== 'hang' && fault.kind !== 'stall') return;
  await until(() => scripted.count(call) > before);
  await clock.advance(LIMIT_MS);
}

async function mended(call: CallName): Promise<void> {
  scripted.script(call, null);
  if (watcher.told.at(-1)?.startsWith('lost') !== true) return;
  // A tenth of a second, or longer where attempts have failed meanwhile.
  const attempts = scripted.count('version');
  await clock.advance(5000);
  await until(() => scripted.count('version') > attempts);
  await watcher.until(() => watcher.told.at(-1) === 'restored');
}

async function wakes(): Promise<void> {
  const before = scripted.count('update');
  await engine.scale('kai', 1);
  expect(scripted.count('update')).toBe(before + 1);
}

describe('while connecting', () => {
  const later: readonly CallName[] = ['service', 'update', 'pause', 'unpause', 'stop'];
  const asked = (Object.keys(CALLS) as CallName[]).filter((call) => !later.includes(call));
  for (const call of asked) {
    for (const [what, fault] of FAULTS) {
      // A stream is never whole, and a network or a container that is missing is no failure but an answer.
      if (call === 'events' && fault.kind === 'stall') continue;
      if ((call === 'network' || call === 'container') && what === 'no such thing') continue;
      // A socket proxy from before there was freezing forbids it, and all else goes on (freezer.test.ts).
      if (call === 'containers' && what === 'that it is forbidden') continue;
      it(`the engine is lost when ${call} is answered with ${what}, and there again afterwards`, async () => {
        make(call === 'container' ? null : 'reveille_agents');
        scripted.script(call, fault);
        const opened = engine.open(watcher);
        await outlast(call, fault, 0);
        await opened;
        await watcher.until(() => watcher.told.length > 0);
        expect(watcher.told[0]).toMatch(/^lost: .{10,}/);
        engine.declare(workload);
        await expect(engine.scale('kai', 1)).rejects.toMatchObject({ name: 'EngineError', code: 'unavailable' });
        await mended(call);
        await wakes();
      });
    }
  }
});

describe('once connected', () => {
  const orders = ['service', 'tasks', 'update'] as const;
  for (const call of orders) {
    for (const [what, fault] of FAULTS) {
      it(`a wake is refused, with the reason, when ${call} is answered with ${what}, and the next one is not`, async () => {
        make('reveille_agents');
        await engine.open(watcher);
        engine.declare(workload);
        await watcher.until(() => watcher.latest('kai') !== null);
        scripted.script(call, fault);
        const before = scripted.count(call);
        const refused = engine.scale('kai', 1).then(
          () => null,
          (error: unknown) => error,
        );
        await outlast(call, fault, before);
        const error = await refused;
        expect(error).toBeInstanceOf(EngineError);
        expect((error as EngineError).message).toMatch(/.{10,}/);
        for (let at = 0; at < 20; at += 1) await turn();
        await mended(call);
        await wakes();
      });
    }
  }

  for (const [what, fault] of FAULTS) {
    // There is no container any more: that is what was wanted.
    if (what === 'no such thing' || fault.kind === 'half' || (fault.kind === 'answer' && fault.status === 200)) continue;
    it(`a task that could not be stopped, because of ${what}, runs on as before and can be ended again`, async () => {
      make('reveille_agents');
      const tasks = [task({ id: 'a', slot: 1 }), task({ id: 'b', slot: 2 })];
      scripted.script('tasks', text(JSON.stringify(tasks)));
      scripted.script('nodes', text(JSON.stringify([node('node1')])));
      const two = service(2);
      const brief = {
        ...two,
        Spec: { ...two.Spec, TaskTemplate: { ...two.Spec?.TaskTemplate, ContainerSpec: { StopGracePeriod: 1 } } },
      };
      scripted.script('service', text(JSON.stringify(brief)));
      scripted.script('services', text(JSON.stringify([brief])));
      await engine.open(watcher);
      engine.declare({ ...workload, replicas: 2 });
      const states = (): readonly string[] => watcher.latest('kai')?.tasks.map(({ state }) => state) ?? [];
      await watcher.until(() => states().length === 2);
      let answer = (): void => undefined;
      const shown = new Promise<void>((resolve) => (answer = resolve));
      scripted.script('stop', () => shown.then(() => fault));
      await engine.endTask('kai', 'b', { replace: false });
      await watcher.until(() => states()[1] === 'ending');
      answer();
      const isSaid = (): boolean => log.lines.some(({ message }) => message === 'container was not stopped');
      for (let second = 0; !isSaid(); second += 1) {
        expect(second).toBeLessThan(25);
        for (let at = 0; at < 20; at += 1) await turn();
        await clock.advance(1000);
      }
      // Without an answer it is asked once more.
      const attempts = fault.kind === 'answer' && fault.status !== 503 ? 1 : 2;
      expect(scripted.count('stop')).toBe(attempts);
      await watcher.until(() => states()[1] === 'running');
      scripted.script('stop', null);
      await engine.endTask('kai', 'b', { replace: false });
      await until(() => scripted.count('stop') === attempts + 1);
    });
  }
});
