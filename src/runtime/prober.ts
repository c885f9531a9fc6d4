import type { Alarm, Clock } from '../ports/clock.ts';
import type { Probe, ProbeOrder, ProbeResult } from '../ports/probe.ts';
import { type Millis, after, elapsed, millisOf } from '../std/time.ts';

/**
 * Asks one task how it is, again and again, for as long as it is listed. Quick at first, because a caller may be waiting:
 * every 10 ms, backing off to 250 ms (promise I); after the first success at the configured interval. The pause grows by a
 * tenth each time, so it is always about a tenth of the boot so far: that is how late a check comes at most. Growing by half
 * was tried: an agent that boots in 330 ms was seen after 510.
 */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 250;
const PAUSE_GROWTH = 1.1;
/**
 * A boot is asked with short time-outs: a connect that hangs must not hide that the next one would succeed. An agent that is
 * only slow to answer gets twice the time with each check that ran out of it, up to its own `health.timeout`.
 */
const FIRST_TIMEOUT_MS = 1000;

export interface ProberOptions {
  readonly clock: Clock;
  readonly probe: Probe;
  /** Read before each check: a reload may change it. */
  readonly order: () => ProbeOrder;
  readonly interval: () => Millis;
  /** Asked of each check that passes until one counts: whether it was the task that answered. */
  readonly confirm: () => ProbeResult;
  readonly report: (result: ProbeResult) => void;
}

export class Prober {
  private readonly options: ProberOptions;
  private readonly abort = new AbortController();
  private alarm: Alarm | null = null;
  private pauseMs = FIRST_PAUSE_MS;
  private timeoutMs = FIRST_TIMEOUT_MS;
  private booting = true;

  constructor(options: ProberOptions) {
    this.options = options;
    this.check();
  }

  stop(): void {
    this.abort.abort();
    this.alarm?.cancel();
  }

  private check(): void {
    const { probe, order, report, clock } = this.options;
    const asked = order();
    const timeout = this.booting ? millisOf(Math.min(this.timeoutMs, asked.timeout)) : asked.timeout;
    const begun = clock.now();
    void probe({ ...asked, timeout }, this.abort.signal).then((answer) => {
      if (this.abort.signal.aborted) return;
      const result = answer.healthy && this.booting ? this.options.confirm() : answer;
      if (result.healthy) this.booting = false;
      else if (elapsed(begun, clock.now()) >= timeout) this.timeoutMs *= 2;
      // The pause is set before the report: the report may end in stop(), which then finds the alarm to take back.
      const { interval } = this.options;
      this.alarm = clock.alarm(after(clock.now(), this.booting ? millisOf(this.pauseMs) : interval()), () => this.check());
      this.pauseMs = Math.min(LONGEST_PAUSE_MS, this.pauseMs * PAUSE_GROWTH);
      report(result);
    });
  }
}
