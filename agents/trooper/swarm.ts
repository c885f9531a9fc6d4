import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { DaemonError } from '../kit/daemon-error.ts';
import { SwarmView } from '../world/views.ts';
import { readRecords } from './memory.ts';
import { readRosters } from './roster.ts';
import { swarmOf } from './tiles.ts';
import type { Trooper } from './trooper.ts';

/** Who is there: of the own service as the daemon says, of others as they have written down themselves. */
export function serveSwarm(http: FastifyInstance, trooper: Trooper): void {
  http.get('/api/swarm', { schema: { response: { 200: SwarmView } } }, () => readSwarm(trooper));
  const Swarms = Type.Object({ swarms: Type.Array(SwarmView) });
  http.get('/api/swarms', { schema: { response: { 200: Swarms } } }, async () => ({ swarms: await readSwarms(trooper) }));
}

/** The own service. Rejects with a DaemonError or a BusError. */
export async function readSwarm({ bus, squad, settings }: Trooper): Promise<SwarmView> {
  const { self, manager } = await squad.look();
  const slots = self.tasks.map(({ slot }) => slot);
  return swarmOf(settings.service, self, manager, await readRecords(bus, settings.service, slots));
}

/** Every service of the world, the own one first; one of which nothing can be learnt has an error. Rejects with a BusError. */
export async function readSwarms(trooper: Trooper): Promise<SwarmView[]> {
  const [, ...others] = trooper.settings.services;
  const [own, rosters] = await Promise.all([ownOrError(trooper), readRosters(trooper.bus, others)]);
  return [own, ...others.map((name) => rosters.get(name)?.swarm ?? unknown(name, 'nothing has been heard of this service'))];
}

async function ownOrError(trooper: Trooper): Promise<SwarmView> {
  try {
    return await readSwarm(trooper);
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    return unknown(trooper.settings.service, `Docker API unavailable: ${error.message}`);
  }
}

const unknown = (service: string, error: string): SwarmView => ({
  service,
  error,
  desired_replicas: 0,
  running_count: 0,
  replicas: [],
});
