import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { DaemonError } from '../kit/daemon-error.ts';
import { Refusal } from '../world/http.ts';
import { serviceNamed } from './orders.ts';
import { readRosters } from './roster.ts';
import { readSize, rememberSize, writeSize } from './size.ts';
import { reach } from './squad.ts';
import type { Trooper } from './trooper.ts';

/**
 * More or fewer troopers. The own service is scaled at once, so that the caller hears what the daemon says; of another one only
 * the size is written, which whoever manages it carries out.
 */
const REFUSAL = 'replicas must be an integer between 1 and 20';

const Body = Type.Object(
  { replicas: Type.Integer({ minimum: 1, maximum: 20 }), service: Type.Optional(Type.Unknown()) },
  { refusal: REFUSAL },
);
const Scaling = Type.Object({
  ok: Type.Literal(true),
  service: Type.String(),
  desired_replicas: Type.Integer(),
  status: Type.Literal('scaling'),
});

export function serveScale(http: FastifyInstance, trooper: Trooper): void {
  http.post<{ Body: Static<typeof Body> }>(
    '/api/scale',
    { schema: { body: Body, response: { 202: Scaling } } },
    async (request, reply) => {
      const { replicas } = request.body;
      const service = serviceNamed(trooper.settings, request.body.service ?? trooper.settings.service);
      if (service === trooper.settings.service) await scaleOwn(trooper, replicas);
      else await scaleOther(trooper, service, replicas);
      return reply.code(202).send({ ok: true, service, desired_replicas: replicas, status: 'scaling' });
    },
  );
}

async function scaleOwn(trooper: Trooper, replicas: number): Promise<void> {
  // First, because what could not be remembered must not be done.
  await readSize(trooper.bus, trooper.settings.service);
  try {
    await reach(trooper.daemon).scale(replicas);
  } catch (error) {
    if (error instanceof DaemonError && error.code === 'replicas-out-of-range') throw new Refusal(400, REFUSAL);
    throw error;
  }
  await rememberSize(trooper);
}

async function scaleOther({ bus }: Trooper, service: string, replicas: number): Promise<void> {
  const most = (await readRosters(bus, [service])).get(service)?.replicas_max ?? replicas;
  if (replicas > most) throw new Refusal(400, REFUSAL);
  await writeSize(bus, service, replicas);
}
