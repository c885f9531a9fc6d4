import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bootId, readProcess } from '../../src/process/proc.ts';
import { RECORD_FILE, type RecordedTask } from '../../src/process/record.ts';
import { millisOf } from '../../src/std/time.ts';
import { type Rig, type RigOptions, makeRig } from './rig.ts';

interface Family {
  readonly leader: number;
  readonly inGroup: number;
  readonly apart: number;
  readonly guardian: number;
}

const alive = (pid: number): boolean => readProcess(pid)?.live ?? false;

/** They are not our children: nobody tells us of their end, so we look. */
async function gone(...pids: readonly number[]): Promise<void> {
  while (pids.some(alive)) await sleep(5);
}

function rig(options: RigOptions = {}): Rig {
  const made = makeRig(options);
  onTestFinished(made.dispose);
  return made;
}

async function daemon(
  stateDir: string,
  ...more: readonly string[]
): Promise<{ readonly process: ChildProcess; readonly family: Family }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'daemon.ts'), stateDir, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const family = JSON.parse(String(said)) as Family;
  onTestFinished(() => {
    for (const pid of [family.leader, family.inGroup, family.apart]) if (alive(pid)) process.kill(pid, 'SIGKILL');
  });
  return { process: child, family };
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** A process that is none of ours. */
function stranger(env: Record<string, string> = {}): number {
  const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env: { PATH: process.env['PATH'] ?? '', ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child.pid ?? 0;
}

function recorded(stateDir: string, tasks: readonly Partial<RecordedTask>[], owner = 'ab'.repeat(16)): void {
  const whole = tasks.map((task) => ({ agent: 'kai', task: 't1', pid: null, start: null, boot: bootId(), ...task }));
  writeFileSync(join(stateDir, RECORD_FILE), JSON.stringify({ version: 1, owner, tasks: whole }));
}

describe('no orphan is left', () => {
  test('K: the guardian ends the groups of a daemon killed by kill -9, and then itself', async () => {
    const { stateDir } = rig();
    const { process: child, family } = await daemon(stateDir);
    expect([family.leader, family.inGroup, family.apart, family.guardian].map(alive)).toEqual([true, true, true, true]);
    await killed(child);
    await gone(family.leader, family.inGroup, family.guardian);
  });

  test('K: what has left its group is ended by the next start, though its leader is gone', async () => {
    const { stateDir } = rig();
    const { process: child, family } = await daemon(stateDir);
    await killed(child);
    await gone(family.guardian);
    expect(alive(family.apart)).toBe(true);
    const next = rig({ stateDir, stopGrace: millisOf(50) });
    await next.engine.open(next.watcher);
    expect(alive(family.apart)).toBe(false);
  });

  test('K: with the guardian killed too, the next start ends everything, also what is stopped, and says so', async () => {
    const { stateDir } = rig();
    const { process: child, family } = await daemon(stateDir);
    process.kill(family.guardian, 'SIGKILL');
    process.kill(family.leader, 'SIGSTOP');
    await killed(child);
    expect([family.leader, family.inGroup, family.apart].map(alive)).toEqual([true, true, true]);
    const next = rig({ stateDir, stopGrace: millisOf(50) });
    await next.engine.open(next.watcher);
    expect([family.leader, family.inGroup, family.apart].map(alive)).toEqual([false, false, false]);
    const lines = next.log.lines.filter(({ message }) => message === 'ending what an earlier daemon left running');
    expect(new Set(lines.map(({ facts }) => facts['pid']))).toEqual(new Set([family.leader, family.inGroup, family.apart]));
    expect(lines.find(({ facts }) => facts['pid'] === family.leader)?.facts).toMatchObject({ agent: 'kai' });
    expect(JSON.parse(readFileSync(join(stateDir, RECORD_FILE), 'utf8'))).toMatchObject({ tasks: [] });
  });

  test('K: a frozen agent whose daemon is killed is ended by the guardian, and gets to say goodbye', async () => {
    const { stateDir } = rig();
    const farewell = join(stateDir, 'farewell');
    const { process: child, family } = await daemon(stateDir, farewell);
    expect(readProcess(family.leader)?.stopped).toBe(true);
    await killed(child);
    await gone(family.leader, family.guardian);
    expect(existsSync(farewell)).toBe(true);
  });

  test('K: a frozen agent whose daemon and guardian are killed is ended by the next start, and gets to say goodbye', async () => {
    const { stateDir } = rig();
    const farewell = join(stateDir, 'farewell');
    const { process: child, family } = await daemon(stateDir, farewell);
    process.kill(family.guardian, 'SIGKILL');
    await gone(family.guardian);
    await killed(child);
    expect(readProcess(family.leader)?.stopped).toBe(true);
    const next = rig({ stateDir });
    await next.engine.open(next.watcher);
    expect([alive(family.leader), existsSync(farewell)]).toEqual([false, true]);
  });

  test('K: a process that only has the pid of a recorded one is not touched', async () => {
    const { stateDir, engine, watcher, log } = rig();
    const pid = stranger();
    const start = readProcess(pid)?.start ?? '';
    recorded(stateDir, [
      { task: 't1', pid, start: String(Number(start) - 1) },
      { task: 't2', pid, start, boot: 'another boot' },
      { task: 't3', pid, start: null },
      { task: 't4', pid: null },
    ]);
    await engine.open(watcher);
    expect(alive(pid)).toBe(true);
    expect(log.lines.filter(({ level }) => level !== 'debug')).toEqual([]);
  });

  test('K: only the owner mark of this very state_dir makes a process ours', async () => {
    const { stateDir, engine, watcher } = rig({ stopGrace: millisOf(50) });
    const owner = 'cd'.repeat(16);
    const other = stranger({ REVEILLE_OWNER: 'ef'.repeat(16) });
    const ours = stranger({ REVEILLE_OWNER: owner });
    recorded(stateDir, [], owner);
    await engine.open(watcher);
    expect([other, ours].map(alive)).toEqual([true, false]);
  });

  test('a record that makes no sense is begun anew, and never leads to a signal', async () => {
    const { stateDir, engine, watcher } = rig();
    recorded(stateDir, [{ pid: 1 }, { pid: 0 }, { pid: -1 }, { pid: 1.5 }, { pid: Number.MAX_SAFE_INTEGER + 1 }]);
    await engine.open(watcher);
    await engine.close(0);
    writeFileSync(join(stateDir, RECORD_FILE), '{ half of');
    const next = rig({ stateDir });
    await next.engine.open(next.watcher);
    expect(JSON.parse(readFileSync(join(stateDir, RECORD_FILE), 'utf8'))).toMatchObject({ version: 1, tasks: [] });
  });
});
