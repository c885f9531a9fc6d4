import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { acquireLock } from '../../src/sqlite/lock.ts';
import { scratch, withoutWriting } from './rig.ts';

async function holder(stateDir: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'holder.ts'), stateDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(String(said)).toBe('written\n');
  return child;
}

describe('the lock on state_dir', () => {
  test('is taken once: a second daemon is refused and told who has it', async () => {
    const stateDir = scratch();
    const child = await holder(stateDir);
    const refused = acquireLock(stateDir);
    expect(refused).toMatchObject({ ok: false, failure: { kind: 'in-use', pid: child.pid } });
    expect(refused.ok ? '' : refused.failure.detail).toBe(
      `state_dir ${stateDir} is in use by the daemon with pid ${String(child.pid)}; stop that one first, or give this one a state_dir of its own`,
    );
  });

  test('is free again the moment its holder is killed', async () => {
    const stateDir = scratch();
    const child = await holder(stateDir);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const taken = acquireLock(stateDir);
    expect(taken.ok).toBe(true);
    if (taken.ok) taken.value.release();
  });

  test('holds within one process too, and until it is released', () => {
    const stateDir = join(scratch(), 'made', 'on', 'the', 'way');
    const first = acquireLock(stateDir);
    expect(statSync(stateDir).mode & 0o777).toBe(0o700);
    expect(statSync(join(stateDir, 'lock')).mode & 0o777).toBe(0o600);
    expect(acquireLock(stateDir)).toMatchObject({ ok: false, failure: { kind: 'in-use', pid: process.pid } });
    if (first.ok) first.value.release();
    if (first.ok) first.value.release();
    expect(existsSync(join(stateDir, 'daemon.pid'))).toBe(false);
    const second = acquireLock(stateDir);
    expect(second.ok).toBe(true);
    if (second.ok) second.value.release();
  });

  test('says so when the directory cannot be written to, or is none', () => {
    const stateDir = scratch();
    const refused = withoutWriting(stateDir, () => acquireLock(stateDir));
    expect(refused).toMatchObject({ ok: false, failure: { kind: 'unusable' } });
    expect(refused.ok ? '' : refused.failure.detail).toContain(stateDir);
    const file = join(stateDir, 'file');
    writeFileSync(file, '');
    expect(acquireLock(file)).toMatchObject({ ok: false, failure: { kind: 'unusable' } });
  });

  test('names the file, the cause and what to do about it', () => {
    const said = (stateDir: string): string => {
      const refused = acquireLock(stateDir);
      return refused.ok || refused.failure.kind !== 'unusable' ? 'taken' : refused.failure.detail;
    };
    const file = join(scratch(), 'file');
    writeFileSync(file, '');
    expect(said(file)).toMatch(new RegExp(`^state_dir ${file} cannot be used: EEXIST.*\\. Something else has that name: `));
    const directory = scratch();
    mkdirSync(join(directory, 'lock'));
    expect(said(directory)).toMatch(new RegExp(`^${directory}/lock cannot be used: unable to open.*\\. It must be a file `));
    const foreign = scratch();
    writeFileSync(join(foreign, 'lock'), 'Once upon a time there was a lock. '.repeat(100));
    expect(said(foreign)).toMatch(new RegExp(`^${foreign}/lock is not our lock\\. Move it away`));
  });
});
