#!/usr/bin/env -S node --max-semi-space-size=16
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
import type { Terminal } from './terminal.ts';

/**
 * bin `reveille`: gives the command line a terminal, and leaves with its exit code.
 *
 * With the flag above, which package.json and deploy/ repeat, what is young on node's heap has at most 48 MB. On a large machine it
 * would be 200, of which a proxy under load touches all sooner or later, and which it never needs.
 */

// npm only warns of `engines`, and an older Node ends in a stack trace of a module that it does not have.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 9)) {
  process.stderr.write(`reveille: Node.js 24.9 or newer is needed, and this is ${process.versions.node}\n`);
  process.exit(1);
}

// A quarter of a start, and a tenth of the memory at rest, is reading sources that have been read before. Beside the code and
// not in the system's temporary directory, where others may write: what is kept there is run. Where it cannot be kept, it is not.
enableCompileCache(join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'reveille-compiled'));
const { run } = await import('./run.ts');
const { systemClock } = await import('../system/clock.ts');
const { after, millisOf } = await import('../std/time.ts');
// It is written at the end of a process, and a daemon may be killed before.
systemClock.alarm(after(systemClock.now(), millisOf(5000)), flushCompileCache);

const terminal: Terminal = {
  env: process.env,
  clock: systemClock,
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  onInterrupt: (stop) => {
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  },
};

// `reveille events | head -1`: whoever read has what it wanted. Nobody is left to tell anything to.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}

process.exitCode = await run(process.argv.slice(2), terminal);
