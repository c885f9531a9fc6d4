import { describe, expect, test } from 'vitest';
import { POLICY, ready } from '../core/lifecycle-parts.ts';
import { type Contender, Capacity } from '../../src/runtime/capacity.ts';
import { millisOf } from '../../src/std/time.ts';
import { SimClock } from '../support/sim-clock.ts';
import { type House, type HouseOptions, house } from './harness.ts';

/** Places for one unless it is said otherwise. */
const idle = { timeout: '10m', min_awake: '5s' };
const crowd = (max: number, agents: HouseOptions['agents'] = { ada: { idle }, bob: { idle }, cyd: { idle } }): Promise<House> =>
  house({ agents, file: { max_ready_agents: max } });
const never = new AbortController().signal;

describe('P: a wake over the cap', () => {
  test('puts the one to sleep that was used longest ago, and starts once it is gone', async () => {
    const open = await crowd(2);
    await open.ready('ada');
    await open.ready('bob');
    open.admitted('ada.test').end();
    await open.clock.advance(6000);
    const waiting = open.waits('cyd.test');
    expect([open.state('ada'), open.state('bob'), open.state('cyd')]).toEqual(['ready', 'stopping', 'sleeping']);
    await open.clock.advance(5000);
    expect(waiting.word).toBe('admitted');
    expect(open.eventsOf('agent.sleep')).toMatchObject([{ agent: 'bob', reason: 'evicted' }]);
  });

  test('goes by what an earlier daemon knew of the last use', async () => {
    const before = await house({
      agents: { ada: { idle }, bob: { idle }, cyd: { idle } },
      file: { max_ready_agents: 2 },
      engine: { name: 'swarm' },
    });
    for (const name of ['ada', 'bob']) await before.ready(name);
    before.admitted('bob.test').end();
    await before.clock.advance(60_000);
    before.admitted('ada.test').end();
    await before.clock.advance(60_000);
    const open = before.killed();
    await open.open();
    await open.clock.advance(10_000);
    open.waits('cyd.test');
    expect([open.state('ada'), open.state('bob')]).toEqual(['ready', 'stopping']);
    await open.close();
  });

  test('is refused with an honest Retry-After where nobody may go, and not remembered', async () => {
    const open = await crowd(1);
    await open.ready('ada');
    await open.clock.advance(2000);
    expect(open.ask('bob.test')).toEqual({ kind: 'refused', problem: 'capacity', retryAfterSeconds: 3 + 3 });
    expect(open.runner('bob').state).toMatchObject({ name: 'sleeping', wake: null, seeking: null });
    await open.clock.advance(3000);
    expect(open.ask('bob.test')).toMatchObject({ kind: 'asleep' });
    expect(open.state('ada')).toBe('stopping');
  });

  test('waits with those who are held, until hold.max_wait, and is dropped when the last of them leaves', async () => {
    const open = await crowd(1, { ada: { idle }, bob: { idle, hold: { max_wait: '20s' } } });
    await open.ready('ada');
    const work = open.admitted('ada.test');
    const first = open.waits('bob.test');
    await open.clock.advance(20_000);
    expect(first.word).toBe('wake-timeout');
    const second = open.waits('bob.test');
    expect(open.control.agent('bob')).toMatchObject({ ok: true, value: { waits_for: 'place', held: 1 } });
    second.leave();
    expect(open.runner('bob').state).toMatchObject({ wake: null, seeking: null });
    work.end();
    await open.clock.advance(10_000);
    expect(open.state('ada')).toBe('ready');
  });

  test('is not made for one who cannot be held either', async () => {
    const open = await house({
      agents: { ada: { idle }, bob: { idle } },
      file: { max_ready_agents: 1, hold_max_requests: 1 },
    });
    await open.ready('ada');
    const work = open.admitted('ada.test');
    const other = open.waits('bob.test');
    expect(open.waits('bob.test').word).toBe('hold-queue-full');
    other.leave();
    expect(open.runner('bob').state).toMatchObject({ wake: null, seeking: null });
    work.end();
  });

  test('is called off for the evicted by a request, and the next in line goes', async () => {
    const open = await crowd(1, { ada: { idle: { ...idle, freeze_after: '10s' } }, bob: { idle } });
    await open.ready('ada');
    await open.clock.advance(11_000);
    expect(open.state('ada')).toBe('frozen');
    const bob = open.waits('bob.test');
    const ada = open.waits('ada.test');
    await open.clock.advance(1000);
    expect([ada.word, bob.word]).toEqual(['admitted', 'held']);
    ada.work.end();
    await open.clock.advance(10_000);
    expect(bob.word).toBe('admitted');
  });
});

describe("P: an operator's wake without a place", () => {
  test('is refused, and with a wait it waits for one, for longer than hold.max_wait', async () => {
    const open = await crowd(1, { ada: { idle }, bob: { idle, hold: { max_wait: '10s' } } });
    await open.ready('ada');
    const work = open.admitted('ada.test');
    expect(open.control.wake('bob')).toMatchObject({ ok: false, failure: { problem: 'capacity', retryAfterSeconds: 10 } });
    const waiting = open.control.wakeAndWait('bob', millisOf(120_000), never);
    await open.clock.advance(60_000);
    work.end();
    expect(await open.drive(waiting)).toMatchObject({ ok: true });
    expect(open.state('ada')).toBe('sleeping');
  });

  test('says what it waited for when the time is over', async () => {
    const open = await crowd(1);
    await open.ready('ada');
    open.admitted('ada.test');
    const waiting = open.control.wakeAndWait('bob', millisOf(1000), never);
    const failure = { problem: 'wake-timeout', detail: 'it waits for one of max_ready_agents places' };
    expect(await open.drive(waiting)).toEqual({ ok: false, failure });
  });
});

describe('P: a reload', () => {
  const agents = { ada: { idle }, bob: { idle }, cyd: { idle } };

  test('that raises the cap, or takes it away, seats who waits', async () => {
    for (const max of [2, 0]) {
      const open = await crowd(1);
      await open.ready('ada');
      open.admitted('ada.test');
      const waiting = open.waits('bob.test');
      await open.reload(agents, { max_ready_agents: max });
      await open.clock.advance(1000);
      expect(waiting.word).toBe('admitted');
    }
  });

  test('that lowers the cap puts nobody to sleep until somebody wants a place', async () => {
    const open = await crowd(3);
    for (const name of ['ada', 'bob']) await open.ready(name);
    await open.clock.advance(6000);
    await open.reload(agents, { max_ready_agents: 1 });
    expect(open.control.health().places).toEqual({ taken: 2, max: 1 });
    expect([open.state('ada'), open.state('bob')]).toEqual(['ready', 'ready']);
    open.waits('cyd.test');
    expect([open.state('ada'), open.state('bob')]).toEqual(['stopping', 'stopping']);
  });

  test('seats nobody by rules that are being replaced', async () => {
    const open = await crowd(1);
    await open.ready('ada');
    open.admitted('ada.test');
    const waiting = open.waits('bob.test');
    await open.reload({ cyd: { idle } }, { max_ready_agents: 1 });
    expect(waiting.word).toBe('asleep');
    expect(open.engine.scales('bob')).toEqual([]);
  });
});

test('P: agents that somebody else scaled take places, and are not put to sleep for the cap alone', async () => {
  const open = await crowd(1);
  open.engine.scaleByHand('ada', 1);
  open.engine.scaleByHand('bob', 1);
  await open.clock.advance(10_000);
  expect([open.state('ada'), open.state('bob')]).toEqual(['ready', 'ready']);
  expect(open.control.health().places).toEqual({ taken: 2, max: 1 });
});

test('P: with a thousand agents, and nobody who seeks a place, an edge of work looks at none of them', () => {
  const capacity = new Capacity(new SimClock());
  capacity.max = 2000;
  let looks = 0;
  const agents = Array.from({ length: 1000 }, (_, index): Contender => {
    const state = ready();
    return {
      name: `agent-${index}`,
      policy: POLICY,
      lastUsed: index,
      closed: false,
      dispatch: () => undefined,
      get state() {
        looks += 1;
        return state;
      },
    };
  });
  for (const agent of agents) capacity.changed(agent);
  looks = 0;
  for (const agent of agents) capacity.changed(agent);
  expect(looks).toBe(2 * agents.length);
});
