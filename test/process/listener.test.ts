import { describe, expect, onTestFinished, test } from 'vitest';
import type { Observation, Task, Workload } from '../../src/ports/engine.ts';
import { holderOf, parseSocket } from '../../src/process/listener.ts';
import { type Rig, type RigOptions, freePort, listenOn, makeRig, output, script, workload } from './rig.ts';

const STAY = 'setInterval(() => undefined, 1000);';
const listens = (host: string): string =>
  `require('node:net').createServer().listen({ port: Number(process.env.PORT), host: ${JSON.stringify(host)} }, () => console.log('listening'));`;

async function opened(options: RigOptions = {}): Promise<Rig> {
  const rig = makeRig(options);
  onTestFinished(rig.dispose);
  await rig.engine.open(rig.watcher);
  return rig;
}

async function observed({ watcher }: Rig, holds: (observation: Observation) => boolean): Promise<Observation> {
  await watcher.until(() => watcher.latest('kai') !== null && holds(watcher.latest('kai')!));
  return watcher.latest('kai')!;
}

async function started(rig: Rig, work: Workload): Promise<Task> {
  rig.engine.declare(work);
  if (work.policy === 'on-demand') await rig.engine.scale('kai', 1);
  const { tasks } = await observed(rig, (each) => each.tasks.some(({ state }) => state === 'running'));
  return tasks[0]!;
}

const portOf = ({ address }: Task): number => address?.port ?? 0;
const fixedTo = (port: number, command: readonly string[]): Workload => {
  const work = workload(command);
  return { ...work, process: { ...work.process!, port } };
};

describe('whose socket listens', () => {
  test('H: before the task listens it is nobody, and then the task', async () => {
    const rig = await opened();
    const wait = `process.once('SIGUSR2', () => { ${listens('127.0.0.1')} }); console.log('up', process.pid); ${STAY}`;
    const task = await started(rig, workload(script(wait)));
    const pid = Number((await output(rig.log, 'up')).split(' ')[1]);
    expect(rig.engine.checkListener('kai', task.id)).toBe('nobody');
    process.kill(pid, 'SIGUSR2');
    await output(rig.log, 'listening');
    expect(rig.engine.checkListener('kai', task.id)).toBe('task');
    expect(rig.engine.checkListener('kai', 'another')).toBe('nobody');
    expect(rig.engine.checkListener('eve', task.id)).toBe('nobody');
  });

  for (const host of ['0.0.0.0', '::']) {
    test(`H: a task that listens on ${host} is found as well as a stranger who does`, async () => {
      const rig = await opened();
      const task = await started(rig, workload(script(listens(host))));
      await output(rig.log, 'listening');
      expect(rig.engine.checkListener('kai', task.id)).toBe('task');
      const stranger = await listenOn(0, host);
      expect(holderOf('127.0.0.1', stranger, () => [])).toBe('stranger');
      expect(holderOf('127.0.0.1', stranger, () => [process.pid])).toBe('family');
    });
  }

  for (const { where, detached } of [
    { where: 'in its group', detached: false },
    { where: 'in a session of its own', detached: true },
  ]) {
    test(`H: what a grandchild ${where} listens on is the task's`, async () => {
      const family = `
        require('node:child_process').spawn(process.execPath, ['--eval', ${JSON.stringify(listens('127.0.0.1'))}], { detached: ${String(detached)}, stdio: 'inherit' });
        ${STAY}`;
      const rig = await opened();
      const task = await started(rig, workload(script(family)));
      await output(rig.log, 'listening');
      expect(rig.engine.checkListener('kai', task.id)).toBe('task');
    });
  }

  test('H: an always-on agent whose port was taken comes back on another one', async () => {
    const rig = await opened({ speed: 10 });
    const task = await started(rig, workload(script(STAY), { policy: 'always-on' }));
    await listenOn(portOf(task));
    expect(rig.engine.checkListener('kai', task.id)).toBe('stranger');
    const after = await observed(rig, ({ tasks }) => tasks.some(({ id, state }) => id !== task.id && state === 'running'));
    expect(portOf(after.tasks[0]!)).not.toBe(portOf(task));
    expect(after.lastExit).toBe(`port ${portOf(task)} was taken by another process`);
  });

  test('H: a fixed port on which somebody listens already starts nothing; whoever listens there later is the agent', async () => {
    const rig = await opened();
    const taken = await listenOn();
    rig.engine.declare(fixedTo(taken, script(STAY)));
    await rig.engine.scale('kai', 1);
    const failed = await observed(rig, ({ lastExit, tasks }) => lastExit !== null && tasks.length === 0);
    expect(failed.lastExit).toBe(`could not be started: port ${taken} is taken by another process`);
    const free = await freePort();
    const task = await started(rig, fixedTo(free, script(STAY)));
    await listenOn(free);
    expect(rig.engine.checkListener('kai', task.id)).toBe('task');
  });

  test('where the kernel cannot say, whoever answers is the task, and that is said once', async () => {
    const rig = await opened({ host: 'localhost' });
    const task = await started(rig, workload(script(STAY)));
    expect([1, 2].map(() => rig.engine.checkListener('kai', task.id))).toEqual(['task', 'task']);
    expect(rig.log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      'cannot see who listens on a port; whoever answers there is taken for the agent',
    ]);
  });

  test('a line of /proc/net/tcp counts only where it is a socket that listens', () => {
    const rest = '00000000:00000000 00:00000000 00000000  1000        0 934963 1 0000000000000000 100 0 0 10 0';
    expect(parseSocket(`   0: 0100007F:4FBC 00000000:0000 0A ${rest}`)).toEqual({
      address: '0100007F',
      port: 20_412,
      inode: '934963',
    });
    expect(parseSocket(`   1: 0100007F:4FBC 0100007F:8000 01 ${rest}`)).toBeNull();
    expect(
      parseSocket('  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'),
    ).toBeNull();
    expect(parseSocket('')).toBeNull();
  });
});
