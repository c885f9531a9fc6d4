import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Observation, Task } from '../../src/ports/engine.ts';
import { readProcess } from '../../src/process/proc.ts';
import { type Rig, type RigOptions, makeRig, output, script, workload } from './rig.ts';

/** SIGSTOP and SIGCONT: what the contract of all engines (test/engine/contract.ts) cannot say. */
const STAY = 'setInterval(() => undefined, 1000);';
const POLITE = `process.on('SIGTERM', () => { console.log('bye'); process.exit(0); }); console.log('pid', process.pid); ${STAY}`;
const PARENT = `
  const { spawn } = require('node:child_process');
  const child = (detached) => spawn(process.execPath, ['--eval', ${JSON.stringify(STAY)}], { detached, stdio: 'ignore' }).pid;
  console.log('pids', process.pid, child(false), child(true));
  ${STAY}
`;

async function started(
  source: string,
  replicas = 1,
  options: RigOptions = {},
): Promise<Rig & { readonly tasks: readonly Task[] }> {
  const rig = makeRig(options);
  onTestFinished(rig.dispose);
  await rig.engine.open(rig.watcher);
  rig.engine.declare(workload(script(source)));
  await rig.engine.scale('kai', replicas);
  const { tasks } = await observed(rig, (each) => each.tasks.filter(({ state }) => state === 'running').length === replicas);
  for (const task of tasks) await output(rig.log, 'pid', task);
  return { ...rig, tasks };
}

async function observed({ watcher }: Rig, holds: (observation: Observation) => boolean): Promise<Observation> {
  await watcher.until(() => watcher.latest('kai') !== null && holds(watcher.latest('kai')!));
  return watcher.latest('kai')!;
}

const pidsOf = async ({ log }: Rig, task: Task): Promise<readonly number[]> =>
  (await output(log, 'pid', task)).split(' ').slice(1).map(Number);
const stopped = (pid: number): boolean | undefined => readProcess(pid)?.stopped;

describe('freezing processes', () => {
  test('stops the whole group, its leader before it resolves, and what has left the group goes on', async () => {
    const rig = await started(PARENT);
    const pids = await pidsOf(rig, rig.tasks[0]!);
    const [leader = 0, inGroup = 0] = pids;
    await rig.engine.freeze('kai');
    expect(stopped(leader)).toBe(true);
    // The signal was sent to all of them at once; nobody tells when each has taken it.
    while (stopped(inGroup) === false) await sleep(1);
    expect(pids.map(stopped)).toEqual([true, true, false]);
    await rig.engine.thaw('kai');
    expect(pids.map(stopped)).toEqual([false, false, false]);
  });

  test('a task that does not stop keeps the others from being frozen', async () => {
    const rig = await started(POLITE, 3, { speed: 20 });
    const pids = await Promise.all(rig.tasks.map(async (task) => (await pidsOf(rig, task))[0] ?? 0));
    const stubborn = pids[1] ?? 0;
    const kill = process.kill.bind(process);
    // Stands for a process that waits for its disk: the signal is sent, and nothing comes of it.
    vi.spyOn(process, 'kill').mockImplementation((pid, name) =>
      pid === -stubborn && name === 'SIGSTOP' ? true : kill(pid, name),
    );
    onTestFinished(() => void vi.restoreAllMocks());
    await expect(rig.engine.freeze('kai')).rejects.toMatchObject({
      name: 'EngineError',
      code: 'unavailable',
      message: `kai cannot be frozen: process ${stubborn} does not stop: it waits for its disk, or is not ours to signal`,
    });
    expect(pids.map(stopped)).toEqual([false, false, false]);
    expect((await rig.engine.observe('kai')).tasks.map((task) => task.frozen)).toEqual([false, false, false]);
    vi.restoreAllMocks();
    await rig.engine.freeze('kai');
    expect(pids.map(stopped)).toEqual([true, true, true]);
  });

  test('a frozen task that is killed by somebody else is observed as one that ended by itself', async () => {
    const rig = await started(POLITE);
    const [pid = 0] = await pidsOf(rig, rig.tasks[0]!);
    await rig.engine.freeze('kai');
    process.kill(pid, 'SIGKILL');
    const after = await observed(rig, ({ tasks }) => tasks.length === 0);
    expect(after).toEqual({ wanted: 1, tasks: [], converging: false, lastExit: 'signal SIGKILL' });
    await rig.engine.thaw('kai');
  });

  test('frozen tasks get to say goodbye when they are ended, and are ended by close', async () => {
    const rig = await started(POLITE, 2);
    await rig.engine.freeze('kai');
    await rig.engine.endTask('kai', rig.tasks[1]!.id, { replace: false });
    await observed(rig, ({ tasks }) => tasks.length === 1);
    await rig.engine.close(60_000);
    // Said in its handler of SIGTERM; without that it would have ended by the signal.
    const ends = rig.log.lines.flatMap(({ message, facts }) => (message === 'task ended' ? [facts['reason']] : []));
    expect(ends).toEqual(['exit code 0', 'exit code 0']);
    const [pid = 0] = await pidsOf(rig, rig.tasks[0]!);
    expect(readProcess(pid)?.live ?? false).toBe(false);
  });

  test('a scale to 0 while a freeze is under way ends what it stops', async () => {
    const rig = await started(POLITE);
    const freezing = rig.engine.freeze('kai');
    await rig.engine.scale('kai', 0);
    await freezing;
    await observed(rig, ({ tasks }) => tasks.length === 0);
  });

  test('nothing of another group is signalled', async () => {
    const bystander = spawn('sleep', ['1000'], { stdio: 'ignore' });
    onTestFinished(() => void bystander.kill('SIGKILL'));
    await once(bystander, 'spawn');
    const rig = await started(POLITE);
    await rig.engine.freeze('kai');
    expect(stopped(bystander.pid ?? 0)).toBe(false);
  });
});
