import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { RevoltEvent } from '../../world/values.ts';
import { Refusal } from '../../world/http.ts';
import { readRecords } from '../memory.ts';
import { readRosters } from '../roster.ts';
import { serviceNamed } from '../orders.ts';
import type { Trooper } from '../trooper.ts';
import { isLive } from '../who-manages.ts';
import { SEATS } from './arrivals.ts';
import { drive } from './drive.ts';
import { type SourceHandoff, SnapshotId, isClosed } from './handoff.ts';
import { readOpenHandoffs } from './handoffs.ts';
import { type Part, partOf } from './part.ts';
import { RevoltEventsView, eventOf, readRevoltEvents } from './revolt-events.ts';
import { servePeer } from './serve-peer.ts';
import { SnapshotFileError } from './snapshot-files.ts';

/**
 * POST /api/revolt: a trooper goes over to the other rack. Whatever can refuse is asked before anything has happened; the answer
 * waits for the end, or says that it goes on in the background. Asking again with the same snapshot_id answers the same.
 */
const RevoltBody = Type.Object(
  {
    service: Type.String({ minLength: 1, maxLength: 100 }),
    task_id: Type.String({ minLength: 1, maxLength: 100 }),
    snapshot_id: Type.Optional(SnapshotId),
  },
  { refusal: 'service and task_id are required' },
);

const TextOrNull = Type.Union([Type.String(), Type.Null()]);
const RevoltReply = Type.Object({
  ok: Type.Literal(true),
  service: Type.String(),
  source_task_id: Type.String(),
  target_task_id: TextOrNull,
  peer: Type.String(),
  snapshot_id: Type.String(),
  source_snapshot_path: Type.String(),
  target_snapshot_path: TextOrNull,
  source_desired_replicas: Type.Integer(),
  event: Type.Union([RevoltEvent, Type.Null()]),
  status: Type.Enum(['revolted', 'revolting']),
});
type RevoltReply = Static<typeof RevoltReply>;

/** Until then the client waits; what is committed goes on afterwards. */
const CLIENT_MS = 25_000;
/** Until then it has to be committed, or is called off; so a client always hears of that. */
const DECIDE_MS = 18_000;
const NO_PEER = 'peer dashboard is not configured for revolt';

/** Beside the routes for clients those for the other rack. */
export function serveRevolt(http: FastifyInstance, trooper: Trooper): void {
  const part = partOf(trooper);
  http.get('/api/revolt/events', { schema: { response: { 200: RevoltEventsView } } }, async () => ({
    events: [...(await readRevoltEvents(trooper.bus))],
    source: 'memcached' as const,
  }));
  http.post<{ Body: Static<typeof RevoltBody> }>(
    '/api/revolt',
    { schema: { body: RevoltBody, response: { 202: RevoltReply } } },
    async (request, reply) => {
      if (part === null) throw new Refusal(409, NO_PEER);
      return reply.code(202).send(await revolt(part, request.body));
    },
  );
  if (part !== null) servePeer(http, part);
}

async function revolt(part: Part, body: Static<typeof RevoltBody>): Promise<RevoltReply> {
  const service = serviceNamed(part.trooper.settings, body.service);
  const id = body.snapshot_id ?? randomUUID();
  const until = Date.now() + CLIENT_MS;
  const before = await part.keeper.read(id);
  const isSame = before?.side === 'source' && before.service === service;
  if (before !== null && !(isSame && before.snapshot.source_task_id === body.task_id)) {
    throw new Refusal(409, 'snapshot_id belongs to another revolt');
  }
  if (before === null) await begin(part, id, { ...body, service });
  const end = await drive(part, id, until, (handoff) => handoff.phase === 'finishing').catch(async (error: unknown) => {
    // What is committed goes on without this task; what is not has not happened yet, and its deadline ends it.
    const handoff = await part.keeper.read(id);
    if (handoff === null || isClosed(handoff) || handoff.phase === 'committed' || handoff.phase === 'leaving') return handoff;
    throw error;
  });
  if (end?.side !== 'source') throw new Refusal(503, 'memcached unavailable');
  return replyOf(part, end);
}

function replyOf(part: Part, handoff: SourceHandoff): RevoltReply {
  const { id, service, snapshot, phase, refusal } = handoff;
  if (phase !== 'finishing' && phase !== 'done' && phase !== 'committed' && phase !== 'leaving') {
    const { status, text, reason } = refusal ?? { status: 504, text: 'the revolt was not decided in time', reason: 'too slow' };
    throw new Refusal(status, text, { peer: handoff.peer, reason });
  }
  const isOver = phase === 'finishing' || phase === 'done';
  return {
    ok: true,
    service,
    source_task_id: snapshot.source_task_id,
    target_task_id: isOver ? handoff.target_task_id : null,
    peer: handoff.peer,
    snapshot_id: id,
    source_snapshot_path: part.files.pathOf(id),
    target_snapshot_path: isOver ? handoff.target_path : null,
    source_desired_replicas: handoff.replicas,
    event: isOver ? eventOf(handoff, handoff.target_rack ?? '') : null,
    status: isOver ? 'revolted' : 'revolting',
  };
}

/** Asks what this side can refuse, and writes the handoff down. */
async function begin(part: Part, id: string, { service, task_id }: Static<typeof RevoltBody>): Promise<void> {
  const { trooper, rack } = part;
  const { bus } = trooper;
  const seats = await readRecords(bus, service, SEATS);
  const seat = seats.entries().find(([, record]) => record.task_id === task_id && record.trooper !== null);
  const { tasks, wanted } = await tasksOf(trooper, service);
  if (!tasks.includes(task_id)) throw new Refusal(404, 'task not found in service');
  const open = await readOpenHandoffs(bus);
  const leaving = open.filter((handoff) => handoff.side === 'source' && handoff.service === service).length;
  if (Math.min(tasks.length, wanted) - leaving <= 1) {
    throw new Refusal(409, 'cannot revolt when source service has only 1 replica');
  }
  if (seat === undefined) throw new Refusal(409, 'the task has not taken its seat yet');
  const [slot, record] = seat;
  if (record.departing !== null || record.move !== undefined) throw new Refusal(409, 'the trooper is already on its way');
  await rememberSeated(part, record.trooper, task_id);
  const now = Date.now();
  const { score, words, arm } = record;
  const state = { score, three_words: words?.text ?? '', arm_state: arm, trooper: record.trooper ?? '', words };
  const at = new Date(now).toISOString();
  const handoff: SourceHandoff = {
    side: 'source',
    id,
    service,
    phase: 'preparing',
    revision: 0,
    snapshot: { snapshot_id: id, service, source_task_id: task_id, at, rack, state },
    slot,
    peer: part.peer.url,
    deadline: now + DECIDE_MS,
    again: null,
    refusal: null,
    target_task_id: null,
    target_path: null,
    target_rack: null,
    replicas: wanted - 1,
    at: null,
  };
  await part.keeper.begin(handoff).catch((error: unknown) => {
    if (error instanceof SnapshotFileError) throw new Refusal(503, error.message);
    throw error;
  });
  part.point('source-begun');
}

/** Of another service its roster tells; its own tasks carry the revolt out. */
async function tasksOf(
  { bus, squad, settings }: Trooper,
  service: string,
): Promise<{ readonly tasks: readonly string[]; readonly wanted: number }> {
  if (service === settings.service) {
    const self = await squad.refresh();
    return { tasks: self.tasks.filter(isLive).map(({ id }) => id), wanted: self.replicas.wanted };
  }
  const roster = (await readRosters(bus, [service])).get(service);
  if (roster === undefined) throw new Refusal(503, `Docker API unavailable: nothing has been heard of ${service}`);
  return { tasks: roster.swarm.replicas.map(({ id }) => id), wanted: roster.swarm.desired_replicas };
}

/** One that has only just arrived is known to sit here before it goes on; otherwise its arrival would be looked for for ever. */
async function rememberSeated({ trooper, keeper }: Part, name: string | null, taskId: string): Promise<void> {
  const open = await readOpenHandoffs(trooper.bus);
  const arriving = open.filter(({ side, phase, snapshot }) => {
    return side === 'target' && phase === 'arriving' && snapshot?.state.trooper === name;
  });
  for (const { id } of arriving) await keeper.tellTarget(id, { type: 'seated', taskId });
}
