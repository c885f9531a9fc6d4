import type { Clock } from '../../src/ports/clock.ts';
import type { Probe, ProbeOrder, ProbeResult } from '../../src/ports/probe.ts';
import { after, millisOf } from '../../src/std/time.ts';

/** `well` and `ill` answer after `answerMs`; `hangs` never does, so that the check ends at its timeout. */
export type Wellness = 'well' | 'ill' | 'hangs';

/** Health checks whose results a test decides, by the port that is asked. */
export class ScriptedProbe {
  /** Every check that was begun. */
  readonly asked: ProbeOrder[] = [];
  /** What every port is that nothing else was said of. */
  wellness: Wellness = 'well';
  answerMs = 1;
  /** Checks that have not ended. */
  open = 0;
  private readonly ports = new Map<number, Wellness>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  set(port: number, wellness: Wellness): void {
    this.ports.set(port, wellness);
  }

  readonly probe: Probe = (order, signal) => {
    this.asked.push(order);
    this.open += 1;
    const wait = this.of(order) === 'hangs' ? order.timeout : Math.min(this.answerMs, order.timeout);
    return new Promise((resolve) => {
      const end = (result: ProbeResult): void => {
        alarm.cancel();
        signal.removeEventListener('abort', aborted);
        this.open -= 1;
        resolve(result);
      };
      const aborted = (): void => {
        end({ healthy: false, detail: 'aborted' });
      };
      const alarm = this.clock.alarm(after(this.clock.now(), millisOf(wait)), () => {
        const wellness = this.of(order);
        if (wellness === 'hangs' || this.answerMs > order.timeout) end({ healthy: false, detail: 'timeout' });
        else end(wellness === 'well' ? { healthy: true } : { healthy: false, detail: 'status 503' });
      });
      signal.addEventListener('abort', aborted);
    });
  };

  private of({ address }: ProbeOrder): Wellness {
    return this.ports.get(address.port) ?? this.wellness;
  }
}
