import type { Alarm, Clock } from '../ports/clock.ts';
import { type Instant, type Millis, after, earliest, millisOf } from '../std/time.ts';
import { type ProcessFacts, signal } from './proc.ts';

/**
 * Ends a set of processes and knows when nothing of it is left: SIGTERM, SIGCONT for those that are stopped, and SIGKILL
 * once the grace is over. The set is found anew at every look, because what is told to end may still fork. The kernel
 * offers no event for a whole group, and Node none for a process that is not its child, hence the looking again and again.
 */
export interface Ended {
  /** Whoever of the set is alive now. */
  find(): readonly Pick<ProcessFacts, 'pid' | 'group'>[];
  /** Whether the group as a whole is ours: then it is signalled at once, so that nobody forks away in between. */
  ownsGroup(group: number): boolean;
  /** Nothing is left. Called once. */
  gone(): void;
  /** SIGKILL was sent `STUBBORN_MS` ago and somebody is still there. Called once; the looking goes on. */
  stubborn(left: readonly number[]): void;
}

const LOOK_FIRST_MS = 10;
const LOOK_MAX_MS = 250;
/** Once killed, a process that stays waits for its disk or its debugger: looking often does not help. */
const LOOK_STUBBORN_MS = 5000;
const STUBBORN_MS = 5000;

export class Ending {
  private readonly clock: Clock;
  private readonly set: Ended;
  private readonly told = new Set<number>();
  private deadline: Instant | null = null;
  private alarm: Alarm | null = null;
  private lookMs = LOOK_FIRST_MS;
  private complained = false;
  private over = false;

  constructor(clock: Clock, set: Ended) {
    this.clock = clock;
    this.set = set;
  }

  /** From now on; called again, the shorter grace counts. `gone` may be called from within. */
  begin(grace: Millis): void {
    this.deadline = earliest(this.deadline, after(this.clock.now(), grace));
    this.look();
  }

  /** Something happened that may have been the end of it. Does nothing before {@link begin}. */
  look(): void {
    if (this.over || this.deadline === null) return;
    this.alarm?.cancel();
    const left = this.set.find();
    if (left.length === 0) {
      this.over = true;
      this.set.gone();
      return;
    }
    const now = this.clock.now();
    const forced = now >= this.deadline;
    for (const target of new Set(left.map(({ pid, group }) => (this.set.ownsGroup(group) ? -group : pid)))) {
      if (forced) signal(target, 'SIGKILL');
      else if (!this.told.has(target)) {
        this.told.add(target);
        // In this order: a stopped process takes SIGTERM once it goes on.
        signal(target, 'SIGTERM');
        signal(target, 'SIGCONT');
      }
    }
    const stubborn = now >= after(this.deadline, millisOf(STUBBORN_MS));
    if (stubborn && !this.complained) {
      this.complained = true;
      this.set.stubborn(left.map(({ pid }) => pid));
    }
    const next = after(now, millisOf(stubborn ? LOOK_STUBBORN_MS : this.lookMs));
    this.lookMs = Math.min(this.lookMs * 2, LOOK_MAX_MS);
    this.alarm = this.clock.alarm(!forced && this.deadline < next ? this.deadline : next, () => {
      this.look();
    });
  }
}
