import Type, { type Static } from 'typebox';
import { ArmEvent, GeneratedText, Message, OnOff, Origin, RevoltEvent, RpsState } from './values.ts';

/** What the trooper's API answers, as far as more than one reader needs its shape: the API, the page and its live stream. */
export const ReplicaView = Type.Object({
  id: Type.String(),
  slot: Type.Integer(),
  state: Type.String({ description: 'In the words of Docker Swarm: running, starting' }),
  node_id: Type.String(),
  name: Type.String(),
  color: Type.String(),
  is_manager: Type.Boolean(),
  score: Type.Integer(),
  three_words: Type.String(),
  arm: OnOff,
  from: Type.Union([Origin, Type.Null()]),
});
export type ReplicaView = Static<typeof ReplicaView>;

export const SwarmView = Type.Object({
  service: Type.String(),
  desired_replicas: Type.Integer(),
  running_count: Type.Integer(),
  replicas: Type.Array(ReplicaView),
  /** Instead of replicas, where nothing could be learnt of the service. */
  error: Type.Optional(Type.String()),
});
export type SwarmView = Static<typeof SwarmView>;

/** What troopers of other services learn of a service. */
export const Roster = Type.Object({
  swarm: SwarmView,
  replicas_max: Type.Integer(),
  addresses: Type.Array(Type.String({ maxLength: 300, pattern: '^[a-zA-Z0-9.:_\\[\\]-]+$' }), {
    description: 'host:port of its running tasks',
  }),
});
export type Roster = Static<typeof Roster>;

export const RpsView = Type.Object({
  state: Type.Union([RpsState, Type.Null()]),
  interval_seconds: Type.Integer(),
  ttl_seconds: Type.Integer(),
});
export type RpsView = Static<typeof RpsView>;

export const HaikuView = Type.Object({ haiku: Type.Union([GeneratedText, Type.Null()]), interval_seconds: Type.Integer() });
export type HaikuView = Static<typeof HaikuView>;

export const WhoamiView = Type.Object({
  hostname: Type.String(),
  started_at_utc: Type.String(),
  service: Type.String(),
  swarm_node: Type.String(),
  task_name: Type.String(),
  task_slot: Type.Integer(),
  task_id: Type.String(),
  color: Type.String(),
});
export type WhoamiView = Static<typeof WhoamiView>;

/** One event of the live stream: everything that the page shows. A part is null while it cannot be read. */
export const LiveView = Type.Object({
  at: Type.String(),
  /** The rack's badge; empty where it has none. */
  label: Type.String(),
  /** The limit of scale. */
  replicas_max: Type.Integer(),
  /** Where revolts go to; null: nowhere is configured. */
  peer: Type.Union([Type.String(), Type.Null()]),
  swarms: Type.Union([Type.Array(SwarmView), Type.Null()]),
  chat: Type.Union([Type.Array(Message), Type.Null()]),
  arm_events: Type.Union([Type.Array(ArmEvent), Type.Null()]),
  rps: Type.Union([RpsView, Type.Null()]),
  haiku: Type.Union([HaikuView, Type.Null()]),
  revolt_events: Type.Union([Type.Array(RevoltEvent), Type.Null()]),
});
export type LiveView = Static<typeof LiveView>;
