/**
 * Who reads the state of agents, counted, since anybody may: without limits a few thousand readers of one agent would take the
 * connections of all.
 */
export const READERS_PER_AGENT_MAX = 100;
export const READERS_MAX = 1000;
/** Told to a reader too many. The others read while they wait, which is seconds. */
export const READERS_RETRY_SECONDS = 5;

export class StateReaders {
  private readonly perAgent = new Map<string, number>();
  private count = 0;

  /** Takes a place; false where there is none. Whoever got one leaves once. */
  enter(agent: string): boolean {
    const here = this.perAgent.get(agent) ?? 0;
    if (here >= READERS_PER_AGENT_MAX || this.count >= READERS_MAX) return false;
    this.perAgent.set(agent, here + 1);
    this.count += 1;
    return true;
  }

  leave(agent: string): void {
    const here = this.perAgent.get(agent) ?? 0;
    if (here <= 1) this.perAgent.delete(agent);
    else this.perAgent.set(agent, here - 1);
    this.count -= 1;
  }
}
