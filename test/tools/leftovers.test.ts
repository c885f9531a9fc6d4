import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { leftovers, marked, newMark } from '../../tools/leftovers.ts';

describe('the search for processes left behind', () => {
  it('finds one that has left its parent, its process group and its environment, and does not find it once it has ended', async () => {
    const mark = newMark();
    expect(leftovers(mark)).toEqual([]);
    // The parent tells the child's pid and ends; the child has a session of its own, nothing but PATH in its environment, and
    // keeps the pipe open while it lives.
    const source = `
      const { spawn } = require('node:child_process');
      const child = spawn('sleep', ['600'], { detached: true, env: { PATH: process.env.PATH }, stdio: ['ignore', 'inherit', 'ignore'] });
      console.log(child.pid);
      process.exit(0);`;
    const parent = spawn(process.execPath, ['--eval', source], { stdio: ['ignore', 'pipe', 'inherit'], env: marked(mark) });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    const pipeClosed = once(parent, 'close');
    await once(parent, 'exit');
    expect(leftovers(mark)).toEqual([{ pid, command: 'sleep 600' }]);
    process.kill(pid, 'SIGKILL');
    await pipeClosed;
    expect(leftovers(mark)).toEqual([]);
  });
});
