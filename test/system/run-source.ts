import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/**
 * Runs a Node of its own on a piece of source that may import from `./src/...`. Resolves with what it wrote to stdout, which
 * is a pipe unless a file is named; fails when it ended other than with 0.
 */
export async function runSource(source: string, stdoutFile: string | null = null): Promise<string> {
  const stdout = stdoutFile === null ? 'pipe' : openSync(stdoutFile, 'w');
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', source], {
    cwd: ROOT,
    stdio: ['ignore', stdout, 'inherit'],
  });
  if (stdout !== 'pipe') closeSync(stdout);
  const written: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => written.push(chunk));
  const code = await new Promise((resolve) => child.on('close', resolve));
  const text = Buffer.concat(written).toString();
  if (code !== 0) throw new Error(`ended with ${String(code)}: ${text}`);
  return text;
}
