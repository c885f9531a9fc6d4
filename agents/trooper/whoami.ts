import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import { colorOf } from '../world/names.ts';
import { WhoamiView } from '../world/views.ts';
import type { Trooper } from './trooper.ts';

/** Which of the troopers answers. */
export function serveWhoami(http: FastifyInstance, trooper: Trooper): void {
  http.get('/api/whoami', { schema: { response: { 200: WhoamiView } } }, async (): Promise<WhoamiView> => ({
    hostname: hostname(),
    started_at_utc: trooper.startedAt.toISOString(),
    service: trooper.settings.service,
    swarm_node: trooper.settings.node,
    task_name: trooper.taskName,
    task_slot: trooper.slot,
    task_id: trooper.taskId,
    color: colorOf(hostname()),
  }));
}
