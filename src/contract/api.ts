import Type, { type Static } from 'typebox';
import { AGENT_NAME } from './config.ts';
import { AGENT_STATES, KEPT_STATES, POLICIES } from './events.ts';

/**
 * Bodies of the internal port, requests and replies. The OpenAPI document is made from these, Fastify checks by them, and
 * the agents' kit and the command line read them. Times are RFC 3339 in UTC.
 */
const literals = <T extends string>(names: readonly T[]) => Type.Unsafe<T>({ type: 'string', enum: [...names] });
const time = (description: string) => Type.String({ format: 'date-time', description });
const timeOrNull = (description: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', description });
const duration = (description: string) => Type.String({ pattern: '^[0-9]{1,9}(ms|s|m|h|d)$', description });
const strict = { additionalProperties: false } as const;

export const AgentName = Type.String({ pattern: AGENT_NAME });
const State = literals(AGENT_STATES);

// Routes that agents register.
export const RegisterBody = Type.Object(
  {
    hostname: Type.String({ minLength: 1, maxLength: 255 }),
    target: Type.String({
      minLength: 1,
      maxLength: 300,
      description: '`:port` of the own task, or an http URL whose host is the agent itself',
    }),
    ttl: Type.Optional(duration('Gone after this long unless it is posted again; without it, gone when the agent sleeps')),
    agent: Type.Optional(AgentName),
  },
  strict,
);
export type RegisterBody = Static<typeof RegisterBody>;
export const ServiceView = Type.Object({
  hostname: Type.String(),
  target: Type.String(),
  agent: Type.String(),
  expires_at: timeOrNull('null: until the agent sleeps'),
});
export type ServiceView = Static<typeof ServiceView>;
export const AdminServiceView = Type.Object({ ...ServiceView.properties, created_at: time('When it was first registered') });
export type AdminServiceView = Static<typeof AdminServiceView>;

// What an agent asks about itself.
export const TaskView = Type.Object({
  id: Type.String(),
  slot: Type.Integer(),
  name: Type.String(),
  node: Type.String(),
  state: literals(['starting', 'running', 'ending']),
  address: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'host:port' }),
  started_at: time('When the task was started'),
  on_leader: Type.Boolean(),
});
export type TaskView = Static<typeof TaskView>;
export const Replicas = Type.Object({ wanted: Type.Integer(), running: Type.Integer(), max: Type.Integer() });
export const SelfView = Type.Object({
  agent: Type.String(),
  state: State,
  since: time('When it entered that state'),
  woken_by: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'What caused the last wake' }),
  last_activity: timeOrNull('End of the last work, also under an earlier daemon; now while there is work'),
  sleeps_at: timeOrNull('When it will be put to sleep if nobody calls; null while there is work or it never sleeps'),
  hostnames: Type.Array(Type.String()),
  domains: Type.Array(Type.String()),
  replicas: Replicas,
  tasks: Type.Array(TaskView),
});
export type SelfView = Static<typeof SelfView>;
export const ScaleBody = Type.Object({ replicas: Type.Integer() }, strict);
export const BusyBody = Type.Object(
  {
    ttl: duration('Longest the lease lasts; more than idle.busy_max is granted as that much'),
    reason: Type.String({ minLength: 1, maxLength: 200 }),
  },
  strict,
);
export const BusyReply = Type.Object({ expires_at: time('When the lease ends by itself') });

// Admin.
export const OverrideBody = Type.Object(
  {
    state: literals(KEPT_STATES),
    until: Type.Optional(time('Lifted by itself then; must be in the future. Without it: until it is lifted')),
  },
  strict,
);
export type OverrideBody = Static<typeof OverrideBody>;
export const OverrideView = Type.Object({
  state: literals(KEPT_STATES),
  since: time('When it was ordered'),
  until: Type.Optional(time('Lifted by itself then')),
});
export type OverrideView = Static<typeof OverrideView>;
export const AgentView = Type.Object({
  name: Type.String(),
  hostname: Type.String(),
  hostnames: Type.Array(Type.String()),
  policy: literals(POLICIES),
  backend: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  container_name: Type.Optional(Type.String()),
  health_url: Type.Optional(Type.String()),
  idle_timeout: Type.Optional(Type.String()),
  state: State,
  since: time('When it entered that state'),
  connections: Type.Integer({ description: 'Open WebSockets' }),
  in_flight: Type.Integer({ description: 'Open requests' }),
  held: Type.Integer({ description: 'Requests that wait for it to be awake' }),
  last_activity: timeOrNull('End of the last work, also under an earlier daemon; now while there is work'),
  sleeps_at: Type.Optional(time('When it will be put to sleep if nobody calls')),
  replicas: Replicas,
  waits_for: Type.Optional(literals(['place'])),
  attempts: Type.Optional(Type.Integer({ description: 'Failed starts in a row' })),
  problem: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
  busy: Type.Optional(
    Type.Array(Type.Object({ task: Type.String(), reason: Type.String(), expires_at: time('End of the lease') })),
  ),
  override: Type.Optional(OverrideView),
});
export type AgentView = Static<typeof AgentView>;
export const CreateAgentBody = Type.Object(
  {
    name: AgentName,
    hostname: Type.String({ minLength: 1, maxLength: 255 }),
    backend: Type.String({ minLength: 1, maxLength: 300 }),
    policy: literals(POLICIES),
    container_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    health_url: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
    idle_timeout: Type.Optional(duration('As idle.timeout')),
  },
  strict,
);
export type CreateAgentBody = Static<typeof CreateAgentBody>;
export const HealthView = Type.Object({
  status: literals(['ok', 'degraded', 'draining']),
  uptime_seconds: Type.Number(),
  agent_count: Type.Integer(),
  ready_count: Type.Integer({ description: 'ready or running; frozen ones are not among them' }),
  frozen_count: Type.Integer(),
  sleeping_count: Type.Integer(),
  places: Type.Optional(
    Type.Object(
      { taken: Type.Integer(), max: Type.Integer() },
      { description: 'With max_ready_agents: on-demand agents that are awake, start or stop, and how many may be' },
    ),
  ),
  ws_connections: Type.Integer(),
  service_count: Type.Integer(),
  engine: Type.Object({ name: Type.String(), connected: Type.Boolean(), since: time('Connected, or not, since') }),
  config: Type.Object({
    loaded_at: time('When the config in force was loaded'),
    error: Type.Optional(Type.String({ description: 'Why the last reload was rejected' })),
  }),
});
export type HealthView = Static<typeof HealthView>;
export const ReloadView = Type.Object({
  added: Type.Array(Type.String()),
  removed: Type.Array(Type.String()),
  changed: Type.Array(Type.String()),
  restart_needed: Type.Array(Type.String({ description: 'Keys whose change takes effect at the next start' })),
});
export type ReloadView = Static<typeof ReloadView>;
export const StatusReply = Type.Object({ status: Type.String() });
export const ProblemReply = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.Optional(Type.String()),
    instance: Type.String(),
  },
  { additionalProperties: true, description: 'RFC 9457' },
);

/** The header by which a task of an agent with several tasks says which one it is. */
export const TASK_HEADER = 'x-reveille-task';
