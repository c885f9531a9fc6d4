import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/**
 * Programs that a suite needs of this machine, and the packages that bring them. Only root on Debian gets anything installed,
 * `REVEILLE_TEST_INSTALL=0` forbids it, and no service is started: what we want is the program, not a second Docker or
 * Prometheus that listens on the user's machine.
 */
const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Debian asks this program before it starts the service of a package; 101 means no (invoke-rc.d(8)). */
const POLICY = '/usr/sbin/policy-rc.d';
/** Longer than an installation takes. */
const LOCK_WAIT_S = 600;
const OURS = '#!/bin/sh\n# Stands here only while the tests of Reveille install a package; may be removed.\nexit 101\n';

/** The search path, with the places of programs that only root needs. */
export const searchPath = (): string => [process.env['PATH'] ?? '', ...SBIN].join(delimiter);

export function isInstalled(program: string): boolean {
  return searchPath()
    .split(delimiter)
    .some((directory) => isExecutable(join(directory, program)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

export const mayInstall = (): boolean =>
  process.env['REVEILLE_TEST_INSTALL'] !== '0' && process.getuid?.() === 0 && existsSync('/etc/debian_version');

/** What cannot be installed is not complained of here: who calls looks for its programs again, and says what it lacks. */
export async function installPackages(packages: readonly string[]): Promise<void> {
  console.log(
    `installing ${packages.join(', ')} from the packages of this system, without starting anything; REVEILLE_TEST_INSTALL=0 forbids it`,
  );
  const release = await lock(join(tmpdir(), 'reveille-test-install.lock'), LOCK_WAIT_S);
  try {
    await withoutServices(async () => {
      await apt(['update']);
      await apt(['install', '--yes', '--no-install-recommends', '--no-remove', ...packages]);
    });
  } finally {
    release();
  }
}

/**
 * One at a time on this machine: suites run beside each other, apt does not, and the policy below is one file for all. The lock
 * goes with the process, so one that is killed leaves nothing to clean up (flock(1)). Resolves to what gives it back.
 */
export async function lock(file: string, waitSeconds: number): Promise<() => void> {
  const command = ['--wait', String(waitSeconds), file, 'sh', '-c', 'echo held; exec cat'];
  const holder = spawn('flock', command, { stdio: ['pipe', 'pipe', 'inherit'] });
  const held = await Promise.race([once(holder.stdout, 'data').then(() => true), once(holder, 'exit').then(() => false)]);
  if (!held) throw new Error(`another run has not given ${file} back within ${waitSeconds} s`);
  return () => holder.stdin.end();
}

async function apt(args: readonly string[]): Promise<void> {
  const child = spawn('apt-get', ['--quiet', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    // Out of reach of Ctrl-C: a package that is half installed would be our mess on somebody's machine.
    detached: true,
  });
  await once(child, 'exit');
}

/** Puts back whatever policy there was. One of ours that a killed run has left counts as none. */
async function withoutServices(install: () => Promise<void>): Promise<void> {
  const found = existsSync(POLICY) ? { text: readFileSync(POLICY, 'utf8'), mode: statSync(POLICY).mode & 0o7777 } : null;
  const before = found?.text === OURS ? null : found;
  rmSync(POLICY, { force: true });
  writeFileSync(POLICY, OURS, { mode: 0o755 });
  try {
    await install();
  } finally {
    rmSync(POLICY, { force: true });
    if (before !== null) writeFileSync(POLICY, before.text, { mode: before.mode });
  }
}
