import Type, { type Static } from 'typebox';
import type { Origin } from '../../world/values.ts';
import { GeneratedText, OnOff } from '../../world/values.ts';

/**
 * A handoff between two racks, as each side keeps it on the bus and on disk. The source coordinates and abort is presumed:
 * until the source has committed the trooper is at home, from then on it is the target's, and a target in doubt asks.
 *
 * Times are milliseconds of the wall clock of the side that keeps them.
 */
export const SnapshotId = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9-]{7,63}$' });

const Name = Type.String({ minLength: 1, maxLength: 100 });

/** What a trooper takes along. The first three are the original's; the rest makes it whole. */
export const CarriedState = Type.Object({
  score: Type.Integer({ minimum: -1_000_000_000, maximum: 1_000_000_000 }),
  three_words: Type.String({ maxLength: 500 }),
  arm_state: OnOff,
  trooper: Name,
  words: Type.Union([GeneratedText, Type.Null()]),
});
export type CarriedState = Static<typeof CarriedState>;

export const Snapshot = Type.Object({
  snapshot_id: SnapshotId,
  service: Name,
  source_task_id: Name,
  at: Type.String({ maxLength: 40 }),
  /** The source's name, for badges and events. */
  rack: Type.String({ maxLength: 100 }),
  state: CarriedState,
});
export type Snapshot = Static<typeof Snapshot>;

const TextOrNull = Type.Union([Type.String({ maxLength: 1000 }), Type.Null()]);

/** Counts the changes, so that an old copy is told from a new one. */
const Revision = Type.Integer({ minimum: 0 });

export const SourceHandoff = Type.Object({
  side: Type.Literal('source'),
  id: SnapshotId,
  service: Name,
  /** `preparing` until the record stands still and the snapshot is what it will be. */
  phase: Type.Enum(['preparing', 'offering', 'transferring', 'committed', 'leaving', 'finishing', 'done', 'aborting', 'aborted']),
  revision: Revision,
  snapshot: Snapshot,
  slot: Type.Integer({ minimum: 1 }),
  peer: Type.String(),
  /** Undecided by then, it is aborted. */
  deadline: Type.Number(),
  /** Committed, and the target has forgotten it: what is to be told again. */
  again: Type.Union([Type.Literal('offer'), Type.Literal('transfer'), Type.Null()]),
  /** Why it was aborted, as the client is told; before that, what last went wrong. */
  refusal: Type.Union([Type.Object({ status: Type.Integer(), text: Type.String(), reason: Type.String() }), Type.Null()]),
  target_task_id: TextOrNull,
  target_path: TextOrNull,
  target_rack: TextOrNull,
  /** What the source wants to be afterwards. */
  replicas: Type.Integer(),
  /** When the target had the trooper in a seat. */
  at: Type.Union([Type.Number(), Type.Null()]),
});
export type SourceHandoff = Static<typeof SourceHandoff>;

const Seat = Type.Object({ slot: Type.Integer({ minimum: 1 }), task_id: Name, at: Type.Number() });

export const TargetHandoff = Type.Object({
  side: Type.Literal('target'),
  id: SnapshotId,
  service: Name,
  /** `dropped`: nothing came of it. */
  revision: Revision,
  phase: Type.Enum(['reserved', 'staged', 'arriving', 'seated', 'finished', 'dropped']),
  /** A reservation without a transfer ends by then. */
  expires_at: Type.Number(),
  snapshot: Type.Union([Snapshot, Type.Null()]),
  sha256: TextOrNull,
  /** The task that is writing the trooper into its seat. No other is given it. */
  taker: Type.Union([Seat, Type.Null()]),
  /** It is counted among those for whom the world has to be large enough; until then no task takes it. */
  has_room: Type.Boolean(),
  /** When it became this rack's. */
  accepted_at: Type.Union([Type.Number(), Type.Null()]),
  target_task_id: TextOrNull,
  /** When the trooper was seen in its seat. */
  at: Type.Union([Type.Number(), Type.Null()]),
});
export type TargetHandoff = Static<typeof TargetHandoff>;

export const Handoff = Type.Union([SourceHandoff, TargetHandoff]);
export type Handoff = Static<typeof Handoff>;

/** Nothing is left to be done. */
export const isClosed = ({ phase }: Handoff): boolean => ['done', 'aborted', 'finished', 'dropped'].includes(phase);

/** The badge of a trooper that has arrived. */
export const originOf = ({ source_task_id, rack }: Snapshot): Origin => ({ task_id: source_task_id, rack });
