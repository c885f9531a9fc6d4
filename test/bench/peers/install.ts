import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { output } from '../measure.ts';

/**
 * The packages from npm that Reveille is measured against. They have a lock file of their own, and are installed where no
 * tool looks that reads this project, and where `npm ci` removes them. Nothing of theirs runs at the installation.
 */
const HERE = import.meta.dirname;
const FILES = ['package.json', 'package-lock.json'] as const;

const lockHash = (): string =>
  createHash('sha256')
    .update(readFileSync(join(HERE, 'package-lock.json')))
    .digest('hex');

export const PACKAGES = join(HERE, '..', '..', '..', 'node_modules', '.cache', 'reveille-bench');

/** Resolves with null, or with why they cannot be had. */
export async function installPackages(): Promise<string | null> {
  const mark = join(PACKAGES, 'installed');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === lockHash()) return null;
  rmSync(PACKAGES, { recursive: true, force: true });
  mkdirSync(PACKAGES, { recursive: true });
  for (const file of FILES) cpSync(join(HERE, file), join(PACKAGES, file));
  try {
    await output([
      'npm',
      'ci',
      '--prefix',
      PACKAGES,
      '--ignore-scripts',
      '--omit=dev',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]);
  } catch (error) {
    return `npm ci failed: ${(error as Error).message.split('\n')[0] ?? ''}`;
  }
  writeFileSync(mark, lockHash());
  return null;
}

export function versionOf(name: string): string {
  const { dependencies } = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return dependencies[name] ?? '';
}

/** Loads as a file beside those packages would. */
export const fromPackages = createRequire(join(PACKAGES, 'package.json'));
