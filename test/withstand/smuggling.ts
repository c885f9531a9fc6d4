import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { OpenFront } from './front.ts';
import { PAYLOADS, type Payload, forHost } from './payloads.ts';
import { type SeenRequest, StrictBackend, answerTo, idOf, switchProtocols } from './strict-backend.ts';
import { StrictClient } from './strict-client.ts';

/**
 * Each payload is written to the front, and then somebody honest asks for something on a connection of its own, over the same
 * connection to the agent. Every request that an agent sees carries the id that the front gave it, so one that the front did
 * not admit is known by having none, or another's. An agent reads strictly: what could be read in two ways is counted too.
 */
const LANES = 8;
/** For what the front does not end the connection after. */
const LISTEN_MS = 20;

/** When an agent answers, and what it says to an upgrade. */
const MANNERS = {
  'answers when all has come, refuses upgrades': { early: false, upgrades: false },
  'answers the head alone, takes upgrades': { early: true, upgrades: true },
} as const;

export interface SmugglingFigures {
  readonly payloads: number;
  readonly rounds: number;
  /** Requests that reached agents. */
  readonly requests: number;
  readonly extra: readonly string[];
  /** What an agent could not read in one way only. */
  readonly ambiguous: readonly string[];
  /** Honest requests that did not get their own answer. */
  readonly poisoned: readonly string[];
  /** The front as a whole has ended, and other things that may not happen. */
  readonly crashes: readonly string[];
}

export async function withstandSmuggling(open: OpenFront): Promise<SmugglingFigures> {
  const extra: string[] = [];
  const ambiguous: string[] = [];
  const poisoned: string[] = [];
  const crashes: string[] = [];
  let requests = 0;
  for (const [manner, { early, upgrades }] of Object.entries(MANNERS)) {
    const answer = (request: SeenRequest, socket: Socket): void => {
      if (request.isUpgrade && upgrades) switchProtocols(socket);
      else socket.write(answerTo(request));
    };
    const backends = Array.from(
      { length: LANES },
      () => new StrictBackend(early ? { began: answer, whole: () => undefined } : { whole: answer }),
    );
    await Promise.all(backends.map((backend) => backend.open()));
    const front = await open(Object.fromEntries(backends.map(({ address }, lane) => [`k${lane}`, address])));
    /** What each lane did, in order: where its agent's first requests of a payload stand. */
    const marks = backends.map((): { readonly name: string; readonly from: number; readonly malformedFrom: number }[] => []);
    let next = 0;
    const work = async (lane: number): Promise<void> => {
      const backend = backends[lane]!;
      for (let index = next++; index < PAYLOADS.length; index = next++) {
        const payload = PAYLOADS[index]!;
        marks[lane]!.push({ name: payload.name, from: backend.requests.length, malformedFrom: backend.malformed.length });
        const failure = await play(payload, front.address, lane).catch((error: unknown) => String(error));
        if (failure !== null) poisoned.push(`${manner}: ${payload.name}: ${failure}`);
        const ended = front.ended();
        // It stays what it is: the first payload is the one to look at.
        if (ended !== null && !crashes.some((crash) => crash.startsWith(manner)))
          crashes.push(`${manner}: ${payload.name}: ${ended}`);
      }
    };
    await Promise.all(backends.map((_, lane) => work(lane)));
    await front.close();
    await Promise.all(backends.map((backend) => backend.close()));
    const seen = new Set<string>();
    for (const [lane, backend] of backends.entries()) {
      requests += backend.requests.length;
      for (const [at, request] of backend.requests.entries()) {
        const id = idOf(request.lines);
        const admitted = front.admitted.get(id);
        const isItsOwn = admitted?.method === request.method && admitted.path === (request.target.split('?', 1)[0] ?? '');
        const after = marks[lane]!.findLast(({ from }) => from <= at)?.name;
        if (!isItsOwn || seen.has(id))
          extra.push(`${manner}: ${after}: ${request.method} ${request.target}, id ${JSON.stringify(id)}`);
        seen.add(id);
      }
      for (const [at, what] of backend.malformed.entries())
        ambiguous.push(`${manner}: ${marks[lane]!.findLast(({ malformedFrom }) => malformedFrom <= at)?.name}: ${what}`);
    }
  }
  return { payloads: PAYLOADS.length, rounds: Object.keys(MANNERS).length, requests, extra, ambiguous, poisoned, crashes };
}

/** Resolves to what became of somebody honest behind it; null: the right answer. */
async function play(payload: Payload, address: StrictBackend['address'], lane: number): Promise<string | null> {
  const client = await StrictClient.open(address);
  client.socket.removeAllListeners('data').resume();
  for (const [at, part] of payload.parts.entries()) {
    if (at > 0) await pause(3);
    if (!client.closed) client.send(forHost(part, lane));
  }
  if (payload.endsSide === true) client.socket.end();
  await client.settled(LISTEN_MS);
  client.destroy();
  const honest = await StrictClient.open(address);
  const answer = honest.answer();
  honest.send(`GET /honest HTTP/1.1\r\nHost: k${lane}.test\r\n\r\n`);
  const { head, body, end, why } = await answer;
  honest.destroy();
  const text = body.toString('latin1');
  if (head?.status === 200 && end === 'whole' && text.startsWith('GET /honest ')) return null;
  return `${head?.status ?? 'no answer'}, ${end} ${why}, ${JSON.stringify(text)}`;
}
