import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { Check } from 'typebox/value';
import { BusError } from '../world/bus-error.ts';
import type { Bus } from '../world/bus.ts';
import { KEPT, KEYS, TTL } from '../world/keys.ts';
import { appendTo, readList } from '../world/lists.ts';
import { generatedName } from '../world/names.ts';
import { ArmEvent, type OnOff } from '../world/values.ts';
import { readSeats } from './enlist.ts';
import { readSeat, storeRecord } from './memory.ts';
import type { Trooper } from './trooper.ts';

/** Arming a trooper: an event in a list that all services share, and where the trooper sits here, its record too. */
const REFUSAL = 'invalid payload or memcached unavailable';
const BODY_BYTES_MAX = 16_384;
const ATTEMPTS_MAX = 20;

const Body = Type.Object(
  {
    task_id: Type.String({ minLength: 1, maxLength: 100 }),
    bot: Type.Optional(Type.Union([Type.String({ maxLength: 100 }), Type.Null()])),
    state: Type.String({ pattern: '^(?:[oO][nN]|[oO][fF][fF])$' }),
  },
  { refusal: REFUSAL },
);
const List = Type.Object({ events: Type.Array(ArmEvent), source: Type.Literal('memcached') });
const Posted = Type.Object({ ok: Type.Literal(true), event: ArmEvent });

/** Oldest first. Rejects with a BusError. */
export const readArmEvents = (bus: Bus): Promise<ArmEvent[]> =>
  readList(bus, KEYS.armEvents, (value): value is ArmEvent => Check(ArmEvent, value));

export function serveArm(http: FastifyInstance, trooper: Trooper): void {
  const { bus, taskName } = trooper;
  http.get('/api/arm/events', { schema: { response: { 200: List } } }, async () => ({
    events: await readArmEvents(bus),
    source: 'memcached',
  }));

  http.post<{ Body: Static<typeof Body> }>(
    '/api/arm',
    { schema: { body: Body, response: { 201: Posted } }, bodyLimit: BODY_BYTES_MAX },
    async (request, reply) => {
      const { task_id } = request.body;
      const bot = request.body.bot?.toWellFormed().trim() ?? '';
      const event: ArmEvent = {
        id: randomBytes(6).toString('hex'),
        task_id: task_id.toWellFormed(),
        bot: bot === '' ? generatedName(task_id) : bot,
        state: request.body.state.toLowerCase() as OnOff,
        at: new Date().toISOString(),
        source: taskName,
      };
      await appendTo(bus, KEYS.armEvents, event, KEPT.armEvents, TTL.list);
      for (const service of trooper.settings.services) {
        for (const [slot, record] of await readSeats(trooper, service)) {
          if (record.task_id === task_id) await follow(bus, service, slot, event);
        }
      }
      return reply.code(201).send({ ok: true, event });
    },
  );
}

/**
 * The newest event of the list counts, and not the one that got here last: it is read after the record, so that whoever
 * stores an older one is overtaken.
 */
async function follow(bus: Bus, service: string, slot: number, event: ArmEvent): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { record, version } = await readSeat(bus, service, slot);
    if (record?.task_id !== event.task_id || record.trooper === null || record.departing !== null) return;
    const arm = (await readArmEvents(bus)).findLast(({ task_id }) => task_id === event.task_id)?.state ?? event.state;
    if (record.arm === arm || (await storeRecord(bus, service, slot, { ...record, arm }, version))) return;
  }
  throw new BusError(`the record of ${event.task_id} was changed by others ${ATTEMPTS_MAX} times in a row`);
}
