import { expect, onTestFinished, test } from 'vitest';
import { StoreError } from '../../src/ports/store.ts';
import { openStore } from '../../src/sqlite/store.ts';
import { wallTimeOf } from '../../src/std/time.ts';
import { scratch } from '../sqlite/rig.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { storeSuite } from './store-suite.ts';

storeSuite('the store in memory', () => new MemoryStore());

storeSuite('the store on SQLite', () => {
  const store = openStore(scratch());
  if (!store.ok) throw new Error(store.failure.detail);
  onTestFinished(() => {
    store.value.close();
  });
  return store.value;
});

test('the store in memory refuses every write while it is full, and has changed nothing', () => {
  const store = new MemoryStore();
  store.putAgent({ name: 'kai', body: {}, createdAt: wallTimeOf(1) });
  store.full = true;
  expect(() => {
    store.deleteAgent('kai');
  }).toThrow(StoreError);
  store.full = false;
  expect(store.agents()).toHaveLength(1);
});
