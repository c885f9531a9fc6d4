import { afterEach, describe, expect, it, vi } from 'vitest';
import { prng } from '../../src/std/prng.ts';
import { type Instant, after, instantOf, millisOf } from '../../src/std/time.ts';
import { systemClock } from '../../src/system/clock.ts';
import { runSource } from './run-source.ts';

const DAY_MS = 86_400_000;

describe('the machine clock', () => {
  it('never rings early, whatever the fraction of a millisecond', async () => {
    const seed = Date.now() % 2 ** 31;
    const random = prng(seed);
    const early: number[] = [];
    await Promise.all(
      Array.from(
        { length: 300 },
        () =>
          new Promise<void>((resolve) => {
            const at = after(systemClock.now(), millisOf(random.next() * 30));
            systemClock.alarm(at, () => {
              if (systemClock.now() < at) early.push(at - systemClock.now());
              resolve();
            });
          }),
      ),
    );
    expect(early, `seed ${seed}`).toEqual([]);
  });

  it('rings for an instant that has passed, but never inside the call', async () => {
    let rang = false;
    const ringing = new Promise<void>((resolve) => {
      systemClock.alarm(instantOf(0), () => {
        rang = true;
        resolve();
      });
    });
    expect(rang).toBe(false);
    await ringing;
  });

  it('tells the time of day beside the monotonic one', () => {
    const before = Date.now();
    expect(systemClock.wall()).toBeGreaterThanOrEqual(before);
    const first = systemClock.now();
    expect(systemClock.now()).toBeGreaterThanOrEqual(first);
  });

  it('keeps no process alive by an alarm', async () => {
    const source = `
      import { systemClock } from './src/system/clock.ts';
      systemClock.alarm(systemClock.now() + 3_600_000, () => console.log('rang'));
      console.log('set');`;
    expect(await runSource(source)).toBe('set\n');
  });
});

describe('the machine clock, on timers that a test advances', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const inDays = (days: number): Instant => after(systemClock.now(), millisOf(days * DAY_MS));

  it('waits for an alarm further away than a timer reaches', () => {
    vi.useFakeTimers();
    let rang = 0;
    systemClock.alarm(inDays(60), () => (rang += 1));
    vi.advanceTimersByTime(60 * DAY_MS - 1);
    expect(rang).toBe(0);
    vi.advanceTimersByTime(1);
    expect(rang).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('cancels an alarm that has been set anew on the way', () => {
    vi.useFakeTimers();
    let rang = 0;
    const alarm = systemClock.alarm(inDays(60), () => (rang += 1));
    vi.advanceTimersByTime(50 * DAY_MS);
    alarm.cancel();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(50 * DAY_MS);
    expect(rang).toBe(0);
  });

  it('rings in order of time, not of setting', () => {
    vi.useFakeTimers();
    const rang: number[] = [];
    for (const days of [30, 1, 40, 2]) systemClock.alarm(inDays(days), () => rang.push(days));
    vi.advanceTimersByTime(41 * DAY_MS);
    expect(rang).toEqual([1, 2, 30, 40]);
  });
});
