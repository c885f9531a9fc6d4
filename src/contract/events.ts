import Type, { type Static } from 'typebox';

/** Names of the agent states, as the seeds fixed them. */
export const AGENT_STATES = ['sleeping', 'starting', 'ready', 'frozen', 'draining', 'stopping', 'degraded', 'running'] as const;
export type AgentStateName = (typeof AGENT_STATES)[number];

export const POLICIES = ['on-demand', 'always-on', 'unmanaged'] as const;
export type PolicyName = (typeof POLICIES)[number];

/** What an operator may keep an agent, whoever calls. */
export const KEPT_STATES = ['asleep', 'awake'] as const;
export type KeptState = (typeof KEPT_STATES)[number];

/** Who asked for a wake. Also the label of reveille_wakes_total. */
export const WAKE_CAUSES = ['request', 'upgrade', 'api'] as const;
export type WakeCause = (typeof WAKE_CAUSES)[number];

/** Why an agent is asleep now. Also the label of reveille_sleeps_total. */
export const SLEEP_REASONS = ['idle', 'admin', 'evicted', 'startup-timeout', 'exited', 'external'] as const;
export type SleepReason = (typeof SLEEP_REASONS)[number];

/** Every event type, with what it means; docs and the event stream are made from this. */
export const EVENT_TYPES = {
  'agent.wake': 'Somebody wants the agent; `cause` says who.',
  'agent.starting': 'A start was ordered, or a start by somebody else was seen.',
  'agent.ready': 'A task passed its health check; requests go through. `ms` is the time since starting.',
  'agent.draining': 'New work is being kept out, or about to be; `reason` says why.',
  'agent.sleep': 'The agent is asleep now; `reason` says why.',
  'agent.sleep_refused': 'A sleep was ordered and called off, since there was still work at drain_timeout.',
  'agent.degraded': 'The agent is not well; `problem` says why.',
  'agent.recovered': 'The agent is well again.',
  'agent.health_failed': 'A health check failed; `failures` counts them in a row.',
  'agent.frozen': 'The agent is frozen: its memory is kept, it uses no CPU, and a call thaws it.',
  'agent.thawed': 'The agent was frozen and runs again; `ms` is how long that took.',
  'agent.kept': 'An operator keeps the agent asleep or awake: `state`, and `until` when.',
  'agent.released':
    'The agent is kept no longer; `reason` says why: lifted, until (its time has come) or config (the agent was removed, or is not on-demand any more).',
  'agent.added': 'The agent exists from now on. Not told of those that are there when the daemon starts.',
  'agent.removed': 'The agent is gone.',
  'restart.exhausted': 'max_restart_attempts starts in a row have failed.',
  'service.registered': 'An agent registered a hostname.',
  'service.removed': 'A registered hostname is gone; `reason` says why.',
  'config.reloaded': 'The config file was loaded again.',
  'config.rejected': 'The config file has mistakes; nothing changed.',
  'engine.lost': 'What runs the agents cannot be reached.',
  'engine.restored': 'What runs the agents is back, and everything was listed anew.',
} as const;
export type EventType = keyof typeof EVENT_TYPES;

/** One event as it leaves the daemon. `from` and `to` are states, where it is a transition. */
export const EventBody = Type.Object(
  {
    id: Type.Integer({ minimum: 1, description: 'Rising by one, also from one daemon to the next' }),
    type: Type.String({ description: 'One of the event types' }),
    agent: Type.Optional(Type.String()),
    at: Type.String({ format: 'date-time' }),
    from: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
  },
  { additionalProperties: true, $id: 'Event' },
);
export type EventBody = Static<typeof EventBody>;
