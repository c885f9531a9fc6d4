import type { Clock } from '../ports/clock.ts';
import { Bag, type Member } from '../std/bag.ts';
import { after, type Instant, millisOf } from '../std/time.ts';

/** What has time limits of its own. Told the time while it is watched, and looks itself whether one has passed. */
export interface Watched extends Member {
  pulse(now: Instant): void;
}

/** How late a limit may be noticed. Limits here are seconds to minutes. */
const PULSE = millisOf(100);
/** A beat this much behind its time: the process stood still, and has read nothing either. */
const STOOD_STILL = millisOf(500);

/**
 * One alarm for all the limits of all open work. Rejected: an alarm per limit and request, which is set and cancelled
 * thousands of times a second and almost never rings. The price is that a limit is noticed up to {@link PULSE} late, never
 * early. While nothing is watched no alarm is set.
 *
 * A machine with too much to do lets the process stand still for seconds. What came meanwhile waits in the kernel, and node
 * rings alarms before it reads; so the first beat afterwards judges nobody, and what has come is read before the next.
 */
export class PulseSource {
  private readonly clock: Clock;
  private readonly watched = new Bag<Watched>();
  private armed = false;
  private stoodStill = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Watching what is watched already changes nothing. */
  watch(one: Watched): void {
    this.watched.add(one);
    if (!this.armed) this.arm();
  }

  forget(one: Watched): void {
    this.watched.delete(one);
  }

  private arm(): void {
    this.armed = true;
    const due = after(this.clock.now(), PULSE);
    this.clock.alarm(due, () => this.beat(due));
  }

  private beat(due: Instant): void {
    const now = this.clock.now();
    // Once in a row: standing still again and again must not put off every limit.
    this.stoodStill = !this.stoodStill && now >= after(due, STOOD_STILL);
    if (!this.stoodStill) for (const one of this.watched) one.pulse(now);
    this.armed = false;
    if (this.watched.size > 0) this.arm();
  }
}
