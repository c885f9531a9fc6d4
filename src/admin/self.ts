import Type from 'typebox';
import { BusyBody, BusyReply, ScaleBody, SelfView, StatusReply } from '../contract/api.ts';
import { Problem } from '../contract/problems.ts';
import { parseDuration } from '../contract/units.ts';
import type { Control } from '../runtime/control.ts';
import { AgentQuery, callerOf } from './auth.ts';
import { type App, call } from './openapi.ts';
import { valueOf } from './problems.ts';

/** What an agent may ask and order about itself: agents never see the engine. The operator does it in an agent's name. */
const TaskId = Type.Object({ id: Type.String() });
const EndQuery = Type.Object(
  {
    ...AgentQuery.properties,
    replace: Type.Optional(
      Type.Unsafe<'true' | 'false'>({ type: 'string', enum: ['true', 'false'], description: 'Let the engine start another' }),
    ),
  },
  { additionalProperties: false },
);

export function selfRoutes(app: App, control: Control): void {
  app.get(
    '/api/self',
    call({
      access: 'agent-or-admin',
      id: 'getSelf',
      tag: 'self',
      summary: 'The agent as the daemon sees it, with its tasks',
      query: AgentQuery,
      replies: { 200: SelfView },
      problems: ['unknown-agent', 'not-your-task', 'task-required'],
    }),
    (request) => valueOf(control.self(callerOf(request, { name: request.query.agent, in: 'query' }))),
  );

  app.post(
    '/api/self/scale',
    call({
      access: 'agent-or-admin',
      id: 'scaleSelf',
      tag: 'self',
      summary: 'Run this many tasks, until the next sleep',
      query: AgentQuery,
      body: ScaleBody,
      replies: { 202: StatusReply },
      problems: [
        'unknown-agent',
        'replicas-out-of-range',
        'task-required',
        'not-your-task',
        'agent-asleep',
        'not-on-demand',
        'engine-unavailable',
      ],
    }),
    async (request, reply) => {
      const caller = callerOf(request, { name: request.query.agent, in: 'query' });
      valueOf(await control.scaleSelf(caller, request.body.replicas));
      return reply.code(202).send({ status: 'scaling' });
    },
  );

  app.delete(
    '/api/self/tasks/:id',
    call({
      access: 'agent-or-admin',
      id: 'endTask',
      tag: 'self',
      summary: 'End exactly this task; one fewer is wanted afterwards',
      params: TaskId,
      query: EndQuery,
      replies: { 202: StatusReply },
      problems: [
        'unknown-agent',
        'unknown-task',
        'last-task',
        'task-elsewhere',
        'task-required',
        'not-your-task',
        'not-on-demand',
        'engine-unavailable',
      ],
    }),
    async (request, reply) => {
      const { agent, replace } = request.query;
      const caller = callerOf(request, { name: agent, in: 'query' });
      valueOf(await control.endTask(caller, request.params.id, { replace: replace === 'true' }));
      return reply.code(202).send({ status: 'ending' });
    },
  );

  app.put(
    '/api/self/busy',
    call({
      access: 'agent-or-admin',
      id: 'takeLease',
      tag: 'self',
      summary: 'Stay awake while there is work that no request shows',
      description: 'A lease of the calling task; taking it again renews it.',
      query: AgentQuery,
      body: BusyBody,
      replies: { 200: BusyReply },
      problems: ['unknown-agent', 'task-required', 'not-your-task', 'agent-asleep'],
    }),
    (request) => {
      const ttl = parseDuration(request.body.ttl);
      if (ttl === null) throw new Problem('invalid-body', 'ttl: is too long');
      const caller = callerOf(request, { name: request.query.agent, in: 'query' });
      return { expires_at: valueOf(control.takeLease(caller, ttl, request.body.reason)).expiresAt };
    },
  );

  app.delete(
    '/api/self/busy',
    call({
      access: 'agent-or-admin',
      id: 'dropLease',
      tag: 'self',
      summary: "End the calling task's lease",
      query: AgentQuery,
      replies: { 200: StatusReply },
      problems: ['unknown-agent', 'task-required', 'not-your-task', 'agent-asleep'],
    }),
    (request) => {
      valueOf(control.dropLease(callerOf(request, { name: request.query.agent, in: 'query' })));
      return { status: 'ok' };
    },
  );
}
