/**
 * Every key on the bus, once. Up to `override` they are those of the original, with its times to live, so that what watched
 * the original world watches this one too. The rest is what this world adds.
 */
const PREFIX = 'clawbucket';

export const KEYS = {
  chat: `${PREFIX}:chat:messages`,
  armEvents: `${PREFIX}:arm:events`,
  revoltEvents: `${PREFIX}:revolt:events`,
  rpsState: `${PREFIX}:rps:state`,
  rpsInterval: `${PREFIX}:rps:interval_seconds`,
  /** The next three are views of a trooper's record, for those who ask by task. */
  score: (taskId: string) => `${PREFIX}:rps:score:${taskId}`,
  lastSeen: (taskId: string) => `${PREFIX}:rps:last_seen:${taskId}`,
  threeWords: (taskId: string) => `${PREFIX}:picoclaw:threewords:${taskId}`,
  threeWordsLatest: `${PREFIX}:picoclaw:threewords:latest`,
  haiku: `${PREFIX}:haiku:latest`,
  heartbeat: (taskName: string) => `${PREFIX}:heartbeat:${taskName}`,
  override: (service: string) => `${PREFIX}:manager:override:slot:${service}`,

  /** The one authority for score, words and arm of whoever holds this slot: a TrooperRecord. */
  trooper: (service: string, slot: number) => `${PREFIX}:trooper:${service}:${slot}`,
  /** How many troopers the service is to have: a WorldSize. */
  size: (service: string) => `${PREFIX}:size:${service}`,
  /** Which size was carried out last, and for which tasks: a KeptSize (agents/trooper/size.ts). */
  sizeKept: (service: string) => `${PREFIX}:size:kept:${service}`,
  /** What the daemon last said of the service, for troopers of other services: a Roster. */
  roster: (service: string) => `${PREFIX}:roster:${service}`,
  /** Who may publish: a PublisherLease. The term only ever rises. */
  rpsLease: `${PREFIX}:rps:lease`,
  rpsTerm: `${PREFIX}:rps:term`,
  /** The highest number and id that a round was given: a Mark. */
  rpsMark: `${PREFIX}:rps:mark`,
  /** One handoff between racks, by snapshot. */
  revolt: (snapshotId: string) => `${PREFIX}:revolt:handoff:${snapshotId}`,
  /** Ids of handoffs that are not finished. */
  revoltOpen: `${PREFIX}:revolt:open`,
  /** Signatures seen, so that none is taken twice. */
  revoltNonce: (nonce: string) => `${PREFIX}:revolt:nonce:${nonce}`,
} as const;

const DAY = 86_400;

/** Seconds. */
export const TTL = {
  list: DAY,
  interval: DAY,
  score: DAY,
  lastSeen: DAY,
  threeWords: 120,
  haiku: 300,
  heartbeat: 20,
  override: 300,
  roster: 10,
  /** Kept until evicted: a trooper is to find its memory after a month of sleep. */
  record: 0,
  size: 0,
  rpsMark: 0,
} as const;

/** Newest entries that are kept of each list. */
export const KEPT = { chat: 40, armEvents: 500, revoltEvents: 300 } as const;
