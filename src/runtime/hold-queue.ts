import { type HoldVerdict, holdVerdict, startsNotBefore } from '../core/holds.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import { type Instant, type Millis, after, earliest } from '../std/time.ts';
import type { Activity } from './activity.ts';
import type { Admission } from './traffic.ts';
import type { AgentState } from '../core/agent/state.ts';
import type { Policy } from '../core/agent/policy.ts';

/** Requests held at a time for all agents together. Written by the queues alone. */
export interface HeldInAll {
  count: number;
}

/** One request that is held. */
export interface HeldRequest {
  /**
   * It is let in now, by whoever held it: the look at the agent and the count of the work are one step (promise B). Null: no
   * task takes it, since the last one has just ended and the agent does not know that yet.
   */
  admit(): Admission | null;
  /** Called once, unless it left before. */
  settled(admission: Admission): void;
  /** What it is told when its agent is not coming. */
  turnedAway(): Admission;
}

const TOO_LATE: Admission = { kind: 'refused', problem: 'wake-timeout', retryAfterSeconds: null };

interface Entry {
  readonly request: HeldRequest;
  readonly until: Instant;
}

interface Held {
  readonly name: string;
  readonly state: AgentState;
  readonly policy: Policy;
}

/**
 * The requests that wait for one agent, in order of arrival. Each counts as work, so that the agent it wakes cannot fall
 * asleep before it was served. Looked at after every step of the agent: there is no signal that could be missed.
 */
export class HoldQueue {
  private readonly entries = new Set<Entry>();
  private alarm: Alarm | null = null;
  private settling = false;
  private readonly clock: Clock;
  private readonly inAll: HeldInAll;
  private readonly activity: Activity;
  /** The last of them has left: nobody waits any more. */
  private readonly onDeserted: () => void;

  constructor(clock: Clock, inAll: HeldInAll, activity: Activity, onDeserted: () => void) {
    this.clock = clock;
    this.inAll = inAll;
    this.activity = activity;
    this.onDeserted = onDeserted;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Returns how to leave, or what becomes of the request where that is known at once. The bounds are the caller's to look at. */
  add(request: HeldRequest, maxWait: Millis, agent: Held): (() => void) | Admission {
    // Counted before it stands among the others: the count is an event for the agent and may move it, for instance since a
    // deadline has just passed. Whoever waits is settled later, and never before they know that they wait.
    this.activity.hold();
    const verdict = holdVerdict(agent.state, agent.policy);
    if (verdict !== 'wait') {
      const admission = verdict === 'serve' ? request.admit() : null;
      this.activity.unhold();
      return admission ?? request.turnedAway();
    }
    const entry: Entry = { request, until: after(this.clock.now(), maxWait) };
    this.entries.add(entry);
    this.inAll.count += 1;
    this.arm();
    return () => {
      if (!this.remove(entry)) return;
      this.arm();
      this.deserted();
    };
  }

  /** Lets go of those whose waiting is over, as the agent is now. */
  settle(agent: Held): void {
    if (this.settling || this.entries.size === 0) return;
    this.settling = true;
    for (const entry of [...this.entries]) {
      if (!this.entries.has(entry)) continue;
      // Asked anew for each: to serve one may move the agent.
      const verdict = this.verdictOf(entry, agent);
      if (verdict === 'wait') break;
      const { request, until } = entry;
      const late = until <= this.clock.now();
      // Admitted first: in the other order the agent would be quiet for an instant.
      const admission = verdict === 'serve' ? request.admit() : late ? TOO_LATE : request.turnedAway();
      // Whoever has waited for a start is not told of a task that died: what becomes of the agent is known at its next step.
      if (admission === null) continue;
      this.remove(entry);
      request.settled(admission);
    }
    this.settling = false;
    this.arm();
  }

  /** The agent is gone, or the daemon ends: all are told `admission`. */
  close(admission: Admission): void {
    for (const entry of [...this.entries]) if (this.remove(entry)) entry.request.settled(admission);
    this.alarm?.cancel();
  }

  /** Who could only be told at the end of their time that it was in vain, is told now: the backoff of a start is longer. */
  private verdictOf({ until }: Entry, { state, policy }: Held): HoldVerdict {
    const verdict = holdVerdict(state, policy);
    const now = this.clock.now();
    const backoff = startsNotBefore(state, now);
    return verdict === 'wait' && backoff > 0 && after(now, backoff) >= until ? 'give-up' : verdict;
  }

  private remove(entry: Entry): boolean {
    if (!this.entries.delete(entry)) return false;
    this.inAll.count -= 1;
    this.activity.unhold();
    return true;
  }

  private deserted(): void {
    if (this.entries.size === 0) this.onDeserted();
  }

  private arm(): void {
    this.alarm?.cancel();
    this.alarm = null;
    let next: Instant | null = null;
    for (const { until } of this.entries) next = next === null ? until : earliest(next, until);
    if (next !== null) this.alarm = this.clock.alarm(next, () => this.expire());
  }

  private expire(): void {
    const now = this.clock.now();
    for (const entry of [...this.entries]) {
      if (entry.until > now || !this.remove(entry)) continue;
      entry.request.settled(TOO_LATE);
    }
    this.arm();
    this.deserted();
  }
}
