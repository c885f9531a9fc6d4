import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CALLS } from '../../src/swarm/calls.ts';
import { SwarmEngine } from '../../src/swarm/engine.ts';
import { systemClock } from '../../src/system/clock.ts';
import { lab } from '../lab/lab.ts';
import { callOf } from '../support/api-faults.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingMetrics } from '../support/recording-metrics.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';
import { Relay } from './relay.ts';
import { type SwarmRig, swarmRig } from './rig.ts';

/**
 * The table of calls (src/swarm/calls.ts, and docs/docker-socket.md with it) is what somebody lets through a socket proxy. So it
 * has to be all that is asked for, and nothing in it may be more than that.
 */
let rig: SwarmRig;
let relay: Relay;
let directory: string;
let engine: SwarmEngine;
const watcher = new RecordingWatcher();

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reveille-calls-'));
  const socket = join(directory, 'docker.sock');
  rig = swarmRig();
  relay = new Relay(socket, lab().engine.socket);
  await relay.open();
  engine = new SwarmEngine({
    clock: systemClock,
    log: new RecordingLog(),
    metrics: new RecordingMetrics(),
    socket,
    // The network is that of the daemon's own container.
    network: null,
    ownName: lab().foothold.container,
  });
});
afterEach(async () => {
  await engine.close();
  await relay.cut();
  await rig.dispose();
  rmSync(directory, { recursive: true });
});

const running = (agent = 'kai'): readonly string[] =>
  (watcher.latest(agent)?.tasks ?? []).filter(({ state }) => state === 'running').map(({ id }) => id);

it('a whole life makes every call of the table, and no other', async () => {
  await engine.open(watcher);
  engine.declare(rig.deploy('kai', { restart: 'any' }));
  // From so many on, they are listed at once.
  for (const agent of ['ann', 'bob', 'cid']) engine.declare(rig.deploy(agent));
  await engine.scale('kai', 1);
  await watcher.until(() => running().length === 1);
  await engine.scale('kai', 2);
  await watcher.until(() => running().length === 2);
  await engine.freeze('kai');
  await engine.thaw('kai');
  await engine.endTask('kai', running()[1] ?? '', { replace: false });
  await watcher.until(() => watcher.latest('kai')?.wanted === 1 && watcher.latest('kai')?.tasks.length === 1);

  const [before = ''] = running();
  await rig.docker('service', 'update', '--detach', '--no-resolve-image', '--quiet', '--env-add', 'NEW=1', 'kai');
  await watcher.until(() => running().length === 1 && !running().includes(before) && watcher.latest('kai')?.tasks.length === 1);

  await relay.cut();
  await watcher.until(() => watcher.told.some((told) => told.startsWith('lost')));
  await expect(engine.observe('kai')).rejects.toMatchObject({ code: 'unavailable' });
  await relay.open();
  await watcher.until(() => watcher.told.at(-1) === 'restored');

  await engine.scale('kai', 0);
  await watcher.until(() => watcher.latest('kai')?.wanted === 0 && watcher.latest('kai')?.tasks.length === 0);
  await engine.release('kai');

  const made = new Set(
    relay.calls.map((call) => call.split(' ') as [string, string]).map(([method, path]) => callOf(method, path)),
  );
  expect(relay.calls.filter((call) => callOf(...(call.split(' ') as [string, string])) === null)).toEqual([]);
  expect([...made].sort()).toEqual(Object.keys(CALLS).sort());
});
