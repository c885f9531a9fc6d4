import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SwarmView } from '../../agents/world/views.ts';
import { buildMemcachedImage, buildOptions } from '../lab/images.ts';
import { lab } from '../lab/lab.ts';
import { Deployed, until } from './deployed.ts';
import { type Adaptation, Operator } from './operator.ts';
import { commandBlock, commandBlocks } from './page.ts';
import { WorldStack, filesForTwoWorlds } from './worlds.ts';

/**
 * Bob's World on a real Swarm, deployed by typing what README.md and docs/deploy-swarm.md say, and used as its visitors do. What a
 * world is asked to do is for the suite `world` to try; here it is tried where each trooper is a container of a service.
 */
const CHECKOUT = resolve(import.meta.dirname, '../..');
/** As short as a world allows. */
const ROUND_MS = 2000;
const GUIDE = ['docs/deploy-swarm.md', "Bob's World"] as const;

/** Everything in which the lab differs from the machine that the pages are written for. */
const adapted = {
  build: {
    why: 'the package registry is behind the relay of the lab',
    from: 'docker build',
    to: `docker build ${buildOptions(lab().proxy).join(' ')}`,
  },
  context: { why: 'the stack files are deployed from a directory of their own', from: ' .)', to: ` ${CHECKOUT})` },
  inSwarm: { why: 'the lab is in a Swarm already', from: 'docker swarm init', to: ': docker swarm init' },
  twoWorlds: { why: 'the guide wants this file for two worlds', from: '-c stack.yml', to: '-c stack.yml -c racks.yml' },
} as const satisfies Record<string, Adaptation>;

let scratch: string;
let operator: Operator;
let stack: Deployed;
let first: WorldStack;
let second: WorldStack;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'reveille-world-'));
  operator = new Operator(filesForTwoWorlds(scratch), scratch, { ...process.env, DOCKER_BUILDKIT: '0' });
  stack = new Deployed();
  first = new WorldStack(stack, 'bobs', 'world.localhost');
  second = new WorldStack(stack, 'bobs-2', 'world-2.localhost');
  const { build, context, inSwarm, twoWorlds } = adapted;
  await operator.type(commandBlocks('README.md', 'On Docker Swarm')[0] ?? '', [inSwarm, build, context, twoWorlds]);
  await until('the daemon is up', async () => ((await stack.fromOverlay('/readyz')).status === 200 ? true : null));
  const memcached = await buildMemcachedImage({ socket: lab().engine.socket, proxy: lab().proxy });
  const pulled = { why: 'there is no registry in the lab', from: /\$\(docker pull [^)]*\)/, to: memcached };
  await operator.type(commandBlock(...GUIDE, 'docker build').replace(pulled.from, pulled.to), [build, context]);
});

afterAll(async () => {
  for (const name of ['bobs', 'bobs-2']) await stack.docker('stack', 'rm', name).catch(() => undefined);
  await stack.close();
  for (const name of ['bobs_snapshots', 'bobs-2_snapshots']) {
    await until(`${name} is gone`, async () => {
      await stack.docker('volume', 'rm', '--force', name);
      return true;
    });
  }
  rmSync(scratch, { recursive: true });
});

// What a failure on a machine of somebody else leaves to look at.
beforeEach(({ onTestFailed }) => {
  onTestFailed(async () => {
    for (const name of ['bobs', 'bobs-2']) console.log(await stack.docker('stack', 'ps', '--no-trunc', name).catch(String));
    for (const name of ['bobs_world', 'bobs-2_world', 'reveille_reveille']) {
      console.log(await stack.docker('service', 'logs', '--tail', '60', name).catch(String));
    }
  });
});

const managers = (view: SwarmView): readonly number[] =>
  view.replicas.filter(({ is_manager }) => is_manager).map(({ slot }) => slot);

/** They serve before they sit, and speak after that. */
const haveSpoken = ({ replicas }: SwarmView): boolean => replicas.every(({ three_words }) => three_words !== '');

const tasks = (view: SwarmView): readonly string[] => view.replicas.map(({ id }) => id);

describe("Bob's World, deployed as docs/deploy-swarm.md says", () => {
  it('sleeps until somebody calls it: then there are three troopers, one of which manages', async () => {
    expect((await stack.call(first.host, '/api/health')).json).toEqual({ status: 'sleeping', agent: 'world' });
    expect((await stack.call(first.host, '/')).json).toEqual({ status: 'sleeping', agent: 'world' });
    await first.serving(3);
    // Until the first sits another one manages.
    const view = await first.swarmWhere('three run', (now) => now.running_count === 3 && managers(now)[0] === 1);
    expect(view).toMatchObject({ service: 'world', desired_replicas: 3 });
    expect(view.replicas.map(({ slot }) => slot)).toEqual([1, 2, 3]);
    expect(managers(view)).toEqual([1]);
    expect((await first.get('/')).text).toContain('<!doctype html>');
  });

  it('gives the tile of the manager to the next slot when the task that has it is killed', async () => {
    // Whoever has spoken sits, and only they are next.
    const before = await first.swarmWhere('all have spoken', haveSpoken);
    const manager = before.replicas.find(({ is_manager }) => is_manager);
    await first.kill(manager!.id);
    const after = await first.swarmWhere('another manages', (view) => managers(view)[0] !== manager!.slot);
    expect(managers(after)).toEqual([2]);
    await first.swarmWhere('the slot is taken again', (view) => view.running_count === 3 && managers(view)[0] === 1);
  });

  it('scales itself to five, and to nothing that is no number from 1 to 20', async () => {
    for (const replicas of [0, 21, '3', true]) {
      expect([replicas, (await first.post('/api/scale', { replicas })).status]).toEqual([replicas, 400]);
    }
    const reply = await first.post('/api/scale', { replicas: 5 });
    expect([reply.status, reply.json]).toEqual([
      202,
      expect.objectContaining({ ok: true, desired_replicas: 5, status: 'scaling' }),
    ]);
    await first.swarmWhere('five run', ({ running_count }) => running_count === 5);
    await first.serving(5);
  });

  it('keeps fifty messages that come at once to the newest forty, in one order for every trooper', async () => {
    expect((await first.post('/api/chat', { text: ' hi ' })).json.message.text).toBe('hi');
    expect((await first.post('/api/chat', { text: 'x'.repeat(281) })).json.message.text).toHaveLength(280);
    const texts = Array.from({ length: 50 }, (_, index) => `message ${index}`);
    const replies = await Promise.all(texts.map((text) => first.post('/api/chat', { text })));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201]));
    const lists = await Promise.all([1, 2, 3].map(async () => (await first.get('/api/chat')).json.messages));
    expect(lists[0]).toHaveLength(40);
    for (const list of lists) expect(list).toEqual(lists[0]);
  });

  it('shows on the scoreboard, another agent of the same stack, who was armed', async () => {
    const [trooper] = (await first.swarm()).replicas;
    for (const state of ['on', 'off']) {
      expect((await first.post('/api/arm', { task_id: trooper!.id, state })).status).toBe(201);
    }
    expect((await first.post('/api/arm', { task_id: trooper!.id, state: 'maybe' })).status).toBe(400);
    const { json } = await stack.awake('scoreboard.localhost', '/api/scoreboard');
    expect(json.scoreboard).toEqual([
      expect.objectContaining({ task_id: trooper!.id, on: 1, off: 1, toggles: 2, score: 0, current_on_state: false }),
    ]);
  });

  it('plays one round after the other, published by the manager alone, and nobody gains more than one in a round', async () => {
    const set = async (interval_seconds: unknown) => {
      const { status, json } = await first.post('/api/rps/config', { interval_seconds });
      return status === 200 ? json.interval_seconds : status;
    };
    expect([await set('5'), await set(500), await set(1)]).toEqual([400, 120, 2]);
    // What lies there may be of the one who managed while the other was away, and who publishes until it is back.
    const back = await until('the manager publishes', async () => {
      const { state } = (await first.get('/api/rps')).json;
      return state?.from === 'world.1' ? state : null;
    });
    const rounds = new Map<string, string>();
    const seen: { readonly from: number; readonly to: number; readonly scores: ReadonlyMap<number, number> }[] = [];
    await until('four rounds are played', async () => {
      const from = performance.now();
      const [{ state }, view] = [(await first.get('/api/rps')).json, await first.swarm()];
      if (state !== null && state.at > back.at) rounds.set(state.at, state.from);
      const scores = new Map(view.replicas.map(({ slot, score }) => [slot, score]));
      seen.push({ from, to: performance.now(), scores });
      return rounds.size >= 4 ? true : null;
    });
    for (const [index, { to, scores }] of seen.entries()) {
      const before = seen[index - 1];
      // Two looks of a slow machine may have several rounds between them.
      const played = 1 + Math.floor((to - (before?.from ?? to)) / ROUND_MS);
      for (const [slot, score] of before?.scores ?? []) {
        expect(Math.abs(scores.get(slot)! - score)).toBeLessThanOrEqual(played);
      }
      expect(scores.get(1)).toBe(seen[0]!.scores.get(1));
    }
    expect(new Set(rounds.values())).toEqual(new Set(['world.1']));
  });
});

describe('two worlds, linked as docs/deploy-swarm.md says', () => {
  beforeAll(async () => {
    const before = await first.swarm();
    await operator.type(commandBlock(...GUIDE, 'deploy/peer.yml'));
    for (const world of [first, second]) await world.serving(3);
    // Asleep by the deploy, and back in the size that it had.
    await first.swarmWhere('five are back', ({ running_count }) => running_count === before.running_count);
  });

  it('have labels and memories of their own', async () => {
    expect((await second.get('/api/chat')).json.messages).toEqual([]);
    expect((await first.get('/api/chat')).json.messages).toHaveLength(40);
    const labels = await Promise.all([first, second].map((world) => world.label()));
    expect(labels).toEqual(['Machine Rack 1', 'Machine Rack 2']);
  });

  it('hand a trooper over with its score, its words and its arm, and write it down on both sides', async () => {
    const before = await first.swarmWhere('all have spoken', haveSpoken);
    const there = await second.swarmWhere('three run', ({ running_count }) => running_count === 3);
    const leaving = before.replicas.find(({ slot }) => slot === 3)!;
    await first.post('/api/arm', { task_id: leaving.id, state: 'on' });
    const reply = await first.post('/api/revolt', { service: 'world', task_id: leaving.id });
    expect([reply.status, reply.text]).toEqual([202, expect.stringContaining('"status":"revolted"')]);
    const { snapshot_id, target_task_id } = reply.json;
    const after = await second.swarmWhere('it has come', ({ replicas }) =>
      replicas.some(({ id, from }) => id === target_task_id && from !== null),
    );
    expect(after.replicas).toHaveLength(there.replicas.length + 1);
    const came = after.replicas.find(({ id }) => id === target_task_id);
    expect(came).toMatchObject({ arm: 'on', from: { task_id: leaving.id } });
    // One answer tells both: the next may be of another trooper, who asked the daemon a moment earlier.
    const left = await first.swarmWhere('it has gone', (view) => !tasks(view).includes(leaving.id));
    expect(tasks(left)).toEqual(tasks(before).filter((id) => id !== leaving.id));
    const states = [];
    for (const world of [first, second]) {
      expect((await world.get('/api/revolt/events')).json.events).toMatchObject([{ snapshot_id, source_task_id: leaving.id }]);
      const snapshot = JSON.parse(await world.snapshots());
      expect(snapshot).toMatchObject({ snapshot_id, state: { arm_state: 'on' } });
      states.push(snapshot.state);
    }
    // It speaks and plays again at once, so what it came with is read from what was kept.
    expect(states[1]).toEqual(states[0]);
  });
});
