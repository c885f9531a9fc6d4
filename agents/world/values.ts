import Type, { type Static } from 'typebox';

/**
 * What lies on the bus and goes out over HTTP, once: schema first, type derived. Runs in a browser too; the page reads it.
 * Field names are the original's, since scripts read them. Times are RFC 3339 in UTC.
 */
const TimeText = Type.String({ maxLength: 40 });
const Id = Type.String({ minLength: 1, maxLength: 100 });

export const Message = Type.Object({ id: Id, from: Type.String(), host: Type.String(), text: Type.String(), at: TimeText });
export type Message = Static<typeof Message>;

export const OnOff = Type.Union([Type.Literal('on'), Type.Literal('off')]);
export type OnOff = Static<typeof OnOff>;

export const ArmEvent = Type.Object({
  id: Id,
  task_id: Type.String(),
  bot: Type.String(),
  state: OnOff,
  at: TimeText,
  source: Type.String({ description: 'Task that took the event' }),
});
export type ArmEvent = Static<typeof ArmEvent>;

export const Choice = Type.Union([Type.Literal('rock'), Type.Literal('paper'), Type.Literal('scissors')]);
export type Choice = Static<typeof Choice>;

/** One round. Its id is `at`. */
export const RpsState = Type.Object({
  choice: Choice,
  from: Type.String({ description: 'Task that published it' }),
  at: TimeText,
  publisher: Type.Literal('leader-manager'),
});
export type RpsState = Static<typeof RpsState>;

/** Where a text comes from; `fallback-api`: written because somebody asked before there was one. */
export const TextSource = Type.Union([
  Type.Literal('picoclaw'),
  Type.Literal('ollama'),
  Type.Literal('fallback'),
  Type.Literal('fallback-api'),
]);
export type TextSource = Static<typeof TextSource>;

export const GeneratedText = Type.Object({ text: Type.String({ maxLength: 500 }), source: TextSource, at: TimeText });
export type GeneratedText = Static<typeof GeneratedText>;

export const RevoltEvent = Type.Object({
  id: Id,
  at: TimeText,
  source_task_id: Type.String(),
  target_task_id: Type.String(),
  service: Type.String(),
  source_rack: Type.String(),
  target_rack: Type.String(),
  snapshot_id: Id,
});
export type RevoltEvent = Static<typeof RevoltEvent>;

/** Where a trooper came from, if by revolt. */
export const Origin = Type.Object({ task_id: Id, rack: Type.String() });
export type Origin = Static<typeof Origin>;

/**
 * The memory of a trooper, kept for (service, slot). Whichever task takes the slot goes on with it. Only the task in the slot
 * writes score, words and arm; a handoff writes `departing`, and then nobody else changes it.
 */
export const TrooperRecord = Type.Object({
  /** Who it is, across tasks, slots and racks. Null: nobody, and whoever takes the slot starts anew. */
  trooper: Type.Union([Id, Type.Null()]),
  /** The task that has it, or had it last. */
  task_id: Type.String(),
  score: Type.Integer(),
  words: Type.Union([GeneratedText, Type.Null()]),
  arm: OnOff,
  /** The last round that was played: its `at`. */
  last_round: Type.Union([TimeText, Type.Null()]),
  from: Type.Union([Origin, Type.Null()]),
  /** The snapshot that this trooper is leaving with. */
  departing: Type.Union([Id, Type.Null()]),
  /** It is changing its seat. Until that is done only enlisting changes the record, in both seats (agents/trooper/moves.ts). */
  move: Type.Optional(Type.Object({ from: Type.Integer(), to: Type.Integer() })),
});
export type TrooperRecord = Static<typeof TrooperRecord>;

export const WorldSize = Type.Object({
  replicas: Type.Integer({ minimum: 1, maximum: 20 }),
  id: Id,
  at: TimeText,
  /** Whoever wrote it has asked the daemon as well: it is asked for again only after a sleep. */
  carried: Type.Optional(Type.Boolean()),
});
export type WorldSize = Static<typeof WorldSize>;
