import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineError, type Observation } from '../../src/ports/engine.ts';
import type { CallName } from '../../src/swarm/calls.ts';
import { SwarmEngine } from '../../src/swarm/engine.ts';
import { lab } from '../lab/lab.ts';
import { type Fault, callOf, refusal } from '../support/api-faults.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingMetrics } from '../support/recording-metrics.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';
import { ScaledClock } from '../support/scaled-clock.ts';
import { Relay } from './relay.ts';
import { type SwarmRig, swarmRig } from './rig.ts';

/**
 * A real Swarm behind a relay that fails one of our calls at a time, in one way after the other. test/swarm-api fails each in
 * every way and without a Swarm; here it is shown that the agent really wakes and sleeps afterwards.
 */
const FAULTS: readonly Fault[] = [
  refusal(500, 'rpc error: code = Unknown desc = boom'),
  refusal(503, 'rpc error: code = Unavailable desc = boom'),
  { kind: 'hang' },
  { kind: 'reset' },
  { kind: 'half' },
  { kind: 'answer', status: 200, text: '<html>It works!</html>' },
];
/** Ten seconds without an answer pass in one. */
const SPEED = 10;

let rig: SwarmRig;
let relay: Relay;
let directory: string;
let engine: SwarmEngine;
let watcher: RecordingWatcher;
let log: RecordingLog;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reveille-faults-'));
  const socket = join(directory, 'docker.sock');
  rig = swarmRig();
  relay = new Relay(socket, lab().engine.socket);
  await relay.open();
  watcher = new RecordingWatcher();
  log = new RecordingLog();
  const clock = new ScaledClock(SPEED);
  const { network } = lab();
  engine = new SwarmEngine({ clock, log, metrics: new RecordingMetrics(), socket, network, ownName: 'not-a-container' });
  await engine.open(watcher);
  engine.declare(rig.deploy('kai'));
  await watcher.until(() => watcher.latest('kai') !== null);
});
afterEach(async () => {
  await engine.close();
  await relay.cut();
  await rig.dispose();
  rmSync(directory, { recursive: true });
});

const seen = (): Observation | null => watcher.latest('kai');
const isLost = (): boolean => watcher.told.at(-1)?.startsWith('lost') === true;

/** How often. */
const asked = (name: CallName): number =>
  relay.calls.filter((call) => callOf(...(call.split(' ') as [string, string])) === name).length;

/** As the runtime does: an order that is refused for now is given again. */
async function ordered(replicas: number): Promise<void> {
  for (;;) {
    if (isLost()) await watcher.until(() => !isLost());
    try {
      await engine.scale('kai', replicas);
      return;
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'unavailable') throw error;
    }
  }
}

async function wakesAndSleeps(): Promise<void> {
  await ordered(1);
  await watcher.until(() => seen()?.tasks.some(({ state }) => state === 'running') === true);
  await ordered(0);
  await watcher.until(() => seen()?.wanted === 0 && seen()?.tasks.length === 0);
}

describe('after it was failed in every way the agent wakes and sleeps', () => {
  it('at each call of connecting', async () => {
    for (const call of ['version', 'info', 'events', 'services', 'tasks', 'nodes', 'network'] as const) {
      // Each hang costs two seconds; those of the other calls are in test/swarm-api.
      for (const fault of call === 'events' ? FAULTS : FAULTS.filter(({ kind }) => kind !== 'hang')) {
        relay.faults.set(call, fault);
        const before = asked(call);
        relay.cutEvents();
        await watcher.until(isLost);
        // Asked again: the first time has failed by then, and was outlived.
        while (asked(call) < before + 2) await pause(5);
        await expect(engine.scale('kai', 1)).rejects.toMatchObject({ code: 'unavailable' });
        relay.faults.delete(call);
        await watcher.until(() => !isLost());
      }
    }
    await wakesAndSleeps();
  });

  it.each<CallName>(['service', 'tasks', 'update'])('at %s, when it is to wake', async (call) => {
    for (const fault of FAULTS) {
      relay.faults.set(call, fault);
      await expect(engine.scale('kai', 1)).rejects.toMatchObject({
        name: 'EngineError',
        message: expect.stringMatching(/.{10,}/),
      });
      relay.faults.delete(call);
      if (isLost()) await watcher.until(() => !isLost());
    }
    expect((await engine.observe('kai')).wanted).toBe(0);
    await wakesAndSleeps();
  });

  it('at stop, when it is to sleep: Swarm ends it by itself', async () => {
    for (const fault of FAULTS.slice(1, 3)) {
      log.lines.length = 0;
      relay.faults.set('stop', fault);
      const before = asked('stop');
      // On a slow machine Swarm has ended it before it could be stopped.
      do await wakesAndSleeps();
      while (asked('stop') === before);
      await log.line(({ message }) => message === 'container was not stopped');
      relay.faults.delete('stop');
    }
    await wakesAndSleeps();
  });
});
