import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/ports/clock.ts';
import { PulseSource } from '../../src/proxy/pulse.ts';
import { instantOf, wallTimeOf } from '../../src/std/time.ts';

/** A clock whose alarms ring when the test says, as late as it likes. */
class LateClock implements Clock {
  at = 0;
  private rings: (() => void)[] = [];

  now = () => instantOf(this.at);
  wall = () => wallTimeOf(this.at);

  alarm = (_at: unknown, ring: () => void) => {
    this.rings.push(ring);
    return { cancel: () => undefined };
  };

  ringAt(at: number): void {
    this.at = at;
    for (const ring of this.rings.splice(0)) ring();
  }
}

describe('the pulse', () => {
  it('judges nobody at the first beat after the process stood still, and everybody at the next', () => {
    const clock = new LateClock();
    const told: number[] = [];
    new PulseSource(clock).watch({ place: -1, pulse: (now: number) => told.push(now) });
    clock.ringAt(100);
    clock.ringAt(3000);
    expect(told).toEqual([100]);
    clock.ringAt(3100);
    expect(told).toEqual([100, 3100]);
  });

  it('judges at every second beat where the process stands still again and again', () => {
    const clock = new LateClock();
    const told: number[] = [];
    new PulseSource(clock).watch({ place: -1, pulse: (now: number) => told.push(now) });
    for (const at of [3000, 6000, 9000, 12_000]) clock.ringAt(at);
    expect(told).toEqual([6000, 12_000]);
  });
});
