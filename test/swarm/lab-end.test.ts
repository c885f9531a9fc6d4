import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../lab/run-program.ts';
import type { Namespaces } from '../lab/namespaces.ts';
import { leftBehind, makeScratch, processesIn, removeScratch, sweep } from '../lab/scratch.ts';

/** How a lab ends: labs in the lab, since what they leave would be left there. */
const RUN = resolve(import.meta.dirname, '../lab/run.ts');
let parent: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'labs-'));
});
afterEach(() => {
  rmSync(parent, { recursive: true });
});

interface Running {
  readonly child: ChildProcess;
  readonly exit: Promise<readonly [number | null, NodeJS.Signals | null]>;
  readonly spaces: Namespaces;
  readonly scratch: string;
}

const start = (command: readonly string[]): ChildProcess =>
  spawn(process.execPath, [RUN, '--', ...command], {
    env: { ...process.env, TMPDIR: parent },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    // In a group of its own, so that a test can do what a terminal does.
    detached: true,
  });

/** A lab with a command in it that does not end by itself. */
async function startLab(): Promise<Running> {
  const tell = 'for kind in mnt net pid; do echo "$kind=$(readlink /proc/self/ns/$kind)"; done; exec sleep 600';
  const child = start(['sh', '-c', tell]);
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const told: Record<string, string> = {};
  for await (const line of createInterface(child.stdout!)) {
    const [, kind, inode] = /^(mnt|net|pid)=(.*)$/.exec(line) ?? [];
    if (kind !== undefined) told[kind] = inode!;
    if (Object.keys(told).length === 3) break;
  }
  const [name] = readdirSync(parent);
  return { child, exit, spaces: told as unknown as Namespaces, scratch: join(parent, name!) };
}

describe('the end of a lab', () => {
  it('comes with the end of the command, whose exit code it hands on', async () => {
    const child = start(['sh', '-c', 'sleep 600 & exit 7']);
    child.stdout!.resume();
    expect(await once(child, 'exit')).toEqual([7, null]);
    expect(readdirSync(parent)).toEqual([]);
  });

  it('comes with SIGTERM to the one who started it, and leaves nothing', async () => {
    const { child, exit, spaces, scratch } = await startLab();
    expect(processesIn(spaces).length).toBeGreaterThan(5);
    child.kill('SIGTERM');
    expect(await exit).toEqual([143, null]);
    expect(await leftBehind(scratch, spaces)).toEqual([]);
  });

  it('comes with Ctrl-C, which everything in the foreground gets, and leaves nothing', async () => {
    const { child, exit, spaces, scratch } = await startLab();
    process.kill(-child.pid!, 'SIGINT');
    expect(await exit).toEqual([130, null]);
    expect(await leftBehind(scratch, spaces)).toEqual([]);
  });

  it('comes when the program that started it is gone, and leaves nothing', async () => {
    const { child, exit, spaces, scratch } = await startLab();
    child.disconnect();
    expect(await exit).toEqual([1, null]);
    expect(await leftBehind(scratch, spaces)).toEqual([]);
  });

  it('comes with SIGKILL too: no process is left, and the rest goes when the next lab starts', async () => {
    const { child, exit, spaces, scratch } = await startLab();
    child.kill('SIGKILL');
    await exit;
    await expect.poll(() => processesIn(spaces), { timeout: 120_000 }).toEqual([]);
    const left = await leftBehind(scratch, null, 0);
    expect(left.filter((sentence) => !/^The (cgroup|directory) /.test(sentence))).toEqual([]);
    expect(left.some((sentence) => sentence.startsWith('The cgroup'))).toBe(true);
    await sweep(parent);
    expect(await leftBehind(scratch, spaces)).toEqual([]);
  });
});

describe('what is left of a lab', () => {
  it('is not touched while its owner lives, nor where nobody says that he is gone', async () => {
    const scratch = makeScratch(parent);
    mkdirSync(join(parent, 'reveille-lab-of-nobody'));
    await sweep(parent);
    expect(readdirSync(parent).length).toBe(2);
    await removeScratch(scratch);
    expect(existsSync(scratch)).toBe(false);
  });

  it('is told: processes, mounts and the directory', async () => {
    const scratch = makeScratch(parent);
    const spaces = join(scratch, 'held');
    mkdirSync(spaces);
    await runProgram(['mount', '-t', 'tmpfs', 'tmpfs', spaces]);
    // Without a program of its own in there that may still be about to end.
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo there; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(createInterface(holder.stdout), 'line');
    const net = readlinkSync(`/proc/${holder.pid ?? 0}/ns/net`);
    const left = await leftBehind(scratch, { net, mnt: 'none', pid: 'none' }, 0);
    holder.kill('SIGKILL');
    await runProgram(['umount', spaces]);
    await removeScratch(scratch);
    expect(left.map((sentence) => sentence.split(' ').slice(0, 2).join(' '))).toEqual([
      'The process',
      'A mount',
      'The directory',
    ]);
  });
});

describe('a machine that cannot have a lab', () => {
  it('is told so in one sentence that names what can be run there', async () => {
    const hide = 'mount -n --bind /dev/null "$(command -v dockerd)"; exec "$0" "$@"';
    const child = spawn('unshare', ['--mount', 'sh', '-c', hide, process.execPath, RUN, '--', 'true'], {
      env: { ...process.env, TMPDIR: parent, REVEILLE_TEST_INSTALL: '0' },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    const exit = once(child, 'exit');
    const lines: string[] = [];
    for await (const line of createInterface(child.stderr)) lines.push(line);
    expect(lines).toEqual([
      'The suite swarm cannot run here: it needs dockerd. Run what needs only Node with `npm run test:unit`.',
    ]);
    expect(await exit).toEqual([1, null]);
  });
});
