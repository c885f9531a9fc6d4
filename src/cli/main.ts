#!/usr/bin/env node
import { EXIT } from '../contract/problems.ts';
import { systemClock } from '../system/clock.ts';
import { run } from './run.ts';
import type { Terminal } from './terminal.ts';

/** bin `reveille`: gives the command line a terminal, and leaves with its exit code. */
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

// npm only warns of `engines`, and an older Node ends in a stack trace of a module that it does not have.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 9)) {
  process.stderr.write(`reveille: Node.js 24.9 or newer is needed, and this is ${process.versions.node}\n`);
  process.exit(EXIT.failed);
}

process.exitCode = await run(process.argv.slice(2), terminal);
