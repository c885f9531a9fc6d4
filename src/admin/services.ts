import Type from 'typebox';
import { AdminServiceView, RegisterBody, ServiceView, StatusReply } from '../contract/api.ts';
import type { AdminServiceView as AdminService, ServiceView as Service } from '../contract/api.ts';
import type { Control } from '../runtime/control.ts';
import { AgentQuery, agentOf, callerOf } from './auth.ts';
import { type App, call } from './openapi.ts';
import { valueOf } from './problems.ts';

/** Hostnames that agents register for themselves, and the operator's view of them. */
const Hostname = Type.Object({ hostname: Type.String() });

export function serviceRoutes(app: App, control: Control): void {
  app.post(
    '/api/services',
    call({
      access: 'agent-or-admin',
      id: 'registerService',
      tag: 'services',
      summary: 'Register a hostname, or renew it',
      description: 'The admin token has to name the `agent`. The target is not dialled now; it is checked again at every dial.',
      body: RegisterBody,
      replies: { 200: ServiceView },
      problems: [
        'invalid-hostname',
        'invalid-target',
        'task-required',
        'not-your-task',
        'foreign-target',
        'hostname-not-allowed',
        'unknown-agent',
        'hostname-taken',
        'agent-asleep',
        'route-limit',
        'state-failed',
      ],
    }),
    (request) => valueOf(control.register(callerOf(request, { name: request.body.agent, in: 'body' }), request.body)),
  );

  app.get(
    '/api/services',
    call({
      access: 'agent-or-admin',
      id: 'listOwnServices',
      tag: 'services',
      summary: 'Registered hostnames of the agent; of all agents for the operator who names none',
      query: AgentQuery,
      replies: { 200: Type.Array(ServiceView) },
      problems: ['unknown-agent'],
    }),
    (request): readonly Service[] => {
      const { agent } = request.query;
      if (request.identity?.kind === 'admin' && agent === undefined) return control.services().map(withoutCreation);
      const named = agentOf(request, { name: agent, in: 'query' });
      // An unknown name gets its 404, not an empty list that looks like an agent without routes.
      valueOf(control.agent(named));
      return control.servicesOf(named);
    },
  );

  app.delete(
    '/api/services/:hostname',
    call({
      access: 'agent-or-admin',
      id: 'removeService',
      tag: 'services',
      summary: 'Remove a registered hostname',
      description: 'An agent may remove its own, the operator any.',
      params: Hostname,
      replies: { 200: StatusReply },
      problems: ['unknown-service', 'task-required', 'not-your-task', 'state-failed'],
    }),
    (request) => {
      const caller = request.identity?.kind === 'admin' ? null : callerOf(request, { name: undefined, in: 'query' });
      valueOf(control.unregister(caller, request.params.hostname));
      return { status: 'ok' };
    },
  );

  app.get(
    '/admin/services',
    call({
      access: 'admin',
      id: 'listServices',
      tag: 'services',
      summary: 'All registered hostnames',
      replies: { 200: Type.Array(AdminServiceView) },
    }),
    () => control.services(),
  );
}

const withoutCreation = ({ hostname, target, agent, expires_at }: AdminService): Service => ({
  hostname,
  target,
  agent,
  expires_at,
});
