import type { Daemon, DaemonEvent } from './daemon.ts';

/** What the daemon told of moments that the test knows by the clock, in milliseconds since 1970, which is the daemon's clock too. */

/** The first sleep of this agent after a moment. */
export function sleptAfter(moment: number, daemon: Daemon, agent: string): Promise<DaemonEvent> {
  const matches = (event: DaemonEvent): boolean =>
    event.type === 'agent.sleep' && event.agent === agent && Date.parse(event.at) > moment;
  return daemon.events.first(`agent.sleep of ${agent}`, matches);
}

/** What happened to agents between two moments. */
export function eventsBetween(from: number, to: number, daemon: Daemon): readonly DaemonEvent[] {
  const isBetween = ({ at }: DaemonEvent): boolean => Date.parse(at) > from && Date.parse(at) < to;
  return daemon.events.items.filter((event) => event.agent !== undefined && isBetween(event));
}
