import type { Clock } from '../ports/clock.ts';
import type { Engine } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import { assert } from '../std/assert.ts';
import { type Instant, type Millis, after, elapsed, millisOf } from '../std/time.ts';
import type { FleetControl } from './fleet-control.ts';
import type { Fleet } from './fleet.ts';

/** Children get at least this long to end, however little is left of drain_timeout. */
const CHILDREN_GRACE_MIN = millisOf(2000);
const CHILDREN_GRACE_MAX = millisOf(10_000);
const ADMIN_CLOSE_GRACE = millisOf(1000);

export interface EndingParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly control: FleetControl;
  readonly fleet: Fleet;
  /** Called again it can only shorten the time. */
  readonly publicServer: { drain(timeout: Millis): Promise<void> };
  readonly adminPort: { close(deadline: Millis): Promise<void> };
  readonly engine: Engine;
  readonly drainTimeout: () => Millis;
}

/** The way down (promise K): public port first, then the agents, then the internal port, which agents speak to as they end. */
export class Ending {
  readonly over: Promise<void>;
  private finish: () => void = () => undefined;
  private deadline: Instant | null = null;
  private hurried = false;
  private readonly parts: EndingParts;

  constructor(parts: EndingParts) {
    this.parts = parts;
    this.over = new Promise((resolve) => (this.finish = resolve));
  }

  get hasBegun(): boolean {
    return this.deadline !== null;
  }

  begin(): void {
    if (this.hasBegun) return;
    const { log, drainTimeout } = this.parts;
    this.deadline = after(this.parts.clock.now(), drainTimeout());
    log.info('daemon is shutting down', { drainTimeoutMs: drainTimeout() });
    void this.descend();
  }

  hurry(): void {
    if (this.hurried) return;
    this.hurried = true;
    this.parts.log.warn('told again to shut down, what is open is cut');
    this.deadline = this.parts.clock.now();
    void this.parts.publicServer.drain(millisOf(0));
    void this.parts.engine.close(0);
  }

  private async descend(): Promise<void> {
    const { control, fleet, publicServer, adminPort, engine, log } = this.parts;
    control.drain();
    await publicServer.drain(this.left());
    fleet.close();
    await engine.close(Math.min(CHILDREN_GRACE_MAX, Math.max(CHILDREN_GRACE_MIN, this.left())));
    await adminPort.close(ADMIN_CLOSE_GRACE);
    log.info('daemon has ended');
    this.finish();
  }

  private left(): Millis {
    assert(this.deadline !== null, 'an ending has begun');
    return millisOf(Math.max(0, elapsed(this.parts.clock.now(), this.deadline)));
  }
}
