import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { KEYS, TTL } from '../world/keys.ts';
import { Refusal } from '../world/http.ts';
import { TaskOrder, orderElsewhere, serviceNamed } from './orders.ts';
import { reach } from './squad.ts';
import type { Trooper } from './trooper.ts';
import { bySlot } from './who-manages.ts';

/**
 * A trooper fails, and another one manages for a while. The daemon starts a new task, which goes on in the same seat.
 */

/** Long enough for the answer to go out, also where the task that fails is the one that answers. */
const AFTER_MS = 300;

const Triggered = Type.Object({
  ok: Type.Literal(true),
  service: Type.String(),
  removed_task_id: Type.String(),
  next_manager_slot: Type.Integer(),
  override_ttl_seconds: Type.Integer(),
  status: Type.Literal('outage-triggered'),
});

export function serveOutage(http: FastifyInstance, trooper: Trooper): void {
  const { bus, squad, settings } = trooper;
  http.post<{ Body: TaskOrder }>(
    '/api/outage',
    { schema: { body: TaskOrder, response: { 202: Triggered } } },
    async (request, reply) => {
      const service = serviceNamed(settings, request.body.service);
      const { task_id } = request.body;
      if (service !== settings.service) return orderElsewhere(trooper, '/api/outage', { service, task_id }, reply);
      const daemon = reach(trooper.daemon);
      const running = (await squad.refresh()).tasks.filter(({ state }) => state === 'running').toSorted(bySlot);
      const failing = running.find(({ id }) => id === task_id);
      if (failing === undefined) throw new Refusal(404, 'task not found in service');
      const next = running.find(({ slot }) => slot !== failing.slot);
      if (next === undefined) throw new Refusal(409, 'no other running slot can take over');
      await bus.set(KEYS.override(service), String(next.slot), TTL.override);
      void pause(AFTER_MS)
        .then(() => daemon.endTask(task_id, { replace: true }))
        .catch((error: unknown) => trooper.log.warn({ err: error, task: task_id }, 'outage was ordered and did not happen'));
      return reply.code(202).send({
        ok: true,
        service,
        removed_task_id: task_id,
        next_manager_slot: next.slot,
        override_ttl_seconds: TTL.override,
        status: 'outage-triggered',
      });
    },
  );
}
