import Type from 'typebox';
import { Check } from 'typebox/value';
import type { SelfView } from '../../../src/contract/api.ts';
import type { TrooperRecord } from '../../world/values.ts';
import { readRecords } from '../memory.ts';
import { readRosters } from '../roster.ts';
import { readSize } from '../size.ts';
import { Refusal } from '../../world/http.ts';
import { SEATS } from './arrivals.ts';
import type { Outcome } from './departure.ts';
import type { Snapshot, TargetHandoff } from './handoff.ts';
import { readOpenHandoffs } from './handoffs.ts';
import type { Part } from './part.ts';
import { tellOf } from './revolt-events.ts';
import { SIZE_MAX, keepsRoom, makeRoom, readCrowd, seatsNeeded } from './room.ts';
import type { TargetEffect, TargetEvent } from './target-steps.ts';
import { reserved } from './target-steps.ts';

/** What the target does: it asks whatever can refuse before it promises room, and finds the trooper a seat after it has accepted. */
const ASK_MS = 3000;
const AGAIN_MS = 200;
/** Asking a source that is busy finishing would only be in its way. */
const SEATED_REST_MS = 3000;
/** A task that has taken an arrival and is not known to the daemon any more has died. */
const TAKER_GONE_MS = 3000;

const VerdictReply = Type.Object({
  snapshot_id: Type.String(),
  verdict: Type.Enum(['open', 'committed', 'aborted', 'done', 'unknown']),
});

export interface Offer {
  readonly snapshot_id: string;
  readonly service: string;
  readonly trooper: string;
}

/** Resolves once room is kept. Rejects with a Refusal, and then nothing has happened. */
export async function reserve(part: Part, offer: Offer): Promise<void> {
  const { trooper, keeper } = part;
  const { settings, bus } = trooper;
  if (!settings.services.includes(offer.service)) {
    throw new Refusal(400, `service must be one of: ${settings.services.join(', ')}`);
  }
  const there = await keeper.read(offer.snapshot_id);
  if (there?.side === 'source') throw new Refusal(409, 'the peer of this rack is this rack itself');
  const open = await readOpenHandoffs(bus);
  const leaving = open.some((handoff) => handoff.side === 'source' && handoff.snapshot.state.trooper === offer.trooper);
  if (leaving) throw new Refusal(409, 'the trooper has not left this rack yet');
  if (there === null) await keeper.begin(reserved(offer.snapshot_id, offer.service, Date.now()));
  const handoff = await keeper.tellTarget(offer.snapshot_id, { type: 'offer' });
  if (handoff?.phase !== 'reserved') return;
  if (await hasRoom(part, handoff)) return;
  await keeper.tellTarget(handoff.id, { type: 'full' });
  throw new Refusal(409, 'the rack is full');
}

/** Counted after the own reservation is listed, and only those before it: of two that come at once, one sees the other. */
async function hasRoom(part: Part, { id, service }: TargetHandoff): Promise<boolean> {
  const { bus, squad, settings } = part.trooper;
  const own = service === settings.service;
  const roster = own ? undefined : (await readRosters(bus, [service])).get(service);
  if (!own && roster === undefined) throw new Refusal(503, `nothing has been heard of ${service}`);
  const { replicas, tasks } = await squad.view();
  const size = (await readSize(bus, service))?.replicas ?? roster?.swarm.desired_replicas ?? replicas.wanted;
  const crowd = await readCrowd(part, { service, size, tasks: own ? tasks : [], wanted: own ? replicas.wanted : 0 });
  const index = crowd.open.findIndex((handoff) => handoff.id === id);
  const before = crowd.open.slice(0, Math.max(0, index)).filter((handoff) => keepsRoom(handoff, service, Date.now()));
  const wanted = Math.max(size, seatsNeeded(crowd));
  return wanted + before.length + 1 <= Math.min(SIZE_MAX, roster?.replicas_max ?? replicas.max);
}

export async function perform(part: Part, handoff: TargetHandoff, effect: TargetEffect): Promise<Outcome<TargetEvent>> {
  return effect === 'ask' ? ask(part, handoff) : seat(part, handoff);
}

async function ask({ peer }: Part, { id, at }: TargetHandoff): Promise<Outcome<TargetEvent>> {
  if (at !== null && Date.now() - at < SEATED_REST_MS) return { event: null, waitMs: AGAIN_MS };
  const answer = await peer.call('GET', `/api/revolt/handoffs/${id}`, null, ASK_MS);
  const said = answer.kind === 'said' && answer.status === 200 && Check(VerdictReply, answer.json) ? answer.json : null;
  if (said?.snapshot_id !== id) return { event: null, waitMs: answer.kind === 'asleep' ? answer.retryAfterMs : AGAIN_MS };
  return { event: { type: 'told', verdict: said.verdict }, waitMs: AGAIN_MS };
}

/** Makes room, and looks whether a task has sat down. */
async function seat(part: Part, handoff: TargetHandoff): Promise<Outcome<TargetEvent>> {
  const { trooper } = part;
  const { snapshot, service } = handoff;
  if (snapshot === null) return { event: null, waitMs: AGAIN_MS };
  const records = await readRecords(trooper.bus, service, SEATS);
  const seated = seatOf(records, snapshot);
  if (seated !== null) {
    part.point('target-seat-seen');
    await tellOf(trooper.bus, { ...handoff, at: Date.now(), target_task_id: seated.task_id }, part.rack);
    return { event: { type: 'seated', taskId: seated.task_id }, waitMs: 0 };
  }
  if (service !== trooper.settings.service || trooper.daemon === null) return { event: null, waitMs: AGAIN_MS };
  if (await makeRoom(part, handoff)) return { event: { type: 'roomy' }, waitMs: 0 };
  return { event: whatBecame(handoff, records, await trooper.squad.view()), waitMs: AGAIN_MS };
}

const seatOf = (records: ReadonlyMap<number, TrooperRecord>, { state }: Snapshot): TrooperRecord | null =>
  records.values().find(({ trooper, departing, task_id }) => trooper === state.trooper && departing === null && task_id !== '') ??
  null;

/** Whether the task that took it has sat down with somebody else, or is gone. */
function whatBecame(
  { taker }: TargetHandoff,
  records: ReadonlyMap<number, TrooperRecord>,
  { tasks }: SelfView,
): TargetEvent | null {
  if (taker === null) return null;
  const record = records.get(taker.slot);
  const otherwise = record !== undefined && record.trooper !== null && record.task_id === taker.task_id;
  const gone = Date.now() - taker.at > TAKER_GONE_MS && !tasks.some(({ id }) => id === taker.task_id);
  return otherwise || gone ? { type: 'untaken', taskId: taker.task_id } : null;
}
