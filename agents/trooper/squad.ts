import type { SelfView, TaskView } from '../../src/contract/api.ts';
import type { Daemon } from '../kit/daemon.ts';
import { DaemonError } from '../kit/daemon-error.ts';
import type { Bus } from '../world/bus.ts';
import { KEYS } from '../world/keys.ts';
import { readRecords } from './memory.ts';
import { managerOf } from './who-manages.ts';

/** The troopers of this service, as the daemon sees them. It is asked at most every so often, whoever wants to know. */
export interface Squad {
  /** Rejects with a DaemonError. */
  view(): Promise<SelfView>;
  /** Asks the daemon now, for whoever has just changed something. */
  refresh(): Promise<SelfView>;
  /** The same moment's view, and the task that manages; null when none lives. Rejects with a DaemonError or a BusError. */
  look(): Promise<{ readonly self: SelfView; readonly manager: string | null }>;
  /** The task that manages; null when none lives. Rejects with a DaemonError or a BusError. */
  manager(): Promise<string | null>;
}

const FRESH_MS = 400;

/** `daemon` is null where the trooper runs alone; then every question is answered with a DaemonError. */
export function createSquad(daemon: Daemon | null, bus: Bus, service: string): Squad {
  let asked: { readonly at: number; readonly answer: Promise<SelfView> } | null = null;

  const refresh = async (): Promise<SelfView> => {
    const answer = reach(daemon).self();
    asked = { at: Date.now(), answer };
    // A failure is told to those who asked, and not kept for those who ask next.
    answer.catch(() => (asked = null));
    return answer;
  };
  const view = (): Promise<SelfView> => (asked !== null && Date.now() - asked.at < FRESH_MS ? asked.answer : refresh());
  const look: Squad['look'] = async () => {
    const self = await view();
    const slots = [...new Set(self.tasks.map(({ slot }) => slot))];
    const [override, seats] = await Promise.all([bus.get(KEYS.override(service)), readRecords(bus, service, slots)]);
    const isSeated = ({ id, slot }: TaskView): boolean => seats.get(slot)?.task_id === id;
    return { self, manager: managerOf(self.tasks, override === null ? null : Number(override), isSeated)?.id ?? null };
  };

  return { view, refresh, look, manager: async () => (await look()).manager };
}

/** Throws a DaemonError where the trooper runs alone. */
export function reach(daemon: Daemon | null): Daemon {
  if (daemon === null) throw new DaemonError('unreachable', 'this trooper runs without a daemon');
  return daemon;
}
