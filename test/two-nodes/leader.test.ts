import { afterEach, describe, expect } from 'vitest';
import { type EngineSpec, docker } from '../lab/engine.ts';
import { lab } from '../lab/lab.ts';
import { WORKER, worker } from '../lab/second-node.ts';
import type { Daemon } from '../support/daemon.ts';
import { it, until } from '../swarm/stage.ts';

/** The daemon's node loses its place: another one leads the Swarm, and this one is a worker for a while. */
const agent = { idle: { timeout: '5m' } };
const one = (): EngineSpec => lab().engine;

/** Nodes and what they are among the managers, as one of them has it; empty where that one is none. */
const roles = (by: EngineSpec): Promise<string> =>
  docker(by, 'node', 'ls', '--format', '{{.Hostname}}:{{.ManagerStatus}}').catch(() => '');

const untilLeads = (name: string, by: EngineSpec): Promise<string> =>
  until(
    `${name} leads`,
    () => roles(by),
    (text) => text.split('\n').includes(`${name}:Leader`),
  );

/** Refused while the Swarm hands over; then it is asked again. */
const order = (by: EngineSpec, ...args: readonly string[]): Promise<boolean> =>
  until(
    args.join(' '),
    () =>
      docker(by, ...args).then(
        () => true,
        () => false,
      ),
    (done) => done,
  );

async function isOnLeader(daemon: Daemon, name: string): Promise<boolean> {
  return (await daemon.admin(`/api/self?agent=${name}`)).json.tasks[0]?.on_leader ?? false;
}

/** As the other tests want it, whatever has become of this one. */
afterEach(async () => {
  if ((await roles(one())) === '') {
    await order(worker(), 'node', 'promote', one().name);
    await until(
      'the first node is a manager',
      () => roles(one()),
      (text) => text !== '',
    );
  }
  await order(one(), 'node', 'demote', WORKER);
  await untilLeads(one().name, one());
});

describe('the leader of the Swarm', () => {
  it('changes: the daemon on its old node serves who is ready, and is right again once that is a manager', async ({ stage }) => {
    await Promise.all([stage.deploy('served'), stage.deploy('refused')]);
    const daemon = await stage.start({ served: agent, refused: agent });
    const { task } = (await daemon.wake('served')).json;
    expect(await isOnLeader(daemon, 'served')).toBe(false);

    await docker(one(), 'node', 'promote', WORKER);
    await until(
      'the worker is a manager',
      () => roles(worker()),
      (text) => text !== '',
    );
    await order(worker(), 'node', 'demote', one().name);
    const lost = await daemon.event('engine.lost');
    await untilLeads(WORKER, worker());
    expect((await daemon.call('served')).json.task).toBe(task);
    expect((await daemon.call('refused')).json.type).toMatch(/engine-unavailable$/);
    // The first reason may be one of the hand-over; the one that lasts says what to do.
    const advice = 'this Docker is a worker of its Swarm: run the daemon on a manager';
    if (lost['detail'] !== advice)
      await daemon.run.logged('engine is still lost, but for another reason', ({ detail }) => detail === advice);

    await order(worker(), 'node', 'promote', one().name);
    await daemon.event('engine.restored', undefined, lost);
    await until(
      'its task is on the leader',
      () => isOnLeader(daemon, 'served'),
      (is) => is,
    );
    expect((await daemon.call('served')).json.task).toBe(task);
    expect((await daemon.wake('refused')).status).toBe(200);

    await order(one(), 'node', 'demote', WORKER);
    await until(
      'its task is on a worker',
      () => isOnLeader(daemon, 'served'),
      (is) => !is,
    );
    expect((await daemon.call('served')).json.task).toBe(task);
    expect(await stage.updates('served')).toHaveLength(1);
  });
});
