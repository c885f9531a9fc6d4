import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

/** Global set-up of the suite: both programs are there afterwards, or one sentence says what to do. */
const PROGRAMS = ['prometheus', 'promtool'] as const;
/** Debian asks this program before it starts the service of a package; 101 means no (invoke-rc.d(8)). */
const POLICY = '/usr/sbin/policy-rc.d';

const missing = (): readonly string[] =>
  PROGRAMS.filter((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status !== 0);

export function setup(): void {
  const mayInstall =
    process.env['REVEILLE_TEST_INSTALL'] !== '0' && process.getuid?.() === 0 && existsSync('/etc/debian_version');
  if (missing().length > 0 && mayInstall) install();
  const lacking = missing();
  if (lacking.length === 0) return;
  const error = new Error(
    `This suite needs ${lacking.join(' and ')}: install the package prometheus, as root on Debian that happens by itself, ` +
      'or run what needs only Node with `npm run test:unit`.',
  );
  error.stack = '';
  throw error;
}

function install(): void {
  console.log('installing prometheus from the packages of this system; REVEILLE_TEST_INSTALL=0 forbids it');
  const hadPolicy = existsSync(POLICY);
  if (!hadPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    for (const args of [['update'], ['install', '--yes', '--no-install-recommends', 'prometheus']])
      spawnSync('apt-get', ['--quiet', ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
        timeout: 280_000,
      });
  } finally {
    if (!hadPolicy) rmSync(POLICY);
  }
}
