import { describe, expect, test } from 'vitest';
import { type Store, STARTS_KEPT, type StoredRoute } from '../../src/ports/store.ts';
import { millisOf, wallTimeOf } from '../../src/std/time.ts';

/** What the runtime relies on in a store, whatever it is made of. `open` gives an empty one. */
export function storeSuite(name: string, open: () => Store): void {
  const route = (hostname: string, parts: Partial<StoredRoute> = {}): StoredRoute => ({
    ...{ hostname, agent: 'kai', task: 't1', port: 3000, createdAt: wallTimeOf(1_700_000_000_123.5), expiresAt: null },
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
  });
}
