import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { DaemonError } from '../kit/daemon-error.ts';
import { Refusal } from '../world/http.ts';
import { changeRecord, readRecord, vacant } from './memory.ts';
import { TaskOrder, orderElsewhere, serviceNamed } from './orders.ts';
import { rememberSize } from './size.ts';
import { reach } from './squad.ts';
import type { Trooper } from './trooper.ts';
import { isLive } from './who-manages.ts';

/** The end of a trooper: its task goes, its seat becomes vacant, and the world has one fewer from now on. */
const UNKNOWN = 'task not found in service';
const LAST = 'cannot self-destruct when service has only 1 replica';

const Triggered = Type.Object({
  ok: Type.Literal(true),
  service: Type.String(),
  removed_task_id: Type.String(),
  status: Type.Literal('self-destruct-triggered'),
});

export function serveSelfDestruct(http: FastifyInstance, trooper: Trooper): void {
  http.post<{ Body: TaskOrder }>(
    '/api/self_destruct',
    { schema: { body: TaskOrder, response: { 202: Triggered } } },
    async (request, reply) => {
      const service = serviceNamed(trooper.settings, request.body.service);
      const { task_id } = request.body;
      if (service !== trooper.settings.service) {
        return orderElsewhere(trooper, '/api/self_destruct', { service, task_id }, reply);
      }
      await destroy(trooper, task_id);
      return reply.code(202).send({ ok: true, service, removed_task_id: task_id, status: 'self-destruct-triggered' });
    },
  );
}

/**
 * The task first: whoever is vacated before the daemon has agreed may go on without a memory. What is written afterwards can
 * fail; then the trooper sleeps in its seat, which is what happens to one that is scaled away.
 */
async function destroy(trooper: Trooper, taskId: string): Promise<void> {
  const { bus, squad, settings } = trooper;
  const live = (await squad.refresh()).tasks.filter(isLive);
  const task = live.find(({ id }) => id === taskId);
  if (task === undefined) throw new Refusal(404, UNKNOWN);
  if (live.length === 1) throw new Refusal(409, LAST);
  const stored = await readRecord(bus, settings.service, task.slot);
  if (stored?.record.task_id === taskId && stored.record.departing !== null) {
    throw new Refusal(409, 'the task is leaving for another rack');
  }
  try {
    await reach(trooper.daemon).endTask(taskId);
  } catch (error) {
    if (error instanceof DaemonError && error.code === 'unknown-task') throw new Refusal(404, UNKNOWN);
    if (error instanceof DaemonError && error.code === 'last-task') throw new Refusal(409, LAST);
    throw error;
  }
  await rememberSize(trooper);
  await changeRecord(bus, settings.service, task.slot, (record) =>
    record?.task_id === taskId && record.departing === null ? vacant(taskId) : null,
  );
}
