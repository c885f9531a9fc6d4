import { type Occupant, hasRoom, roomIn, seat } from '../core/capacity.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import type { Millis } from '../std/time.ts';
import type { AgentRunner } from './agent-runner.ts';

/**
 * Carries out who may be awake ({@link seat}). Who holds a place and who is evictable is read off the agents each time, so a
 * place can be neither lost nor given twice.
 */
export class Capacity {
  max = 0;
  /** Those who seek a place. */
  private readonly seekers = new Set<string>();
  private readonly clock: Clock;
  private readonly runners: () => Iterable<AgentRunner>;
  private alarm: Alarm | null = null;
  private looking = false;
  private lookAgain = false;
  private closed = false;

  constructor(clock: Clock, runners: () => Iterable<AgentRunner>) {
    this.clock = clock;
    this.runners = runners;
  }

  /** This agent has changed, which may seat it or somebody else. Costs nothing while nobody `seeks` a place. */
  changed(agent: string, seeks: boolean): void {
    if (seeks) this.seekers.add(agent);
    else this.seekers.delete(agent);
    this.look();
  }

  look(): void {
    if (this.seekers.size === 0) return;
    this.lookAgain = true;
    if (this.looking || this.closed) return;
    this.looking = true;
    // Whoever is seated or evicted by this changes in this very call, and asks to look again.
    while (this.lookAgain) {
      this.lookAgain = false;
      this.seatOnce();
    }
    this.looking = false;
  }

  /** Whether a place could be had soon for an agent that has none. */
  get hasRoom(): boolean {
    return this.max === 0 || hasRoom(this.occupants(), this.max, this.clock.now());
  }

  /** After how long asking again is worth while. */
  roomIn(): Millis {
    return roomIn(this.occupants(), this.clock.now());
  }

  close(): void {
    this.closed = true;
    this.alarm?.cancel();
  }

  private seatOnce(): void {
    this.alarm?.cancel();
    this.alarm = null;
    const runners = new Map([...this.runners()].map((runner) => [runner.name, runner]));
    const { placed, evicted, lookAgain } = seat(this.occupants(), this.max, this.clock.now());
    for (const name of evicted) runners.get(name)?.dispatch({ type: 'evict' });
    for (const name of placed) runners.get(name)?.dispatch({ type: 'placed' });
    if (lookAgain !== null) this.alarm = this.clock.alarm(lookAgain, () => this.look());
  }

  private occupants(): Occupant[] {
    return [...this.runners()].map(({ name, state, policy, lastUsed }) => ({ name, state, policy, lastUsed }));
  }
}
