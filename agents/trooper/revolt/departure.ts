import Type from 'typebox';
import { Check } from 'typebox/value';
import { DaemonError } from '../../kit/daemon-error.ts';
import { changeRecord, readRecord } from '../memory.ts';
import { rememberSize } from '../size.ts';
import { reach } from '../squad.ts';
import { isLive } from '../who-manages.ts';
import type { CarriedState, Snapshot, SourceHandoff } from './handoff.ts';
import { originless, vacate } from './departing-record.ts';
import type { Part } from './part.ts';
import type { PeerAnswer } from './peer.ts';
import { tellOf } from './revolt-events.ts';
import { sha256 } from './seal.ts';
import type { SourceEffect, SourceEvent } from './source-steps.ts';

/**
 * What the source does, an effect at a time. Each may be done again by any task, and reports what came of it; nothing that the
 * peer says counts unless it is exactly the answer to what was asked.
 */
const CALL_MS = 4000;
/** The target waits for its new task while this call is open. */
const ACCEPT_MS = 10_000;
const AGAIN_MS = 300;
/** The daemon replaces a task that died within seconds, unless it dies again and again. */
const REPLACED_MS = 20_000;

const OfferReply = Type.Object({ snapshot_id: Type.String(), status: Type.Literal('reserved') });
const TransferReply = Type.Object({ snapshot_id: Type.String(), sha256: Type.String(), status: Type.Literal('staged') });
const AcceptReply = Type.Object({
  ok: Type.Literal(true),
  snapshot_id: Type.String(),
  from_task_id: Type.String(),
  target_task_id: Type.String({ minLength: 1, maxLength: 100 }),
  snapshot_path: Type.String({ maxLength: 1000 }),
  rack: Type.String({ maxLength: 100 }),
  status: Type.Literal('accepted'),
});
const FinishReply = Type.Object({ snapshot_id: Type.String(), status: Type.Literal('finished') });

/** Null: nothing has come of it yet. And how long to wait before the next effect. */
export interface Outcome<E> {
  readonly event: E | null;
  readonly waitMs: number;
}

const outcome = (event: SourceEvent | null, waitMs = 0): Outcome<SourceEvent> => ({ event, waitMs });

export async function perform(part: Part, handoff: SourceHandoff, effect: SourceEffect): Promise<Outcome<SourceEvent>> {
  switch (effect) {
    case 'mark':
      return mark(part, handoff);
    case 'offer':
      return offer(part, handoff);
    case 'transfer':
      return transfer(part, handoff);
    case 'accept':
      return accept(part, handoff);
    case 'leave':
      return leave(part, handoff);
    case 'finish':
      return finish(part, handoff);
    case 'release':
      return release(part, handoff);
  }
}

/** From here on the record stands still, so what is read of it now is what the target will have. */
async function mark({ trooper: { bus } }: Part, { id, service, slot, snapshot }: SourceHandoff): Promise<Outcome<SourceEvent>> {
  const record = await changeRecord(bus, service, slot, (seat) => {
    const same = seat?.trooper === snapshot.state.trooper && seat.departing === null && seat.move === undefined;
    return same ? { ...seat, departing: id } : null;
  });
  if (record?.departing !== id || record.trooper === null) {
    const reason = 'the trooper has left its seat, or leaves with another snapshot';
    return outcome({ type: 'refused', refusal: { status: 409, text: 'the trooper is already on its way', reason } });
  }
  const { score, words, arm } = record;
  const state: CarriedState = { score, three_words: words?.text ?? '', arm_state: arm, trooper: record.trooper, words };
  return outcome({ type: 'marked', state });
}

async function offer({ peer }: Part, { id, service, snapshot }: SourceHandoff): Promise<Outcome<SourceEvent>> {
  const body = { snapshot_id: id, service, trooper: snapshot.state.trooper, from_rack: snapshot.rack };
  const answer = await peer.call('POST', '/api/revolt/offer', JSON.stringify(body), CALL_MS);
  const said = answer.kind === 'said' && answer.status === 200 && Check(OfferReply, answer.json) ? answer.json : null;
  return said?.snapshot_id === id ? outcome({ type: 'reserved' }) : outcomeOfNo(answer);
}

async function transfer({ peer }: Part, { id, snapshot }: SourceHandoff): Promise<Outcome<SourceEvent>> {
  const hash = hashOf(snapshot);
  const body = JSON.stringify({ snapshot, sha256: hash });
  const answer = await peer.call('POST', '/api/revolt/transfer', body, CALL_MS);
  if (answer.kind === 'said' && answer.status === 404) return outcome({ type: 'forgotten' }, AGAIN_MS);
  const said = answer.kind === 'said' && answer.status === 200 && Check(TransferReply, answer.json) ? answer.json : null;
  return said?.snapshot_id === id && said.sha256 === hash ? outcome({ type: 'staged' }) : outcomeOfNo(answer);
}

async function accept({ peer }: Part, { id, snapshot }: SourceHandoff): Promise<Outcome<SourceEvent>> {
  const body = {
    service: snapshot.service,
    source_task_id: snapshot.source_task_id,
    snapshot_id: id,
    from_rack: snapshot.rack,
  };
  const answer = await peer.call('POST', '/api/revolt/accept', JSON.stringify(body), ACCEPT_MS);
  if (answer.kind !== 'said') return outcomeOfNo(answer);
  if (answer.status === 404) return outcome({ type: 'forgotten' }, AGAIN_MS);
  const { json } = answer;
  const said = answer.status === 201 && Check(AcceptReply, json) ? json : null;
  if (said?.snapshot_id !== id || said.from_task_id !== snapshot.source_task_id) return outcome(null, AGAIN_MS);
  return outcome({ type: 'accepted', taskId: said.target_task_id, path: said.snapshot_path, rack: said.rack });
}

/**
 * The task goes first: whoever remembers the smaller size before that has the daemon end the task in the highest slot. The
 * seat stays closed to others until it is vacated here.
 */
async function leave(part: Part, handoff: SourceHandoff): Promise<Outcome<SourceEvent>> {
  const { trooper } = part;
  const { service, slot } = handoff;
  // Only the tasks of that service may end one of theirs.
  if (service !== trooper.settings.service) return outcome(null, AGAIN_MS);
  if (!(await endTaskOf(part, handoff))) return outcome(null, AGAIN_MS);
  part.point('source-task-ended');
  await changeRecord(trooper.bus, service, slot, (record) => vacate(record, handoff));
  part.point('source-seat-vacated');
  await rememberSize(trooper);
  part.point('source-size-remembered');
  await tellOf(trooper.bus, handoff, handoff.target_rack ?? '');
  return outcome({ type: 'left', replicas: (await trooper.squad.view()).replicas.wanted });
}

/** Resolves to whether it is gone, or about to go. */
async function endTaskOf(part: Part, handoff: SourceHandoff): Promise<boolean> {
  const { bus, squad, settings, log } = part.trooper;
  const daemon = reach(part.trooper.daemon);
  const record = (await readRecord(bus, settings.service, handoff.slot))?.record ?? null;
  if (vacate(record, handoff) === null) return true;
  const { tasks, replicas } = await squad.refresh();
  // A task that died meanwhile has another in its place, which may not have found its record yet.
  const task =
    tasks.find(({ id }) => id === record?.task_id) ??
    tasks.find(({ id }) => id === handoff.snapshot.source_task_id) ??
    tasks.find((other) => other.slot === handoff.slot && isLive(other));
  if (task === undefined) return isReplacedByNobody(part, handoff, replicas.wanted - tasks.filter(isLive).length);
  if (!isLive(task)) return true;
  try {
    await daemon.endTask(task.id);
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    if (error.code === 'unknown-task') return false;
    // The world has been scaled to one meanwhile: somebody has to stay, so a recruit takes the place.
    if (error.code === 'last-task') await daemon.endTask(task.id, { replace: true });
    // Out of our reach, and a smaller size may take any task of the service: better one trooper too many than another's end.
    else if (error.code === 'task-elsewhere') {
      log.warn(
        { task: task.id, trooper: handoff.snapshot.state.trooper },
        'the trooper has gone to the other rack and its task runs on another node: it stays, with a recruit, until the world is scaled down',
      );
    } else throw error;
  }
  return true;
}

/**
 * It has died, or was ended by one that died over it. While the daemon owes a task it may be this one's, so it is waited for
 * and ended then: who scales down instead may take the task of another. Only a replacement that never comes is given up so.
 */
async function isReplacedByNobody({ trooper }: Part, handoff: SourceHandoff, owed: number): Promise<boolean> {
  if (owed <= 0) return true;
  if (Date.now() - (handoff.at ?? 0) < REPLACED_MS) return false;
  const { tasks, replicas } = await trooper.squad.refresh();
  if (tasks.filter(isLive).length < replicas.wanted && replicas.wanted > 1) {
    await reach(trooper.daemon).scale(replicas.wanted - 1);
  }
  return true;
}

async function finish({ peer }: Part, { id }: SourceHandoff): Promise<Outcome<SourceEvent>> {
  const answer = await peer.call('POST', '/api/revolt/finish', JSON.stringify({ snapshot_id: id }), CALL_MS);
  if (answer.kind !== 'said') return outcomeOfNo(answer);
  // Forgotten is as good: the target has the trooper, and nothing more to do.
  const forgotten = answer.status === 404;
  const finished = answer.status === 200 && Check(FinishReply, answer.json) && answer.json.snapshot_id === id;
  return forgotten || finished ? outcome({ type: 'finished' }) : outcome(null, AGAIN_MS);
}

async function release({ trooper: { bus } }: Part, handoff: SourceHandoff): Promise<Outcome<SourceEvent>> {
  const { id, service, slot, snapshot } = handoff;
  await changeRecord(bus, service, slot, (record) => {
    // Memcached started anew while it stood still, and its task left it to the snapshot.
    if (record === null) return originless(snapshot);
    return record.departing === id ? { ...record, departing: null } : null;
  });
  return outcome({ type: 'released' });
}

/** Lets the record in this seat go on that stands still for this snapshot. Rejects with a BusError. */
export async function letGo({ trooper: { bus } }: Part, service: string, slot: number, id: string): Promise<void> {
  await changeRecord(bus, service, slot, (record) => (record?.departing === id ? { ...record, departing: null } : null));
}

export const hashOf = (snapshot: Snapshot): string => sha256(JSON.stringify(snapshot));

const REJECTED = 'peer rack rejected revolt';

/** What an answer means that is not the one that was hoped for. */
function outcomeOfNo(answer: PeerAnswer): Outcome<SourceEvent> {
  const unheard = (status: number, text: string, reason: string, waitMs = AGAIN_MS): Outcome<SourceEvent> =>
    outcome({ type: 'unheard', refusal: { status, text, reason } }, waitMs);
  switch (answer.kind) {
    case 'unauthorized':
      return outcome({ type: 'refused', refusal: { status: 502, text: REJECTED, reason: 'unauthorized' } }, AGAIN_MS);
    case 'asleep':
      return unheard(504, 'peer rack is asleep', 'it was asleep and did not wake in time', answer.retryAfterMs);
    case 'silent':
      return answer.late
        ? unheard(504, 'peer rack did not answer', answer.reason)
        : unheard(502, 'peer rack cannot be reached', answer.reason);
    case 'said': {
      const { status, json } = answer;
      const error = (json as { readonly error?: unknown } | null)?.error;
      const reason = typeof error === 'string' ? error.slice(0, 200) : `status ${status}`;
      if (status >= 400 && status < 500)
        return outcome({ type: 'refused', refusal: { status: 502, text: REJECTED, reason } }, AGAIN_MS);
      return unheard(502, 'peer rack is in trouble', reason);
    }
  }
}
