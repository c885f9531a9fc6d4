import type { Clock } from '../../ports/clock.ts';
import type { Target } from '../../runtime/traffic.ts';
import { PulseSource } from '../pulse.ts';
import { Lane } from './lane.ts';
import type { Limits } from './upstream.ts';

/** Kept connections per target. More would only be idle ones left over from a burst. */
const IDLE_LANES_MAX = 128;

/** All connections to agents. One is shared, after another, by requests with the same `Target.key` and by nobody else. */
export class Lanes {
  limits: Limits;
  private readonly clock: Clock;
  private readonly pulses: PulseSource;
  /** Idle lanes by target key, the one used last at the end: it is the least likely to be stale. */
  private readonly idle = new Map<string, Lane[]>();
  private readonly all = new Set<Lane>();

  constructor(clock: Clock, limits: Limits) {
    this.clock = clock;
    this.limits = limits;
    this.pulses = new PulseSource(clock);
  }

  /** Idle ones included. */
  get size(): number {
    return this.all.size;
  }

  close(): void {
    for (const lane of this.all) this.discard(lane);
  }

  /** A kept connection to exactly this target, or null. */
  takeIdle(target: Target): Lane | null {
    const lanes = this.idle.get(target.key);
    if (lanes === undefined) return null;
    for (;;) {
      const lane = lanes.pop();
      if (lanes.length === 0) this.idle.delete(target.key);
      if (lane === undefined || lane.usable) return lane ?? null;
      this.discard(lane);
    }
  }

  open(target: Target): Lane {
    const limits = { connect: this.limits.connect, idle: this.limits.upstream_idle };
    const lane = new Lane(target.key, target.address, limits, this.clock, this.pulses);
    // Undici would connect again by itself for the next request; a lane ends with its connection instead.
    lane.client.on('disconnect', () => {
      if (this.forgetIdle(lane)) this.discard(lane);
    });
    this.all.add(lane);
    return lane;
  }

  release(lane: Lane): void {
    const lanes = this.idle.get(lane.key) ?? [];
    if (lanes.length >= IDLE_LANES_MAX || this.limits.upstream_idle === 0) {
      this.discard(lane);
      return;
    }
    lane.kept = true;
    lanes.push(lane);
    this.idle.set(lane.key, lanes);
  }

  discard(lane: Lane): void {
    this.forgetIdle(lane);
    this.all.delete(lane);
    lane.end();
  }

  /** The key of a target begins with its agent. */
  endIdle(agent: string): void {
    for (const [key, lanes] of [...this.idle]) if (key.startsWith(`${agent} `)) for (const lane of [...lanes]) this.discard(lane);
  }

  private forgetIdle(lane: Lane): boolean {
    const lanes = this.idle.get(lane.key);
    const at = lanes?.indexOf(lane) ?? -1;
    if (lanes === undefined || at === -1) return false;
    lanes.splice(at, 1);
    if (lanes.length === 0) this.idle.delete(lane.key);
    return true;
  }
}
