import type { AgentEvent } from '../core/agent/event.ts';
import type { AgentState } from '../core/agent/state.ts';
import { type Occupant, hasRoom, isSeeking, roomIn, seat, takesPlace } from '../core/capacity.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import type { Millis } from '../std/time.ts';

/** An agent as the places see it. */
export interface Contender extends Occupant {
  readonly closed: boolean;
  dispatch(event: AgentEvent): void;
}

/**
 * Carries out who may be awake ({@link seat}). Who is evictable is read off the agents each time. Looked at are those that hold
 * or seek a place and no others: of thousands of agents most sleep, and every edge of their work comes by here.
 */
export class Capacity {
  /** Places; 0: no limit. */
  max = 0;
  private readonly holders = new Map<string, Contender>();
  /** In order of arrival. */
  private readonly seekers = new Map<string, Contender>();
  private readonly clock: Clock;
  private alarm: Alarm | null = null;
  private looking = false;
  private lookAgain = false;
  private waiting = false;
  private closed = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Places that are taken. */
  get taken(): number {
    return this.holders.size;
  }

  /** This agent has made a step, which may seat it or somebody else. Costs next to nothing while nobody seeks a place. */
  changed(agent: Contender): void {
    enter(this.holders, agent, takesPlace(agent.state));
    enter(this.seekers, agent, isSeeking(agent.state));
    this.look();
  }

  /** Nobody is seated or evicted before all of `change` has happened (promise J). */
  afterwards(change: () => void): void {
    this.waiting = true;
    change();
    this.waiting = false;
    this.look();
  }

  /** Whether an agent in this state has a place, seeks one already, or could have one soon. */
  hasRoomFor(state: AgentState): boolean {
    if (this.max === 0 || state.policy !== 'on-demand' || takesPlace(state) || isSeeking(state)) return true;
    return hasRoom(this.contenders(), this.max, this.clock.now());
  }

  /** After how long asking again is worth while. */
  roomIn(): Millis {
    return roomIn(this.contenders(), this.clock.now());
  }

  close(): void {
    this.closed = true;
    this.alarm?.cancel();
  }

  private look(): void {
    if (this.waiting) return;
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

  private seatOnce(): void {
    this.alarm?.cancel();
    this.alarm = null;
    if (this.seekers.size === 0) return;
    const { placed, evicted, lookAgain } = seat(this.contenders(), this.max, this.clock.now());
    for (const name of evicted) this.holders.get(name)?.dispatch({ type: 'evict' });
    for (const name of placed) this.seekers.get(name)?.dispatch({ type: 'placed' });
    if (lookAgain !== null) this.alarm = this.clock.alarm(lookAgain, () => this.look());
  }

  private contenders(): Contender[] {
    return [...this.seekers.values(), ...this.holders.values()];
  }
}

/** An agent that was removed leaves nothing to the one that comes under its name. */
function enter(agents: Map<string, Contender>, agent: Contender, belongs: boolean): void {
  if (belongs && !agent.closed) agents.set(agent.name, agent);
  else if (agents.get(agent.name) === agent) agents.delete(agent.name);
}
