import { existsSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where a test may have the trooper die, at a named step and once: it puts a file of that name into the directory that
 * REVOLT_CRASH_DIR names. Without the variable, and in every real world, nothing happens.
 */
const DIRECTORY = process.env['REVOLT_CRASH_DIR'] ?? '';

export function point(name: string): void {
  if (DIRECTORY === '') return;
  const file = join(DIRECTORY, name);
  if (!existsSync(file)) return;
  try {
    unlinkSync(file);
  } catch {
    // Another task was faster, and dies for it.
    return;
  }
  process.kill(process.pid, 'SIGKILL');
}
