import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Observation, Task, Workload } from '../../src/ports/engine.ts';
import { readProcess } from '../../src/process/proc.ts';
import { RECORD_FILE, type RecordedTask } from '../../src/process/record.ts';
import { millisOf } from '../../src/std/time.ts';
import { type Rig, type RigOptions, makeRig, output, script, workload } from './rig.ts';

const STAY = 'setInterval(() => undefined, 1000);';
const DEAF = `process.on('SIGTERM', () => console.log('heard')); console.log('up'); ${STAY}`;
const POLITE = `process.on('SIGTERM', () => { console.log('bye'); process.exit(0); }); console.log('up'); ${STAY}`;

async function opened(options: RigOptions = {}): Promise<Rig> {
  const rig = makeRig(options);
  onTestFinished(rig.dispose);
  await rig.engine.open(rig.watcher);
  return rig;
}

async function observed({ watcher }: Rig, holds: (observation: Observation) => boolean): Promise<Observation> {
  const latest = (): Observation | null => watcher.latest('kai');
  await watcher.until(() => latest() !== null && holds(latest()!));
  return latest()!;
}

const isGone = ({ tasks }: Observation): boolean => tasks.length === 0;
const isRunning = ({ tasks }: Observation): boolean => tasks.some(({ state }) => state === 'running');
const alive = (pid: number): boolean => readProcess(pid)?.live ?? false;
const entries = ({ stateDir }: Rig): readonly RecordedTask[] =>
  (JSON.parse(readFileSync(join(stateDir, RECORD_FILE), 'utf8')) as { tasks: RecordedTask[] }).tasks;

/** Declares and starts kai, and waits until it runs. */
async function started(rig: Rig, work: Workload): Promise<Task> {
  rig.engine.declare(work);
  await rig.engine.scale('kai', 1);
  const [task] = (await observed(rig, isRunning)).tasks;
  return task!;
}

describe('ending a task', () => {
  test('D: one that ignores SIGTERM is killed once its grace is over', async () => {
    const rig = await opened({ stopGrace: millisOf(100) });
    await started(rig, workload(script(DEAF)));
    await output(rig.log, 'up');
    await rig.engine.scale('kai', 0);
    await output(rig.log, 'heard');
    expect(await observed(rig, isGone)).toEqual({ wanted: 0, tasks: [], converging: false, lastExit: null });
    expect(entries(rig)).toEqual([]);
  });

  test('one that is stopped is woken to hear SIGTERM', async () => {
    const rig = await opened({ stopGrace: millisOf(60_000) });
    await started(rig, workload(script(POLITE)));
    await output(rig.log, 'up');
    process.kill(entries(rig)[0]?.pid ?? 0, 'SIGSTOP');
    await rig.engine.scale('kai', 0);
    await observed(rig, isGone);
    await output(rig.log, 'bye');
  });

  for (const { where, detached } of [
    { where: 'in its group', detached: false },
    { where: 'in a session of its own', detached: true },
  ]) {
    test(`it is listed until a grandchild ${where} has ended too`, async () => {
      const family = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['--eval', ${JSON.stringify(DEAF)}], { detached: ${String(detached)}, stdio: ['ignore', 'pipe', 'ignore'] });
      child.stdout.once('data', () => console.log('grandchild', child.pid));
      process.on('SIGTERM', () => process.exit(0));`;
      const rig = await opened({ stopGrace: millisOf(60_000) });
      const task = await started(rig, workload(script(family)));
      const grandchild = Number((await output(rig.log, 'grandchild')).split(' ')[1]);
      await rig.engine.scale('kai', 0);
      await rig.log.line(({ message, facts }) => message === 'task ended' && facts['task'] === task.id);
      expect(rig.watcher.latest('kai')?.tasks.map(({ id, state }) => [id, state])).toEqual([[task.id, 'ending']]);
      expect(alive(grandchild)).toBe(true);
      process.kill(grandchild, 'SIGKILL');
      await observed(rig, isGone);
    });
  }

  test('what a task that ended by itself leaves behind is ended before it is gone', async () => {
    const rig = await opened({ stopGrace: millisOf(50) });
    await started(rig, workload(['sh', '-c', 'sleep 1000 & echo child $!; exit 4']));
    const child = Number((await output(rig.log, 'child')).split(' ')[1]);
    const after = await observed(rig, isGone);
    expect(after).toMatchObject({ converging: false, lastExit: 'exit code 4' });
    expect(alive(child)).toBe(false);
  });

  test('K: close ends every task, hurries when it is called again, and leaves no guardian', async () => {
    const rig = await opened({ stopGrace: millisOf(60_000) });
    await started(rig, workload(script(DEAF)));
    await output(rig.log, 'up');
    const pid = entries(rig)[0]?.pid ?? 0;
    const guardian = rig.engine.guardianPid ?? 0;
    expect([pid, guardian].map(alive)).toEqual([true, true]);
    const closing = rig.engine.close(60_000);
    await output(rig.log, 'heard');
    await rig.engine.close(0);
    await closing;
    expect([pid, guardian].map(alive)).toEqual([false, false]);
    expect(entries(rig)).toEqual([]);
  });
});

describe('starting a task', () => {
  test('it is told where to listen and who it is, and inherits hardly anything else', async () => {
    const environment = { PATH: '/usr/bin:/bin', HOME: '/home/kai', LC_ALL: 'C', ADMIN_PASSWORD: 'secret', REVEILLE_OWNER: 'x' };
    const rig = await opened({ environment });
    const print = script(`console.log(JSON.stringify({ ...process.env, REVEILLE_TOKEN: process.env.REVEILLE_TOKEN.length }))`);
    const task = await started(rig, workload(print, { env: { GREETING: 'hello', PORT: '1' } }));
    const { REVEILLE_OWNER: owner, ...env } = JSON.parse(await output(rig.log, '{')) as Record<string, unknown>;
    expect(owner).toMatch(/^[0-9a-f]{32}$/);
    expect(env).toEqual({
      PATH: '/usr/bin:/bin',
      HOME: '/home/kai',
      LC_ALL: 'C',
      GREETING: 'hello',
      PORT: String(task.address?.port),
      HOST: '127.0.0.1',
      REVEILLE_URL: 'http://127.0.0.1:9180',
      REVEILLE_AGENT: 'kai',
      REVEILLE_TOKEN: 'kai-token'.length,
      REVEILLE_TASK_ID: task.id,
      REVEILLE_TASK_SLOT: '1',
      REVEILLE_TASK_NAME: 'kai.1',
    });
  });

  test('a bare `node` is the Node that runs the daemon, whatever PATH says', async () => {
    const rig = await opened({ environment: { PATH: '' } });
    await started(rig, workload(script('console.log(process.execPath, process.version)')));
    expect(await output(rig.log, process.execPath)).toBe(`${process.execPath} ${process.version}`);
  });

  test('a fixed port is what PORT says, and the address', async () => {
    const rig = await opened();
    const fixed = workload(script('console.log(`port ${process.env.PORT}`)'));
    const task = await started(rig, {
      ...fixed,
      process: { ...fixed.process!, port: 29_999 },
    });
    expect(task.address).toEqual({ host: '127.0.0.1', port: 29_999 });
    await output(rig.log, 'port 29999');
  });

  for (const { what, command, cwd, says } of [
    { what: 'a command that is not there', command: ['no-such-command'], cwd: tmpdir(), says: '"no-such-command" is not there' },
    { what: 'a file that is not executable', command: ['./engine.test.ts'], cwd: import.meta.dirname, says: 'not executable' },
    { what: 'a working directory that is gone', command: ['node'], cwd: '/no/such/place', says: '/no/such/place is not there' },
    {
      what: 'a working directory that is a file',
      command: ['node'],
      cwd: '/proc/version',
      says: '/proc/version is not a directory',
    },
    {
      what: 'a working directory of which nothing can be learnt',
      command: ['node'],
      cwd: `/${'x'.repeat(300)}`,
      says: 'cannot be entered (ENAMETOOLONG)',
    },
  ]) {
    test(`${what} is refused, and nothing is changed`, async () => {
      const rig = await opened();
      const work = workload(command);
      rig.engine.declare({ ...work, process: { ...work.process!, cwd } });
      const refused = rig.engine.scale('kai', 1);
      await expect(refused).rejects.toMatchObject({ name: 'EngineError', code: 'refused' });
      await expect(refused).rejects.toThrow(says);
      expect(await rig.engine.observe('kai')).toEqual({ wanted: 0, tasks: [], converging: false, lastExit: null });
    });
  }

  test('what fails only in the attempt is observed as a task that ended by itself', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'reveille-program-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
    });
    writeFileSync(join(folder, 'program'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const rig = await opened();
    rig.engine.declare(workload([join(folder, 'program')]));
    await rig.engine.scale('kai', 1);
    const after = await observed(rig, ({ lastExit, tasks }) => lastExit !== null && tasks.length === 0);
    expect(after).toMatchObject({ wanted: 1, converging: false });
    expect(after.lastExit).toContain('could not be started: ');
    expect(after.lastExit).toContain('ENOENT');
    expect(entries(rig)).toEqual([]);
  });

  test('an always-on agent that cannot be started is tried again, and a new declaration tries at once', async () => {
    const rig = await opened({ speed: 100 });
    rig.engine.declare(workload(['no-such-command'], { policy: 'always-on' }));
    const tries = (): number => rig.log.lines.filter(({ message }) => message === 'task could not be started').length;
    await rig.watcher.until(() => tries() >= 3);
    expect((await rig.engine.observe('kai')).converging).toBe(true);
    rig.engine.declare(workload(script(POLITE), { policy: 'always-on' }));
    await observed(rig, isRunning);
  });

  test('a state_dir that cannot be written starts nothing, and does again when it can', async () => {
    const rig = await opened();
    rig.engine.declare(workload(script(POLITE)));
    const obstacle = join(rig.stateDir, `${RECORD_FILE}.new`);
    mkdirSync(join(obstacle, 'full'), { recursive: true });
    const refused = rig.engine.scale('kai', 1);
    await expect(refused).rejects.toMatchObject({ name: 'EngineError', code: 'refused' });
    await expect(refused).rejects.toThrow(`${RECORD_FILE} cannot be written`);
    expect(rig.log.lines.filter(({ message }) => message === 'task started')).toEqual([]);
    rmSync(obstacle, { recursive: true });
    await rig.engine.scale('kai', 1);
    await observed(rig, isRunning);
  });

  test('K: an engine that is closed while it opens starts nothing, not even its guardian', async () => {
    const rig = makeRig();
    onTestFinished(rig.dispose);
    const opening = rig.engine.open(rig.watcher);
    await rig.engine.close(0);
    await expect(opening).rejects.toMatchObject({ name: 'EngineError', code: 'unavailable' });
    expect(rig.engine.guardianPid).toBeNull();
  });

  test('an engine whose state_dir cannot be written refuses to open', async () => {
    const rig = makeRig();
    onTestFinished(rig.dispose);
    mkdirSync(join(rig.stateDir, RECORD_FILE));
    await expect(rig.engine.open(rig.watcher)).rejects.toMatchObject({ name: 'EngineError', code: 'refused' });
  });
});

describe('a task that ends by itself', () => {
  test('says why: its exit code and its last words, without its token', async () => {
    const rig = await opened();
    await started(rig, workload(['sh', '-c', 'echo first >&2; echo "cannot use $REVEILLE_TOKEN" >&2; exit 3']));
    const after = await observed(rig, ({ lastExit }) => lastExit !== null);
    expect(after).toMatchObject({ wanted: 1, converging: false, lastExit: 'exit code 3: cannot use [token]' });
    expect(JSON.stringify(rig.log.lines)).not.toContain('kai-token');
  });

  test('an on-demand agent stays down once its last task has ended, though another was to be replaced', async () => {
    // So slow that no replacement is due before the test is over.
    const rig = await opened({ speed: 0.01 });
    rig.engine.declare(workload(script(`process.once('SIGUSR2', () => process.exit(5)); console.log('up'); ${STAY}`)));
    await rig.engine.scale('kai', 2);
    const { tasks } = await observed(rig, (each) => each.tasks.filter(({ state }) => state === 'running').length === 2);
    for (const task of tasks) await output(rig.log, 'up', task);
    const [first, second] = entries(rig).map(({ pid }) => pid ?? 0);
    process.kill(first ?? 0, 'SIGUSR2');
    expect(await observed(rig, (each) => each.tasks.length === 1)).toMatchObject({ wanted: 2, converging: true });
    process.kill(second ?? 0, 'SIGUSR2');
    expect(await observed(rig, isGone)).toEqual({ wanted: 2, tasks: [], converging: false, lastExit: 'exit code 5' });
  });

  test('its replacement comes into its slot, though a lower one has become free', async () => {
    const rig = await opened();
    rig.engine.declare(workload(script(`console.log('up'); ${STAY}`)));
    await rig.engine.scale('kai', 3);
    const { tasks } = await observed(rig, (each) => each.tasks.filter(({ state }) => state === 'running').length === 3);
    const idOf = (slot: number): string => tasks.find((task) => task.slot === slot)?.id ?? '';
    process.kill(entries(rig).find(({ task }) => task === idOf(3))?.pid ?? 0, 'SIGKILL');
    await observed(rig, ({ lastExit }) => lastExit !== null);
    await rig.engine.endTask('kai', idOf(2), { replace: false });
    const after = await observed(rig, (each) => each.tasks.length === 2 && each.tasks.every(({ state }) => state === 'running'));
    expect(after.tasks.map(({ slot }) => slot)).toEqual([1, 3]);
  });

  test('says which signal ended it', async () => {
    const rig = await opened();
    await started(rig, workload(['sh', '-c', 'kill -s KILL $$']));
    expect((await observed(rig, ({ lastExit }) => lastExit !== null)).lastExit).toBe('signal SIGKILL');
  });
});
