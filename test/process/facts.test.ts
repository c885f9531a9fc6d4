import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Backoff } from '../../src/process/backoff.ts';
import { Guardian } from '../../src/process/guardian.ts';
import { carries, listProcesses, parseStat, readProcess } from '../../src/process/proc.ts';
import { instantOf } from '../../src/std/time.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { ScaledClock } from '../support/scaled-clock.ts';

describe('what the kernel says of processes', () => {
  test('a name with brackets and spaces does not shift the fields', () => {
    const rest = '7 7 7 0 -1 4194304 90 0 0 0 0 0 0 0 20 0 1 0 123456 2500000 200';
    const facts = { pid: 42, parent: 7, group: 7, start: '123456', live: true, stopped: false };
    expect(parseStat(`42 (node) S ${rest}`)).toEqual(facts);
    expect(parseStat(`42 (a) R 1 (b) S ${rest}`)).toEqual(facts);
    expect(parseStat(`42 (gone) Z ${rest}`)).toEqual({ ...facts, live: false });
    for (const state of ['T', 't']) expect(parseStat(`42 (held) ${state} ${rest}`)).toEqual({ ...facts, stopped: true });
    expect(parseStat('')).toBeNull();
    expect(parseStat('42 (node) S 7')).toBeNull();
  });

  test('finds this very process, and what it carries in its environment', () => {
    expect(readProcess(process.pid)).toMatchObject({ pid: process.pid, parent: process.ppid, live: true });
    expect(listProcesses().map(({ pid }) => pid)).toContain(process.pid);
    const child = spawn('sleep', ['100'], { env: { ...process.env, MARK: 'a', MARKED: 'ab' } });
    onTestFinished(() => void child.kill('SIGKILL'));
    const pid = child.pid ?? 0;
    expect(
      [['MARK=a'], ['MARK=a', 'MARKED=ab'], ['MARKED=a'], ['MARK=a', 'OTHER=b']].map((pairs) => carries(pid, pairs)),
    ).toEqual([true, true, false, false]);
    // An empty mark would fit everybody, and what fits is ended.
    expect(() => carries(pid, [])).toThrow('a mark says something');
    expect(() => carries(pid, ['MARK='])).toThrow('a mark says something');
  });
});

describe('the wait before a replacement', () => {
  test('doubles from 1 s up to 5 min, and begins anew after a task that ran for a minute', () => {
    const backoff = new Backoff();
    const waits = Array.from({ length: 11 }, () => backoff.next(instantOf(0), instantOf(59_999)));
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
    expect(backoff.next(null, instantOf(10_000_000))).toBe(300_000);
    expect(backoff.next(instantOf(0), instantOf(60_000))).toBe(1000);
    expect(backoff.next(instantOf(0), instantOf(1))).toBe(2000);
  });
});

describe('the guardian', () => {
  test('K: killed, it is started again and still knows what to end when its pipe ends, and what no more', async () => {
    const log = new RecordingLog();
    const guardian = new Guardian(new ScaledClock(100), log);
    const sleeper = () => {
      const child = spawn('sleep', ['100'], { detached: true, stdio: 'ignore' });
      onTestFinished(() => void child.kill('SIGKILL'));
      return child;
    };
    const [guarded, forgotten, late] = [sleeper(), sleeper(), sleeper()];
    guardian.start();
    guardian.watch(guarded.pid ?? 0);
    guardian.watch(forgotten.pid ?? 0);
    const first = guardian.pid ?? 0;
    process.kill(first, 'SIGKILL');
    const again = await log.line(({ message, facts }) => message === 'guardian started' && facts['pid'] !== first);
    expect(guardian.pid).toBe(again.facts['pid']);
    guardian.watch(late.pid ?? 0);
    guardian.forget(forgotten.pid ?? 0);
    const ended = Promise.all([once(guarded, 'exit'), once(late, 'exit')]);
    await guardian.close();
    expect((await ended).map(([, signal]) => String(signal))).toEqual(['SIGTERM', 'SIGTERM']);
    expect(readProcess(forgotten.pid ?? 0)?.live).toBe(true);
  });

  test('without a descriptor left it is no end of the daemon, and is tried again when there are some', async () => {
    const source = `
      import { closeSync, openSync } from 'node:fs';
      import { Guardian } from './src/process/guardian.ts';
      const rings = [];
      const clock = { now: () => 0, wall: () => 0, alarm: (_at, ring) => (rings.push(ring), { cancel: () => undefined }) };
      const said = [];
      const log = { debug: (line) => said.push(line), warn: (line) => said.push(line) };
      const held = [];
      try { for (;;) held.push(openSync('/dev/null', 'r')); } catch {}
      const guardian = new Guardian(clock, log);
      guardian.start();
      guardian.watch(1_000_000_000);
      await new Promise((resolve) => setImmediate(resolve));
      for (const each of held) closeSync(each);
      for (const ring of rings.splice(0)) ring();
      console.log(JSON.stringify({ said, lives: guardian.pid !== null }));
      guardian.forget(1_000_000_000);
      await guardian.close();`;
    const node = [process.execPath, '--input-type=module-typescript', '--eval', source];
    const child = spawn('/bin/sh', ['-c', 'ulimit -n 64; exec "$@"', 'sh', ...node], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(JSON.parse(String(Buffer.concat(said)))).toEqual({
      said: ['guardian started', 'guardian ended; it is started again', 'guardian started'],
      lives: true,
    });
  });

  test('one that cannot be kept is given up after some tries, and said so', async () => {
    const log = new RecordingLog();
    const guardian = new Guardian(new ScaledClock(100), log);
    guardian.start();
    const started = (): number => log.lines.filter(({ message }) => message === 'guardian started').length;
    for (let life = 1; life <= 6; life += 1) {
      await log.line(() => started() === life);
      process.kill(guardian.pid ?? 0, 'SIGKILL');
    }
    await log.line(({ level }) => level === 'error');
    expect(log.lines.filter(({ message }) => message === 'guardian ended; it is started again')).toHaveLength(5);
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    await guardian.close();
  });
});
