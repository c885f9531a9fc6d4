import Type from 'typebox';
import { HealthView, StatusReply } from '../contract/api.ts';
import { Problem } from '../contract/problems.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Control } from '../runtime/control.ts';
import { type App, call } from './openapi.ts';

/** Whether the daemon lives, whether it can serve, and its figures. The only calls that may be open to all. */
export function healthRoutes(app: App, control: Control, metrics: Metrics, metricsAuth: 'none' | 'bearer'): void {
  app.get(
    '/healthz',
    call({
      access: 'open',
      id: 'isAlive',
      tag: 'operation',
      summary: 'Whether the process lives',
      replies: { 200: StatusReply },
    }),
    () => ({ status: 'ok' }),
  );

  app.get(
    '/readyz',
    call({
      access: 'open',
      id: 'isReady',
      tag: 'operation',
      summary: 'Whether the config is loaded, the engine reachable and no shutdown under way',
      replies: { 200: StatusReply },
      problems: ['not-ready'],
    }),
    () => {
      const { ready, because } = control.ready();
      if (!ready) throw new Problem('not-ready', because);
      return { status: 'ready' };
    },
  );

  app.get(
    '/metrics',
    call({
      access: metricsAuth === 'none' ? 'local-or-admin' : 'admin',
      id: 'getMetrics',
      tag: 'operation',
      summary: 'Figures for Prometheus',
      description: 'Open or with the admin token, as metrics.auth says.',
      replies: { 200: Type.String({ description: 'Prometheus text format 0.0.4' }) },
      mediaType: 'text/plain',
    }),
    async (_request, reply) => {
      const { contentType, text } = await metrics.expose();
      return reply.type(contentType).send(text);
    },
  );

  app.get(
    '/admin/health',
    call({
      access: 'admin',
      id: 'getHealth',
      tag: 'operation',
      summary: 'The daemon in figures',
      replies: { 200: HealthView },
    }),
    () => control.health(),
  );
}
