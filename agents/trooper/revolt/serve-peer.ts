import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { KEYS } from '../../world/keys.ts';
import { RevoltEvent } from '../../world/values.ts';
import { Refusal } from '../../world/http.ts';
import { hashOf } from './departure.ts';
import { drive } from './drive.ts';
import { Snapshot, SnapshotId } from './handoff.ts';
import type { Part } from './part.ts';
import { reserve } from './reception.ts';
import { eventOf } from './revolt-events.ts';
import { NONCE_TTL_SECONDS, SEAL_HEADERS, openRequest, sealAnswer } from './seal.ts';
import { SnapshotFileError } from './snapshot-files.ts';
import { verdictOf } from './source-steps.ts';

/**
 * What the other rack may ask. Nothing is read of a request before its signature is found right and new, and every answer to
 * it is signed.
 */
const BODY_BYTES_MAX = 64 * 1024;
/** The source waits 10 s for this answer. What takes longer it asks for again. */
const SEAT_MS = 7000;

const Name = Type.String({ minLength: 1, maxLength: 100 });
const OfferBody = Type.Object({
  snapshot_id: SnapshotId,
  service: Name,
  trooper: Name,
  from_rack: Type.String({ maxLength: 100 }),
});
const TransferBody = Type.Object({ snapshot: Snapshot, sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) });
const AcceptBody = Type.Object({ snapshot_id: SnapshotId, service: Name, source_task_id: Name });
const FinishBody = Type.Object({ snapshot_id: SnapshotId });
const Params = Type.Object({ id: SnapshotId });

const StatusReply = Type.Object({ snapshot_id: Type.String(), status: Type.String(), sha256: Type.Optional(Type.String()) });
const AcceptReply = Type.Object({
  ok: Type.Literal(true),
  service: Type.String(),
  target_task_id: Type.String(),
  from_task_id: Type.String(),
  snapshot_id: Type.String(),
  snapshot_path: Type.String(),
  rack: Type.String(),
  event: Type.Union([RevoltEvent, Type.Null()]),
  status: Type.Literal('accepted'),
});
const VerdictReply = Type.Object({ snapshot_id: Type.String(), verdict: Type.String() });

export function servePeer(http: FastifyInstance, part: Part): void {
  http.register(async (peers) => {
    guard(peers, part);
    const answered = (answer: Static<typeof StatusReply>, step: string) => {
      part.point(`target-${step}-answering`);
      return answer;
    };

    peers.post<{ Body: Static<typeof OfferBody> }>(
      '/api/revolt/offer',
      { schema: { body: OfferBody, response: { 200: StatusReply } } },
      async ({ body }) => {
        await onDisk(reserve(part, body));
        return answered({ snapshot_id: body.snapshot_id, status: 'reserved' }, 'offer');
      },
    );
    peers.post<{ Body: Static<typeof TransferBody> }>(
      '/api/revolt/transfer',
      { schema: { body: TransferBody, response: { 200: StatusReply } } },
      async ({ body: { snapshot, sha256 } }) => {
        if (hashOf(snapshot) !== sha256) throw new Refusal(400, 'the snapshot is not what its hash says');
        const id = snapshot.snapshot_id;
        const handoff = await onDisk(part.keeper.tellTarget(id, { type: 'transfer', snapshot, sha256 }));
        if (handoff === null || handoff.phase === 'reserved' || handoff.phase === 'dropped')
          throw new Refusal(404, 'no room is kept for this snapshot');
        if (handoff.sha256 !== sha256 || handoff.service !== snapshot.service)
          throw new Refusal(409, 'another state came with this snapshot');
        return answered({ snapshot_id: id, status: 'staged', sha256 }, 'transfer');
      },
    );
    peers.post<{ Body: Static<typeof AcceptBody> }>(
      '/api/revolt/accept',
      { schema: { body: AcceptBody, response: { 201: AcceptReply, 202: StatusReply } } },
      (request, reply) => accept(part, request.body, reply),
    );
    peers.post<{ Body: Static<typeof FinishBody> }>(
      '/api/revolt/finish',
      { schema: { body: FinishBody, response: { 200: StatusReply } } },
      async ({ body: { snapshot_id } }) => {
        const handoff = await onDisk(part.keeper.tellTarget(snapshot_id, { type: 'finish' }));
        if (handoff === null) throw new Refusal(404, 'no such snapshot');
        // One that has forgotten that it was in its seat finds that out before it is finished.
        if (handoff.phase !== 'finished') throw new Refusal(503, 'the trooper is not in its seat yet');
        return answered({ snapshot_id, status: 'finished' }, 'finish');
      },
    );
    peers.get<{ Params: Static<typeof Params> }>(
      '/api/revolt/handoffs/:id',
      { schema: { params: Params, response: { 200: VerdictReply } } },
      async ({ params: { id } }) => {
        // Told the time first, so that one which is undecided for too long is decided; and on disk before the answer.
        const handoff = await onDisk(part.keeper.tellSource(id, { type: 'tick' }));
        return { snapshot_id: id, verdict: verdictOf(handoff) };
      },
    );
  });
}

async function accept(part: Part, { snapshot_id, source_task_id }: Static<typeof AcceptBody>, reply: FastifyReply) {
  const told = await onDisk(part.keeper.tellTarget(snapshot_id, { type: 'accept' }));
  const snapshot = told?.snapshot ?? null;
  if (told === null || snapshot === null || told.phase === 'dropped') throw new Refusal(404, 'no such snapshot');
  if (snapshot.source_task_id !== source_task_id) throw new Refusal(409, 'the snapshot is of another task');
  const isSeated = (phase: string): boolean => phase === 'seated' || phase === 'finished';
  const end = await onDisk(drive(part, snapshot_id, Date.now() + SEAT_MS, ({ phase }) => isSeated(phase)));
  if (end?.side !== 'target' || !isSeated(end.phase) || end.target_task_id === null) {
    return reply.code(202).send({ snapshot_id, status: 'arriving' });
  }
  part.point('target-accept-answering');
  return reply.code(201).send({
    ok: true,
    service: end.service,
    target_task_id: end.target_task_id,
    from_task_id: source_task_id,
    snapshot_id,
    snapshot_path: part.files.pathOf(snapshot_id),
    rack: part.rack,
    event: eventOf(end, part.rack),
    status: 'accepted',
  });
}

/** A disk that cannot be written is a refusal that may pass. */
async function onDisk<T>(kept: Promise<T>): Promise<T> {
  try {
    return await kept;
  } catch (error) {
    if (error instanceof SnapshotFileError) throw new Refusal(503, error.message);
    throw error;
  }
}

const UNAUTHORIZED = JSON.stringify({ error: 'unauthorized' });

function guard(http: FastifyInstance, { secret, trooper }: Part): void {
  const nonces = new WeakMap<FastifyRequest, string>();
  http.removeAllContentTypeParsers();
  // As bytes: what is signed is what was sent, not what comes of it.
  http.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX }, (_request, body, done) => done(null, body));
  http.addHook('preValidation', async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : '';
    const sealed = { method: request.method, path: request.url, body };
    const nonce = openRequest(secret, sealed, request.headers, Date.now());
    if (nonce === null || !(await trooper.bus.add(KEYS.revoltNonce(nonce), '1', NONCE_TTL_SECONDS))) {
      return reply.code(401).type('application/json').send(UNAUTHORIZED);
    }
    nonces.set(request, nonce);
    if (body !== '') request.body = parse(body);
    return undefined;
  });
  http.addHook('onSend', async (request, reply, payload) => {
    const nonce = nonces.get(request);
    if (nonce === undefined) return payload;
    const text = typeof payload === 'string' ? payload : '';
    void reply.header(SEAL_HEADERS.signature, sealAnswer(secret, nonce, reply.statusCode, text));
    return payload;
  });
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
