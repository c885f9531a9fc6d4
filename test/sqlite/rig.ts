import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const NOBODY = 65_534;

/** A directory of the test's own, removed when it is over. */
export function scratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'reveille-sqlite-'));
  onTestFinished(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

/** Runs `work` as somebody who may not write to `path`: root would not be stopped by its mode. */
export function withoutWriting<T>(path: string, work: () => T): T {
  chmodSync(path, 0o555);
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid?.(NOBODY);
  try {
    return work();
  } finally {
    if (root) process.seteuid?.(0);
    chmodSync(path, 0o700);
  }
}
