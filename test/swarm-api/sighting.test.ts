import { describe, expect, it } from 'vitest';
import type { Observation } from '../../src/ports/engine.ts';
import { type Knowledge, type Listing, isOver, liveIn, sightingOf, slotsLeftEmpty } from '../../src/swarm/sighting.ts';
import { knowledge, node, service, task, workload } from './listing.ts';

/** What Swarm lists, in the words of the port: every state that a task can have, under every state that is wanted of it. */
const UNDER_WAY = ['new', 'pending', 'assigned', 'accepted', 'preparing', 'ready', 'starting'];
const OVER = ['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned'];
const STAYING = ['running', 'ready'];

const seen = (listing: Listing, known: Partial<Knowledge> = {}): Observation => sightingOf(listing, knowledge(known)).observation;
const states = (listing: Listing, known: Partial<Knowledge> = {}): readonly string[] =>
  seen(listing, known).tasks.map(({ state }) => state);
const one = (state: string, desired: string): Listing => ({ service: service(1), tasks: [task({ state, desired })] });

describe('a task is shown', () => {
  for (const desired of STAYING) {
    it(`as starting until Swarm says that it runs, and as running then, while ${desired} is wanted of it`, () => {
      for (const state of UNDER_WAY) expect([state, states(one(state, desired))]).toEqual([state, ['starting']]);
      expect(states(one('running', desired))).toEqual(['running']);
    });

    it(`as ending when it has ended and ${desired} is still wanted of it: Swarm has not settled yet what follows`, () => {
      for (const state of OVER) expect([state, states(one(state, desired))]).toEqual([state, ['ending']]);
    });
  }

  it('as ending while it is told to end and still runs', () => {
    for (const desired of ['shutdown', 'remove'])
      for (const state of [...UNDER_WAY, 'running'])
        expect([desired, state, states(one(state, desired))]).toEqual([desired, state, ['ending']]);
  });

  it('no more once it is over and was to be, unless Swarm is about to take it off its list: until then it keeps its slot', () => {
    for (const state of OVER) {
      expect([state, states(one(state, 'shutdown'))]).toEqual([state, []]);
      expect([state, states(one(state, 'remove'))]).toEqual([state, ['ending']]);
    }
  });

  it('no more when it was to end on a node that is down, where nobody will ever enter its end', () => {
    const nodes = new Map([['node1', node('node1', { state: 'down' })]]);
    expect(states(one('running', 'shutdown'), { nodes })).toEqual([]);
    expect(states(one('running', 'remove'), { nodes })).toEqual([]);
    expect(states(one('running', 'running'), { nodes })).toEqual(['running']);
  });

  it('as ending once its container is known to have died, before Swarm has entered so', () => {
    expect(states(one('running', 'running'), { died: new Map([['task1', '7']]) })).toEqual(['ending']);
  });

  it('as ending when we are ending it, whatever Swarm wants of it', () => {
    expect(states(one('running', 'running'), { victims: new Set(['task1']) })).toEqual(['ending']);
  });

  it("I: with an address, as starting and not to be dialled, until its container's start event or Swarm's own word", () => {
    const listing = one('starting', 'running');
    const [before] = seen(listing).tasks;
    expect(before).toMatchObject({ state: 'starting', address: { host: '10.0.1.4', port: 8080 } });
    const [after] = seen(listing, { started: new Set(['task1']) }).tasks;
    expect(after).toMatchObject({ state: 'running', address: { host: '10.0.1.4', port: 8080 } });
  });

  it('as starting while it runs and has no address', () => {
    const listing = { service: service(1), tasks: [task({ address: null })] };
    expect(seen(listing).tasks).toMatchObject([{ state: 'starting', address: null }]);
    expect(seen(listing).tasks[0]).not.toHaveProperty('source');
  });

  it('at the host that the config fixes, while its calls still come from its own address', () => {
    const fixed = { ...workload, swarm: { service: 'kai', host: 'lb.internal', port: 9000 } };
    const [shown] = seen(one('running', 'running'), { workload: fixed }).tasks;
    expect(shown).toMatchObject({ address: { host: 'lb.internal', port: 9000 }, source: '10.0.1.4' });
  });

  it('as frozen where its container is paused, and as running then, though Swarm may not have entered so yet', () => {
    const tasks = [task({ id: 'a', slot: 1, state: 'starting' }), task({ id: 'b', slot: 2 })];
    const shown = seen({ service: service(2), tasks }, { frozen: new Set(['a']) }).tasks;
    expect(shown.map(({ state, frozen }) => [state, frozen])).toEqual([
      ['running', true],
      ['running', false],
    ]);
  });

  it('by its slot, its node and when it was made', () => {
    const [shown] = seen({ service: service(2), tasks: [task({ id: 'b', slot: 2 })] }).tasks;
    expect(shown).toMatchObject({ id: 'b', slot: 2, name: 'kai.2', node: 'host of node1', onLeader: true });
    expect(shown?.startedAt).toBe(Date.parse('2026-11-21T04:59:44.592Z'));
  });

  it('by the id of its node where the node is not known', () => {
    const [shown] = seen({ service: service(1), tasks: [task({ node: 'gone' })] }).tasks;
    expect(shown).toMatchObject({ node: 'gone', onLeader: false });
  });

  it('with half of it missing, and nothing is made up', () => {
    const [shown] = seen({ service: service(1), tasks: [{ ID: 'bare' }] }).tasks;
    expect(shown).toEqual({
      id: 'bare',
      slot: 1,
      name: 'kai.1',
      node: '',
      state: 'starting',
      address: null,
      startedAt: 0,
      onLeader: false,
      frozen: false,
    });
  });

  it('in the order of the slots', () => {
    const tasks = [3, 1, 2].map((slot) => task({ id: `task${slot}`, slot }));
    expect(seen({ service: service(3), tasks }).tasks.map(({ slot }) => slot)).toEqual([1, 2, 3]);
    expect(liveIn(tasks, knowledge()).map(({ ID }) => ID)).toEqual(['task1', 'task2', 'task3']);
  });
});

describe('more is to come', () => {
  const converging = (listing: Listing, known: Partial<Knowledge> = {}): boolean => seen(listing, known).converging;

  it('while fewer tasks live than are wanted, and not when as many do', () => {
    expect(converging({ service: service(2), tasks: [task()] })).toBe(true);
    expect(converging({ service: service(1), tasks: [task()] })).toBe(false);
    expect(converging({ service: service(0), tasks: [] })).toBe(false);
  });

  it('while a task is being made', () => {
    expect(converging(one('preparing', 'running'))).toBe(true);
  });

  it('after a task has ended by itself, until Swarm has settled that nobody follows it', () => {
    expect(converging({ service: service(1), tasks: [task({ state: 'failed', desired: 'running' })] })).toBe(true);
    expect(converging({ service: service(1), tasks: [task({ state: 'failed', desired: 'shutdown' })] })).toBe(false);
  });

  it('after an update that was written later than the end: Swarm fills the slot again', () => {
    const ended = task({ state: 'failed', desired: 'shutdown', index: 9 });
    expect(converging({ service: service(1, 10), tasks: [ended] })).toBe(true);
    expect(seen({ service: service(1, 10), tasks: [ended] }).lastExit).toBeNull();
  });

  it('where a task follows in the same slot, however many ended in it', () => {
    const ended = ['a', 'b'].map((id, at) => task({ id, state: 'failed', desired: 'shutdown', index: 20 + at }));
    const follows = task({ id: 'c', state: 'assigned', desired: 'ready', index: 23 });
    expect(converging({ service: service(1), tasks: [...ended, follows] })).toBe(true);
    expect(converging({ service: service(1), tasks: ended })).toBe(false);
  });

  it('and is asked about until nothing is under way', () => {
    const unsettled = (listing: Listing): boolean => sightingOf(listing, knowledge()).unsettled;
    expect(unsettled(one('running', 'running'))).toBe(false);
    expect(unsettled(one('running', 'remove'))).toBe(true);
    expect(unsettled(one('starting', 'running'))).toBe(true);
    expect(unsettled({ service: service(1), tasks: [] })).toBe(true);
    expect(unsettled({ service: service(1), tasks: [task({ state: 'failed', desired: 'shutdown' })] })).toBe(false);
  });
});

describe('why the last task ended', () => {
  const why = (facts: Parameters<typeof task>[0], known: Partial<Knowledge> = {}): string | null =>
    seen({ service: service(1), tasks: [task({ desired: 'shutdown', ...facts })] }, known).lastExit;

  it('is its exit code, and what Swarm said where that says more', () => {
    expect(why({ state: 'complete' })).toBe('exit code 0');
    expect(why({ state: 'failed', exitCode: 7, said: 'task: non-zero exit (7)' })).toBe('exit code 7');
    expect(why({ state: 'failed', said: 'No such container: kai.1.x' })).toBe('exit code 0: No such container: kai.1.x');
    expect(why({ state: 'failed', exitCode: 0 }, { died: new Map([['task1', '137']]) })).toBe('exit code 137');
  });

  it('is what the node said that refused it', () => {
    expect(why({ state: 'rejected', said: 'No such image: nope:1' })).toBe('No such image: nope:1');
    expect(why({ state: 'rejected' })).toBe('its node refused it');
  });

  it('is that its node is gone', () => {
    expect(why({ state: 'orphaned' })).toBe('its node is gone');
  });

  it('is what it waits for, where it finds no place', () => {
    const waits = 'no suitable node (insufficient resources on 1 node)';
    expect(why({ state: 'pending', desired: 'running', said: waits })).toBe(waits);
  });

  it('is nothing where it was told to end, or where we ended it', () => {
    expect(why({ state: 'shutdown' })).toBeNull();
    expect(why({ state: 'complete', desired: 'remove' })).toBeNull();
    expect(why({ state: 'failed' }, { victims: new Set(['task1']) })).toBeNull();
  });

  it('is that of the latest of several', () => {
    const first = task({ id: 'a', state: 'failed', desired: 'shutdown', exitCode: 1, index: 30 });
    const second = task({ id: 'b', state: 'failed', desired: 'shutdown', exitCode: 2, index: 31 });
    for (const tasks of [
      [first, second],
      [second, first],
    ])
      expect(seen({ service: service(1), tasks }).lastExit).toBe('exit code 2');
  });
});

describe('slots that Swarm leaves empty', () => {
  it('are those whose task has ended since the last update and that no other lives in', () => {
    const ended = task({ state: 'complete', desired: 'shutdown' });
    expect(slotsLeftEmpty({ service: service(1), tasks: [ended] }, knowledge())).toBe(1);
    expect(slotsLeftEmpty({ service: service(1, 50), tasks: [ended] }, knowledge())).toBe(0);
    expect(slotsLeftEmpty({ service: service(1), tasks: [ended, task({ id: 'next' })] }, knowledge())).toBe(0);
    expect(slotsLeftEmpty({ service: service(2), tasks: [ended, task({ id: 'next', slot: 2 })] }, knowledge())).toBe(1);
  });

  it('are not those of tasks that it is about to forget', () => {
    const cleared = task({ state: 'shutdown', desired: 'remove' });
    expect(slotsLeftEmpty({ service: service(1), tasks: [cleared] }, knowledge())).toBe(0);
  });
});

it('a service that is not replicated is nothing for an agent on demand, and as many as live for one that is always on', () => {
  const global = { ...service(0), Spec: { ...service(0).Spec, Mode: { Global: {} } } };
  expect(seen({ service: global, tasks: [task()] })).toEqual({
    wanted: 0,
    tasks: [],
    converging: false,
    lastExit: null,
    obstacle: 'service kai is global: only a replicated service can be put to sleep',
  });
  const alwaysOn = { workload: { ...workload, policy: 'always-on' } } as const;
  expect(seen({ service: global, tasks: [task()] }, alwaysOn)).toMatchObject({ wanted: 1, tasks: [{ state: 'running' }] });
});

it('what was told to end is over with its container, however late Swarm enters that', () => {
  const leaving = task({ state: 'running', desired: 'remove' });
  expect(isOver(leaving, knowledge())).toBe(false);
  expect(isOver(leaving, knowledge({ died: new Map([[leaving.ID, '143']]) }))).toBe(true);
});

it('nothing is over of which nobody has said that it is to end', () => {
  for (const state of OVER) expect(isOver(task({ state }), knowledge())).toBe(false);
});
