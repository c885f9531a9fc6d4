import { acquireLock } from '../../src/sqlite/lock.ts';
import { openStore } from '../../src/sqlite/store.ts';
import { wallTimeOf } from '../../src/std/time.ts';

/** A process that holds the lock of the directory it is given, writes one route, says so, and waits to be killed. */
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
process.stdout.write('written\n');
process.stdin.resume();
