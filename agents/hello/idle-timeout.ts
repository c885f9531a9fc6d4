import type { SelfView } from '../../src/contract/api.ts';

/**
 * How long the agent may be idle, as far as its own view of itself gives it away: `sleeps_at` counts from the last activity,
 * or from getting ready where nothing has happened since. Null while there is work, since `sleeps_at` is then null, and in
 * any state but ready, where `since` is about something else.
 */
export function idleTimeoutOf(self: SelfView): number | null {
  if (self.state !== 'ready' || self.sleeps_at === null) return null;
  const idleSince = Math.max(Date.parse(self.since), Date.parse(self.last_activity ?? self.since));
  const length = Date.parse(self.sleeps_at) - idleSince;
  return length > 0 ? length : null;
}
