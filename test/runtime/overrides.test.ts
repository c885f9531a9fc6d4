import { describe, expect, it, onTestFinished } from 'vitest';
import type { KeptState } from '../../src/contract/events.ts';
import { millisOf, wallTimeOf } from '../../src/std/time.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { type House, codeOf, house } from './harness.ts';

const SWARM = { name: 'swarm' } as const;
const HOUR = 3_600_000;

const keep = (open: House, state: KeptState, after: number | null = null, name = 'kai'): string =>
  codeOf(open.control.keep(name, state, after === null ? null : wallTimeOf(open.clock.wall() + after)));
const overrideOf = (open: House, name = 'kai'): unknown => {
  const view = open.control.agent(name);
  return view.ok ? view.value.override : 'no such agent';
};
const facts = (open: House): unknown[] =>
  open
    .eventsOf('agent.kept', 'agent.released')
    .map(({ type, agent, state, reason, until }) =>
      [
        type.replace('agent.', ''),
        agent,
        state,
        ...(reason === undefined ? [] : [reason]),
        ...(until === undefined ? [] : [until]),
      ].join(' '),
    );

describe('an agent that is kept asleep', () => {
  it('Q: goes to sleep as soon as it is quiet, and is not woken by whoever calls', async () => {
    const open = await house();
    await open.ready();
    const work = open.admitted();
    expect(keep(open, 'asleep')).toBe('ok');
    await open.clock.advance(5000);
    expect(open.state()).toBe('ready');
    work.end();
    await open.clock.advance(20_000);
    expect(open.state()).toBe('sleeping');
    for (let each = 0; each < 3; each += 1) {
      expect(open.ask()).toMatchObject({ kind: 'refused', problem: 'kept-asleep' });
      await open.clock.advance(HOUR);
    }
    expect(open.state()).toBe('sleeping');
    expect(open.eventsOf('agent.starting')).toHaveLength(1);
  });

  it('is not woken by an operator either, who is told why and what to do', async () => {
    const open = await house();
    keep(open, 'asleep', 8 * HOUR);
    const refused = open.control.wake('kai');
    expect(refused).toMatchObject({
      ok: false,
      failure: { problem: 'override-in-place', detail: 'kai is kept asleep until 2026-01-01T08:00:00.000Z' },
    });
    expect(codeOf(await open.control.wakeAndWait('kai', millisOf(1000), new AbortController().signal))).toBe('override-in-place');
    expect(codeOf(open.control.sleep('kai', { force: true }))).toBe('ok');
    expect(codeOf(open.control.release('kai'))).toBe('ok');
    await open.ready();
  });
});

describe('an agent that is kept awake', () => {
  it('is woken, does not sleep however idle it is, and is not put to sleep by an operator', async () => {
    const open = await house({ agents: { kai: { idle: { timeout: '1m' } } } });
    expect(keep(open, 'awake')).toBe('ok');
    await open.clock.advance(5000);
    expect(open.state()).toBe('ready');
    await open.clock.advance(24 * HOUR);
    expect(open.state()).toBe('ready');
    for (const force of [false, true]) expect(codeOf(open.control.sleep('kai', { force }))).toBe('override-in-place');
    expect(open.state()).toBe('ready');
    open.control.release('kai');
    await open.clock.advance(120_000);
    expect(open.state()).toBe('sleeping');
  });

  it('Q: is started again after its tasks have ended by themselves', async () => {
    const open = await house();
    keep(open, 'awake');
    await open.clock.advance(5000);
    open.engine.exit('kai');
    await open.clock.advance(60_000);
    expect(open.state()).toBe('ready');
    expect(open.eventsOf('agent.ready').length).toBeGreaterThan(1);
  });
});

describe('an override', () => {
  it('is shown with since and until, told of, and the same again changes nothing', async () => {
    const open = await house();
    keep(open, 'asleep');
    expect(overrideOf(open)).toEqual({ state: 'asleep', since: '2026-01-01T00:00:00.000Z' });
    await open.clock.advance(1000);
    keep(open, 'asleep');
    keep(open, 'asleep', HOUR);
    expect(overrideOf(open)).toEqual({
      state: 'asleep',
      since: '2026-01-01T00:00:00.000Z',
      until: '2026-01-01T01:00:01.000Z',
    });
    keep(open, 'awake');
    expect(overrideOf(open)).toEqual({ state: 'awake', since: '2026-01-01T00:00:01.000Z' });
    open.control.release('kai');
    open.control.release('kai');
    expect(overrideOf(open)).toBeUndefined();
    await open.clock.settle();
    expect(facts(open)).toEqual([
      'kept kai asleep',
      'kept kai asleep 2026-01-01T01:00:01.000Z',
      'kept kai awake',
      'released kai awake lifted',
    ]);
  });

  it('is for on-demand agents that there are, and for a time to come', async () => {
    const open = await house({
      agents: { kai: {}, always: { policy: 'always-on' }, files: { policy: 'unmanaged', backend: 'http://127.0.0.1:1' } },
    });
    expect(keep(open, 'awake', null, 'nobody')).toBe('unknown-agent');
    expect(keep(open, 'awake', null, 'always')).toBe('not-on-demand');
    expect(keep(open, 'awake', null, 'files')).toBe('not-on-demand');
    expect(codeOf(open.control.release('nobody'))).toBe('unknown-agent');
    expect(keep(open, 'awake', 0)).toBe('invalid-body');
    expect(keep(open, 'awake', -HOUR)).toBe('invalid-body');
    expect(keep(open, 'awake', 1)).toBe('ok');
    expect(open.store.overrides()).toHaveLength(1);
  });

  it('is lifted by itself when its time has come, the sooner of two first', async () => {
    const open = await house({ agents: { kai: {}, eve: {} } });
    keep(open, 'asleep', 30 * HOUR, 'kai');
    keep(open, 'asleep', 2 * HOUR, 'eve');
    await open.clock.advance(2 * HOUR - 1);
    expect([overrideOf(open, 'eve'), overrideOf(open, 'kai')]).not.toContain(undefined);
    await open.clock.advance(1);
    expect(overrideOf(open, 'eve')).toBeUndefined();
    expect(codeOf(open.control.wake('eve'))).toBe('ok');
    await open.clock.advance(28 * HOUR);
    expect(overrideOf(open, 'kai')).toBeUndefined();
    expect(open.store.overrides()).toEqual([]);
    expect(facts(open).slice(2)).toEqual(['released eve asleep until', 'released kai asleep until']);
  });

  it('ends by the clock on the wall: set forward it ends within the hour, set back it lasts', async () => {
    const forward = await house();
    keep(forward, 'asleep', 48 * HOUR);
    forward.clock.stepWall(47 * HOUR);
    await forward.clock.advance(HOUR);
    expect(overrideOf(forward)).toBeUndefined();
    const back = await house();
    keep(back, 'asleep', HOUR / 2);
    back.clock.stepWall(-24 * HOUR);
    await back.clock.advance(24 * HOUR);
    expect(overrideOf(back)).toBeDefined();
    await back.clock.advance(HOUR / 2);
    expect(overrideOf(back)).toBeUndefined();
  });

  it('outlives reloads and the daemon; what has ended meanwhile is lifted at the start', async () => {
    const first = await house({ agents: { kai: {}, eve: {}, ada: {} }, engine: SWARM });
    keep(first, 'asleep', null, 'kai');
    keep(first, 'awake', 3 * HOUR, 'eve');
    keep(first, 'asleep', HOUR, 'ada');
    await first.clock.advance(5000);
    await first.reload({ kai: { idle: { timeout: '5m' } }, eve: {}, ada: {} });
    const shown = ['kai', 'eve'].map((name) => overrideOf(first, name));
    expect(shown).not.toContain(undefined);
    const second = first.killed();
    await second.clock.advance(2 * HOUR);
    await second.open();
    onTestFinished(() => second.close());
    expect(['kai', 'eve'].map((name) => overrideOf(second, name))).toEqual(shown);
    expect(overrideOf(second, 'ada')).toBeUndefined();
    expect(facts(second)).toEqual(['released ada asleep until']);
    expect(second.ask()).toMatchObject({ problem: 'kept-asleep' });
    await second.clock.advance(600_000);
    expect([second.state('kai'), second.state('eve')]).toEqual(['sleeping', 'ready']);
    await second.clock.advance(HOUR);
    expect(overrideOf(second, 'eve')).toBeUndefined();
  });

  it('ends with its agent, and when that is not on-demand any more', async () => {
    const open = await house({ agents: { kai: {}, eve: {} } });
    keep(open, 'asleep', null, 'kai');
    keep(open, 'asleep', null, 'eve');
    await open.reload({ eve: { policy: 'always-on' } });
    expect(open.store.overrides()).toEqual([]);
    await open.reload({ kai: {}, eve: {} });
    expect([overrideOf(open, 'kai'), overrideOf(open, 'eve')]).toEqual([undefined, undefined]);
    expect(facts(open).slice(2)).toEqual(['released kai asleep config', 'released eve asleep config']);
    await open.ready('kai');
  });

  it('of an agent that went while no daemon ran is gone too', async () => {
    const store = new MemoryStore();
    store.putOverride({ agent: 'gone', state: 'awake', since: wallTimeOf(1), until: null });
    store.putLastActivity('gone', wallTimeOf(2));
    await house({ store });
    expect([store.overrides(), store.lastActivity('gone')]).toEqual([[], null]);
  });

  it('that cannot be kept is refused, and nothing has changed; one that has ended ends all the same', async () => {
    const open = await house();
    open.store.full = true;
    expect(keep(open, 'asleep')).toBe('state-failed');
    expect(overrideOf(open)).toBeUndefined();
    open.store.full = false;
    keep(open, 'asleep', HOUR);
    open.store.full = true;
    expect(codeOf(open.control.release('kai'))).toBe('state-failed');
    expect(overrideOf(open)).toBeDefined();
    await open.clock.advance(HOUR);
    expect(overrideOf(open)).toBeUndefined();
    expect(open.log.lines.map(({ message }) => message)).toContain('an override that has ended is still on disk');
  });
});
