import type { Bus } from '../world/bus.ts';
import { KEYS, TTL } from '../world/keys.ts';
import { Roster } from '../world/views.ts';
import { readRecords } from './memory.ts';
import { swarmOf } from './tiles.ts';
import type { Trooper } from './trooper.ts';
import { valueIn } from '../world/value-in.ts';

/**
 * What services of one world know of each other. The daemon tells each agent of itself alone, so whoever manages a service
 * writes down now and then what the others may see.
 */
const EVERY_MS = 2000;

/** Only where there are others to read it. */
export function startRoster(trooper: Trooper): void {
  const { bus, squad, settings, taskId } = trooper;
  if (settings.services.length < 2) return;
  trooper.keepDoing('roster', EVERY_MS, async () => {
    const { self, manager } = await squad.look();
    if (manager !== taskId) return EVERY_MS;
    const records = await readRecords(
      bus,
      settings.service,
      self.tasks.map(({ slot }) => slot),
    );
    const running = self.tasks.filter(({ state }) => state === 'running');
    const roster: Roster = {
      swarm: swarmOf(settings.service, self, manager, records),
      replicas_max: self.replicas.max,
      addresses: running.flatMap(({ address }) => (address === null ? [] : [address])),
    };
    await bus.set(KEYS.roster(settings.service), JSON.stringify(roster), TTL.roster);
    return EVERY_MS;
  });
}

/** Of those services of which something was heard lately. Rejects with a BusError. */
export async function readRosters(bus: Bus, services: readonly string[]): Promise<ReadonlyMap<string, Roster>> {
  const found = await bus.getMany(services.map((service) => KEYS.roster(service)));
  const rosters = services.map((service) => [service, valueIn(Roster, found.get(KEYS.roster(service)))] as const);
  return new Map(rosters.flatMap(([service, roster]) => (roster === null ? [] : [[service, roster] as const])));
}
