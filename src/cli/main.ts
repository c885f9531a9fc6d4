#!/usr/bin/env node
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

process.exitCode = await run(process.argv.slice(2), terminal);
