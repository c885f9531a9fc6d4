import { isDeepStrictEqual } from 'node:util';
import { REQUEST_FIELDS, sift, siftTrailers } from '../../src/proxy/headers.ts';
import type { ForwardOrder } from '../../src/proxy/upstream/upstream.ts';
import { Chance } from './chance.ts';
import type { FuzzedFront, Heard } from './fuzzed-front.ts';
import { echo, type Reached } from './recording-agent.ts';
import { type ReadRequest, readRequests, type RequestsRead, valueOf } from './request-reading.ts';
import { makeConversation } from './requests.ts';

/** What was counted, over all conversations. */
export interface RequestFigures {
  conversations: number;
  /** Meant by the clients, spoilt or not. */
  sent: number;
  /** That llhttp finds in the clients' bytes. */
  read: number;
  admitted: number;
  /** By what the client was told: `404 unknown-host`. */
  readonly refused: Map<string, number>;
  /** Found in the bytes, but behind something that ended the connection. */
  unserved: number;
  /** Admitted, on a connection that ended for what came behind. */
  unanswered: number;
}

export const noFigures = (): RequestFigures => ({
  ...{ conversations: 0, sent: 0, read: 0, admitted: 0, refused: new Map<string, number>(), unserved: 0, unanswered: 0 },
});

/** Holds the `index`th conversation of the run that `seed` names. Gives back the client's bytes and all that is wrong. */
export async function tryConversation(
  front: FuzzedFront,
  seed: number,
  index: number,
  figures: RequestFigures,
  ledger: Ledger,
): Promise<{ readonly bytes: string; readonly failures: readonly string[] }> {
  const conversation = makeConversation(new Chance(seed, index), index);
  const read = readRequests(conversation.bytes);
  const nonsenseBefore = front.agent.nonsense.length;
  const heard = await front.hold(conversation, read);
  const { admitted } = front;
  front.admitted = [];
  figures.conversations += 1;
  figures.sent += conversation.sent;
  figures.read += read.requests.length;
  figures.admitted += admitted.length;
  const failures = heard.failure === null ? [] : [heard.failure];
  failures.push(...front.agent.nonsense.slice(nonsenseBefore));
  failures.push(...disagreements(read, admitted, heard, front.agent.reached, figures, ledger));
  return { bytes: conversation.bytes, failures };
}

/** By id: what was admitted in all conversations so far, and the request in its client's bytes. */
export type Ledger = Map<string, { readonly request: ReadRequest; readonly order: ForwardOrder; readonly what: string }>;

/**
 * Once all is over: what is wrong with all that the agent was sent. Some of it came when its conversation was over, since a
 * client that has gone does not wait for it.
 */
export function settle(front: FuzzedFront, ledger: Ledger): string[] {
  const failures = [...front.agent.nonsense];
  for (const [id, reached] of front.agent.reached) {
    const known = ledger.get(id);
    if (known === undefined) {
      failures.push(`the agent was sent what was not admitted: ${JSON.stringify(reached[0]?.request)}`);
      continue;
    }
    if (reached.length > 1) failures.push(`${known.what} reached the agent ${reached.length} times`);
    for (const { request } of reached) failures.push(...unlike(known.what, known.request, known.order, request));
  }
  return failures;
}

const idOf = ({ headers }: ForwardOrder): string => {
  // The front's own is the last one.
  const at = headers.lastIndexOf('X-Request-Id');
  return at === -1 ? '' : headers[at + 1]!;
};

function disagreements(
  { requests, ending, rest }: RequestsRead,
  admitted: readonly ForwardOrder[],
  heard: Heard,
  reached: ReadonlyMap<string, readonly Reached[]>,
  figures: RequestFigures,
  ledger: Ledger,
): string[] {
  const failures: string[] = [];
  /** By the index of the request in the client's bytes. */
  const order = new Map<number, ForwardOrder>();
  let next = 0;
  for (const one of admitted) {
    while (next < requests.length && !isSame(requests[next]!, one)) next += 1;
    if (next === requests.length)
      return [`admitted, but not in the client's bytes: ${one.method} ${one.path} ${JSON.stringify(one.headers)}`];
    order.set(next, one);
    const what = `${one.method} ${one.path}`;
    ledger.set(idOf(one), { request: requests[next]!, order: one, what });
    next += 1;
  }
  for (const [at, answer] of heard.answers.entries()) {
    const request = requests[at];
    const one = order.get(at);
    const isOurs = one !== undefined && idOf(one) === answer.id;
    if (!answer.fromAgent) figures.refused.set(codeOf(answer), (figures.refused.get(codeOf(answer)) ?? 0) + 1);
    if (answer.fromAgent && !isOurs) failures.push(`answer ${at} belongs to another request`);
    if (answer.fromAgent && answer.status === 200 && answer.isWhole && request !== undefined && request.method !== 'HEAD') {
      const expected = echo({ ...request, url: one?.path ?? request.url });
      if (answer.body !== expected)
        failures.push(`answer ${at} is ${JSON.stringify(answer.body)}, not ${JSON.stringify(expected)}`);
    }
    if (!answer.fromAgent && one !== undefined && request?.isWhole === true && !isTold(answer.body))
      failures.push(`admitted request ${at} was not answered by its agent: ${answer.status} ${answer.body}`);
  }
  // With an expectation that nobody answered any refusal ends the connection, and what came meanwhile is served all the same.
  const hasExpected = (at: number): boolean => requests[at] !== undefined && valueOf(requests[at], 'expect') !== null;
  const refusedAt = heard.answers.findIndex(({ fromAgent, closes }, at) => !fromAgent && closes && !hasExpected(at));
  if (refusedAt !== -1 && [...order.keys()].some((at) => at > refusedAt))
    failures.push(`served behind request ${refusedAt}, whose refusal ended the connection`);
  // Behind nonsense, and behind what ends it, a connection may end at any time.
  const isSound = ending === 'clean' && heard.answers.every(({ fromAgent, closes }) => fromAgent && !closes);
  for (const [at, request] of requests.entries()) {
    const one = order.get(at);
    const answer = heard.answers[at];
    if (one === undefined) {
      if (answer === undefined) figures.unserved += 1;
      continue;
    }
    const came = reached.get(idOf(one)) ?? [];
    const [first] = came;
    if (first !== undefined) failures.push(...unlike(`request ${at}`, request, one, first.request));
    if (answer?.fromAgent === true && answer.status !== 417 && first?.request.isWhole !== true)
      failures.push(`request ${at} was answered and has not reached the agent whole`);
    if (answer === undefined) figures.unanswered += 1;
    if (answer === undefined && isSound) failures.push(`request ${at} was admitted and never answered`);
    if (ending === 'switched' && at === requests.length - 1) {
      const behind = first?.behind() ?? '';
      const expected = answer?.status === 101 ? rest : '';
      if (behind !== expected)
        failures.push(`behind the upgrade the agent was sent ${JSON.stringify(behind)}, not ${JSON.stringify(expected)}`);
    }
  }
  return failures;
}

/** Nothing but the body is compared before it is whole. */
function unlike(what: string, request: ReadRequest, one: ForwardOrder, came: ReadRequest): string[] {
  const failures: string[] = [];
  if (came.method !== request.method) failures.push(`${what} came as ${came.method}`);
  if (came.url !== one.path) failures.push(`${what} came for ${came.url}`);
  if (!request.body.startsWith(came.body)) failures.push(`${what} came with another body: ${JSON.stringify(came.body)}`);
  if (!came.isWhole) return failures;
  if (!request.isWhole) failures.push(`${what} is not whole, and came as if it were`);
  if (came.body !== request.body) failures.push(`${what} came with a shorter body: ${JSON.stringify(came.body)}`);
  const { connection } = sift(request.pairs, REQUEST_FIELDS, false);
  const trailers = siftTrailers(request.trailers, REQUEST_FIELDS, connection).flat();
  if (one.body !== null && one.contentLength === null && !isDeepStrictEqual(came.trailers, trailers))
    failures.push(`${what} came with the trailers ${JSON.stringify(came.trailers)}`);
  return failures;
}

/** Its method, target, host and all lines that are passed on are those of this request. */
function isSame(request: ReadRequest, { method, path, host, headers }: ForwardOrder): boolean {
  if (request.method !== method || originForm(request.url) !== path) return false;
  const { kept, host: sent } = sift(request.pairs, REQUEST_FIELDS, false);
  return sent === host && isDeepStrictEqual(headers.slice(0, kept.length), kept);
}

/** RFC 9112 section 3.2.2. */
function originForm(url: string): string {
  if (url.startsWith('/')) return url;
  const rest = url.replace(/^https?:\/\/[^/?]*/i, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Of a problem: its status and its code. */
function codeOf({ status, body }: { readonly status: number; readonly body: string }): string {
  return `${status} ${/"type":"[^"]*\/([a-z-]+)"/.exec(body)?.[1] ?? ''}`;
}

/** The body of an admitted request broke, or its agent could not be told of it: that is the client's to know. */
const isTold = (body: string): boolean => /\/(?:bad-request|headers-too-large)"/.test(body);
