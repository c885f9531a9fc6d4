import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '../../src/ports/engine.ts';
import type { RecordingWatcher } from '../support/recording-watcher.ts';
import { type SwarmRig, swarmRig } from './rig.ts';
import { isStopped } from './stopped.ts';

/** What Docker shows of a frozen agent, and what is left of it when the daemon is not there: the rest is in the contract. */
let rig: SwarmRig;

beforeEach(() => {
  rig = swarmRig();
});
afterEach(() => rig.dispose());

async function started(): Promise<Task> {
  await rig.engine.open(rig.watcher);
  rig.engine.declare(rig.deploy('kai'));
  await rig.engine.scale('kai', 1);
  await rig.watcher.until(() => rig.watcher.latest('kai')?.tasks[0]?.state === 'running');
  return rig.watcher.latest('kai')!.tasks[0]!;
}

const frozen = (watcher: RecordingWatcher): boolean | undefined => watcher.latest('kai')?.tasks[0]?.frozen;

describe('a frozen service', () => {
  it('is shown as paused by Docker, its processes as stopped by the kernel, and as before by Swarm', async () => {
    const task = await started();
    const [container, program] = [await rig.containerOf(task), await rig.programOf(task)];
    await rig.ask(task, '/');
    await rig.engine.freeze('kai');
    const shown = ['inspect', '--format', '{{.State.Paused}} {{.State.Status}}', container];
    expect(await rig.docker(...shown)).toBe('true paused');
    expect(isStopped(program)).toBe(true);
    expect(await rig.docker('service', 'ps', '--format', '{{.DesiredState}} {{.CurrentState}}', 'kai')).toMatch(
      /^Running Running /,
    );
    await rig.engine.thaw('kai');
    expect(await rig.docker(...shown)).toBe('false running');
    expect(isStopped(program)).toBe(false);
    await rig.ask(task, '/');
  });

  it('E: is found frozen by a daemon that starts later, which thaws it; and what somebody does by hand is seen', async () => {
    const task = await started();
    await rig.engine.freeze('kai');
    await rig.engine.close();
    const next = swarmRig();
    try {
      await next.engine.open(next.watcher);
      next.engine.declare(rig.deploy('kai'));
      await next.watcher.until(() => next.watcher.latest('kai') !== null);
      expect(next.watcher.observations[0]?.observation.tasks).toMatchObject([{ id: task.id, state: 'running', frozen: true }]);
      await next.engine.thaw('kai');
      await rig.ask(task, '/');
      await next.watcher.until(() => frozen(next.watcher) === false);
      const container = await rig.containerOf(task);
      await rig.docker('pause', container);
      await next.watcher.until(() => frozen(next.watcher) === true);
      await rig.docker('unpause', container);
      await next.watcher.until(() => frozen(next.watcher) === false);
      expect(next.watcher.latest('kai')?.tasks).toMatchObject([{ id: task.id, state: 'running' }]);
    } finally {
      await next.engine.close();
    }
  });
});
