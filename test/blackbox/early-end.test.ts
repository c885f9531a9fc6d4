import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { it } from '../support/daemon.ts';
import { isAlive } from '../support/marked-processes.ts';

/** As an earlier daemon would have put it down: field 22 of proc(5)'s stat, counted behind the name, which may hold spaces. */
function recorded(pid: number): object {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return { version: 1, owner: 'ab'.repeat(16), tasks: [{ agent: 'kai', task: 't1', pid, start, boot }] };
}

it('K: told to end while it still ends what an earlier daemon left, it finishes that and exits 0', async ({ home }) => {
  const place = home({ agents: { kai: { process: { command: ['node', '--version'] } } } });
  // Says so once it no longer dies of SIGTERM at once, and then takes its time to end.
  const program =
    'process.on("SIGTERM", () => setTimeout(() => process.exit(), 1500)); setInterval(() => {}, 1e6); console.log(1)';
  const leftover = spawn(process.execPath, ['--eval', program], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void leftover.kill('SIGKILL'));
  const over = once(leftover, 'exit');
  await once(leftover.stdout, 'data');
  const pid = leftover.pid ?? 0;
  mkdirSync(place.stateDir, { recursive: true });
  writeFileSync(join(place.stateDir, 'processes.json'), JSON.stringify(recorded(pid)));

  const run = place.run();
  await run.logged('ending what an earlier daemon left running');
  run.signal('SIGTERM');
  expect(await run.exit).toEqual({ code: 0, signal: null });
  expect(isAlive(pid)).toBe(false);
  expect(await over).toEqual([0, null]);
  expect(run.output).not.toContain('daemon is up');
});
