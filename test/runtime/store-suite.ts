import { describe, expect, test } from 'vitest';
import { EVENTS_BATCH, EVENTS_KEPT, type Store, STARTS_KEPT, type StoredRoute } from '../../src/ports/store.ts';
import { millisOf, wallTimeOf } from '../../src/std/time.ts';

/** What the runtime relies on in a store, whatever it is made of. `open` gives an empty one. */
export function storeSuite(name: string, open: () => Store): void {
  const route = (hostname: string, parts: Partial<StoredRoute> = {}): StoredRoute => ({
    ...{ hostname, agent: 'kai', task: 't1', port: 3000, createdAt: wallTimeOf(1_700_000_000_123.5), expiresAt: null },
    leftMs: null,
    ...parts,
  });

  describe(name, () => {
    test('lists routes by hostname, puts one in the place of the last, and deletes also what is not there', () => {
      const store = open();
      store.putRoute(route('c.test'));
      store.putRoute(route('b.test', { expiresAt: wallTimeOf(1_700_000_600_000) }));
      store.putRoute(route('a.test'));
      store.putRoute(route('a.test', { port: 2, task: 't2' }));
      store.deleteRoutes(['c.test', 'never.test']);
      expect(store.routes()).toEqual([
        route('a.test', { port: 2, task: 't2' }),
        route('b.test', { expiresAt: wallTimeOf(1_700_000_600_000) }),
      ]);
    });

    test('keeps what is left of a ttl whose clock stands still', () => {
      const store = open();
      const frozen = route('a.test', { expiresAt: wallTimeOf(1_700_000_600_000), leftMs: millisOf(1234.5) });
      store.putRoute(frozen);
      expect(store.routes()).toEqual([frozen]);
    });

    test('keeps the body of an agent as it was when it was put, by name', () => {
      const store = open();
      const body = { name: 'zed', nested: ['ä', null] };
      store.putAgent({ name: 'zed', body, createdAt: wallTimeOf(5) });
      store.putAgent({ name: 'eve', body: {}, createdAt: wallTimeOf(6) });
      store.putAgent({ name: 'old', body: {}, createdAt: wallTimeOf(7) });
      store.deleteAgent('old');
      store.deleteAgent('never');
      body.nested.push('later');
      expect(store.agents()).toEqual([
        { name: 'eve', body: {}, createdAt: 6 },
        { name: 'zed', body: { name: 'zed', nested: ['ä', null] }, createdAt: 5 },
      ]);
    });

    test('keeps the latest starts of each agent, newest last, and no more', () => {
      const store = open();
      for (let took = 1; took <= STARTS_KEPT + 5; took += 1) store.addStart('kai', millisOf(took));
      store.addStart('eve', millisOf(7.5));
      expect(store.starts('kai')).toEqual(Array.from({ length: STARTS_KEPT }, (_, index) => index + 6));
      expect(store.starts('eve')).toEqual([7.5]);
      expect(store.starts('nobody')).toEqual([]);
    });

    test('keeps the last activity of each agent', () => {
      const store = open();
      store.putLastActivity('kai', wallTimeOf(1_700_000_000_000));
      store.putLastActivity('kai', wallTimeOf(1_700_000_000_123.5));
      store.putLastActivity('eve', wallTimeOf(5));
      expect([store.lastActivity('kai'), store.lastActivity('eve'), store.lastActivity('nobody')]).toEqual([
        1_700_000_000_123.5,
        5,
        null,
      ]);
    });

    test('keeps one override an agent, by agent', () => {
      const store = open();
      const kai = { agent: 'kai', state: 'asleep', since: wallTimeOf(1.5), until: null } as const;
      const eve = { agent: 'eve', state: 'awake', since: wallTimeOf(2), until: wallTimeOf(3.5) } as const;
      store.putOverride(kai);
      store.putOverride({ ...eve, state: 'asleep', until: null });
      store.putOverride(eve);
      store.putOverride({ ...eve, agent: 'ada' });
      store.deleteOverride('ada');
      store.deleteOverride('never');
      expect(store.overrides()).toEqual([eve, kai]);
    });

    test('forgets all of an agent that is deleted, and of those that are not named any more', () => {
      const store = open();
      const names = ['ada', 'eve', 'kai', 'zed'];
      for (const name of names) {
        store.putAgent({ name, body: {}, createdAt: wallTimeOf(1) });
        store.addStart(name, millisOf(2));
        store.putLastActivity(name, wallTimeOf(3));
        store.putOverride({ agent: name, state: 'awake', since: wallTimeOf(4), until: null });
      }
      const remembered = (): readonly (readonly string[])[] => [
        store.agents().map(({ name }) => name),
        names.filter((name) => store.starts(name).length > 0),
        names.filter((name) => store.lastActivity(name) !== null),
        store.overrides().map(({ agent }) => agent),
      ];
      store.deleteAgent('kai');
      expect(remembered()).toEqual(Array.from({ length: 4 }, () => ['ada', 'eve', 'zed']));
      store.forgetAllBut(['zed', 'ada', 'never']);
      expect(remembered()).toEqual([['ada', 'eve', 'zed'], ...Array.from({ length: 3 }, () => ['ada', 'zed'])]);
    });

    test('gives events back as they were, from any of them on, and not more than asked for', () => {
      const store = open();
      expect([store.lastEventId(), store.eventsAfter(0, 10)]).toEqual([0, []]);
      const event = (id: number) => ({ id, body: { id, type: 'agent.ready', facts: ['ä', null] } });
      // One write had failed.
      for (const id of [1, 2, 4, 5]) store.addEvent(event(id));
      expect(store.lastEventId()).toBe(5);
      expect(store.eventsAfter(0, 10)).toEqual([1, 2, 4, 5].map(event));
      expect(store.eventsAfter(1, 2)).toEqual([2, 4].map(event));
      expect(store.eventsAfter(3, 2)).toEqual([4, 5].map(event));
      expect(store.eventsAfter(5, 2)).toEqual([]);
    });

    test('keeps the newest events, and not many more', () => {
      const store = open();
      const first = 1_000_000;
      const last = first + EVENTS_KEPT + 3 * EVENTS_BATCH;
      for (let id = first; id <= last; id += 1) store.addEvent({ id, body: {} });
      const [oldest, ...others] = store.eventsAfter(0, last).map(({ id }) => id);
      expect(others.at(-1)).toBe(last);
      expect(others.length + 1).toBeGreaterThanOrEqual(EVENTS_KEPT);
      expect(others.length + 1).toBeLessThan(EVENTS_KEPT + EVENTS_BATCH);
      expect(oldest).toBe(last - others.length);
    });
  });
}
