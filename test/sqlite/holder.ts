import { acquireLock } from '../../src/sqlite/lock.ts';
import { openStore } from '../../src/sqlite/store.ts';
import { millisOf, wallTimeOf } from '../../src/std/time.ts';

/** A process that holds the lock of the directory it is given, writes one of each, says so, and waits to be killed. */
const stateDir = process.argv[2] ?? '';
const lock = acquireLock(stateDir);
const store = openStore(stateDir);
if (!lock.ok || !store.ok) throw new Error('the holder needs a directory of its own');
store.value.putRoute({
  hostname: 'preview.example.com',
  agent: 'kai',
  task: 't1',
  port: 3000,
  createdAt: wallTimeOf(1),
  expiresAt: null,
  leftMs: null,
});
store.value.addStart('kai', millisOf(412));
store.value.putLastActivity('kai', wallTimeOf(2));
store.value.putOverride({ agent: 'kai', state: 'asleep', since: wallTimeOf(3), until: null });
store.value.addEvent({ id: 7, body: { id: 7, type: 'agent.kept' } });
process.stdout.write('written\n');
process.stdin.resume();
