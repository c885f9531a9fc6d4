import { afterEach, describe, expect } from 'vitest';
import { docker, enginePid, startEngine, stopEngine } from '../lab/engine.ts';
import { lab } from '../lab/lab.ts';
import { WORKER, untilNode, worker } from '../lab/second-node.ts';
import type { Daemon } from '../support/daemon.ts';
import { it, msBetween, until } from '../swarm/stage.ts';

/** What becomes of agents when their node is emptied, dies or comes back, while the daemon and its engine stay where they are. */
const patient = { idle: { timeout: '5m' }, health: { startup_timeout: '90s' } };
const impatient = { idle: { timeout: '5m' }, health: { startup_timeout: '8s' } };
/** A node is down once Swarm has missed three heartbeats, of which it wants one every 5 s unless told otherwise. */
const HEARTBEAT = '5s';
const QUICK_HEARTBEAT = '2s';
const DOWN_WITHIN_MS = 240_000;
const NO_NODE = /^no task came to run: no suitable node \(.*1 node not available for new tasks/;
const manager = (...args: readonly string[]): Promise<string> => docker(lab().engine, ...args);

interface SelfTask {
  readonly node: string;
  readonly state: string;
  readonly on_leader: boolean;
}

async function tasksOf(daemon: Daemon, name: string): Promise<readonly SelfTask[]> {
  return (await daemon.admin(`/api/self?agent=${name}`)).json.tasks;
}

/** All that is left of it is a task without a node. */
const untilUnplaced = (daemon: Daemon, name: string): Promise<unknown> =>
  until(
    'its one task waits for a node',
    () => tasksOf(daemon, name),
    (tasks) => tasks.length === 1 && tasks[0]?.node === '' && tasks[0].state === 'starting',
  );

afterEach(async () => {
  if (enginePid(worker()) === null) await startEngine(worker());
  await manager('node', 'update', '--availability', 'active', WORKER);
  await manager('swarm', 'update', '--dispatcher-heartbeat', HEARTBEAT);
  await untilNode('Ready', DOWN_WITHIN_MS);
});

describe('the node of an agent', () => {
  it('is emptied by its operator: nobody else runs it, a start says why, and it is back with the node', async ({ stage }) => {
    await Promise.all(['waits', 'gives-up'].map((name) => stage.deploy(name)));
    const daemon = await stage.start({ waits: patient, 'gives-up': impatient });
    const [task] = await Promise.all(['waits', 'gives-up'].map(async (name) => (await daemon.wake(name)).json.task));
    const before = daemon.lastEvent;
    await manager('node', 'update', '--availability', 'drain', WORKER);
    await Promise.all(['waits', 'gives-up'].map((name) => daemon.event('agent.starting', name, before)));
    expect(await daemon.event('agent.sleep', 'gives-up', before)).toMatchObject({ reason: 'startup-timeout' });
    const { problem } = await daemon.view('gives-up');
    expect(problem).toMatchObject({ code: 'startup-timeout', detail: expect.stringMatching(NO_NODE) });
    await untilUnplaced(daemon, 'waits');
    expect(await stage.containers('waits')).toEqual([]);
    const call = await daemon.call('waits');
    expect([call.status, call.json.status]).toEqual([503, 'starting']);

    await manager('node', 'update', '--availability', 'active', WORKER);
    await daemon.event('agent.ready', 'waits', before);
    expect((await daemon.call('waits')).json.task).not.toBe(task);
    expect(await stage.updates('waits')).toHaveLength(1);
    expect((await daemon.wake('gives-up')).status).toBe(200);
    expect(await daemon.view('gives-up')).not.toHaveProperty('problem');
  });

  it('dies: its task counts as gone once Swarm gives the node up, and another one comes wherever there is a node', async ({
    stage,
  }) => {
    const home = ['--constraint', 'node.labels.home==yes'];
    await manager('node', 'update', '--label-add', 'home=yes', WORKER);
    await manager('swarm', 'update', '--dispatcher-heartbeat', QUICK_HEARTBEAT);
    // Swarm's own delay of 5 s would only be waited for.
    const options = ['--restart-delay', '0s'];
    await stage.deploy('roaming', { placement: home, options });
    await Promise.all(['pinned', 'asleep'].map((name) => stage.deploy(name, { options })));
    const names = ['pinned', 'asleep', 'roaming'];
    const daemon = await stage.start({ pinned: patient, asleep: patient, roaming: patient });
    const [old] = await Promise.all(names.map(async (name) => (await daemon.wake(name)).json.task));
    expect(await tasksOf(daemon, 'roaming')).toMatchObject([{ node: WORKER, state: 'running' }]);
    await manager('node', 'update', '--label-add', 'home=yes', lab().engine.name);
    const before = daemon.lastEvent;
    const at = Date.now();
    await stopEngine(worker(), 'SIGKILL');
    // Its containers live on without it, and until Swarm has noticed they are who serves.
    expect((await daemon.call('pinned')).json.task).toBe(old);
    await untilNode('Down', DOWN_WITHIN_MS);
    const lost = await daemon.event('agent.starting', 'pinned', before);
    const moved = await daemon.event('agent.ready', 'roaming', before);
    console.log(`node dead -> starting again ${msBetween(at, lost)} ms, -> ready on another node ${msBetween(at, moved)} ms`);
    expect(await tasksOf(daemon, 'roaming')).toMatchObject([{ node: lab().engine.name, state: 'running', on_leader: true }]);
    expect((await daemon.call('roaming')).status).toBe(200);
    await untilUnplaced(daemon, 'pinned');
    // Nobody will ever say that the old task has ended; a sleep does not wait for it.
    await daemon.admin('/admin/agents/asleep/sleep', { method: 'POST' });
    await daemon.event('agent.sleep', 'asleep', before);

    await startEngine(worker());
    await untilNode('Ready', DOWN_WITHIN_MS);
    await daemon.event('agent.ready', 'pinned', lost);
    expect((await daemon.wake('pinned')).json.task).not.toBe(old);
    expect((await daemon.view('asleep')).state).toBe('sleeping');
    expect((await daemon.wake('asleep')).status).toBe(200);
    for (const name of ['pinned', 'asleep']) expect(await stage.containers(name)).toHaveLength(1);
    for (const name of ['pinned', 'roaming']) expect(await stage.updates(name)).toHaveLength(1);
    const changes = (await stage.updates('asleep')).flatMap(({ replicas }) => (replicas === null ? [] : [replicas]));
    expect(changes).toEqual([
      [0, 1],
      [1, 0],
      [0, 1],
    ]);
  });
});
