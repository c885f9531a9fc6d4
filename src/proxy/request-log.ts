import type { IncomingMessage } from 'node:http';
import type { ProblemCode } from '../contract/problems.ts';
import type { Millis } from '../std/time.ts';
import type { Front } from './front.ts';
import type { RequestHead } from './head.ts';

/** The request log. A path is cut off here: it is for people to read, and clients choose its length. */
const PATH_CHARS_MAX = 256;

/** What was asked for. */
export interface Asked {
  readonly method: string | undefined;
  readonly host: string | null;
  /** Without its query. */
  readonly path: string;
}

/** `head` is null where it could not be read. */
export function askedIn(request: IncomingMessage, head: RequestHead | null): Asked {
  const path = head?.path ?? (request.url ?? '').split('?', 1)[0] ?? '';
  return { method: request.method, host: head?.host ?? null, path };
}

export interface RequestFacts {
  readonly asked: Asked;
  /** Null: the client had gone before there was an answer. */
  readonly status: number | null;
  readonly took: Millis;
  readonly agent: string | null;
  readonly requestId: string;
  readonly problem: ProblemCode | null;
  readonly detail: string | null;
}

/** One line per request, where `log.requests` asks for it. Never a query string or a header: tokens live there. */
export function logRequest(front: Front, facts: RequestFacts): void {
  if (front.logRequests === 'none') return;
  const failed = (facts.status !== null && facts.status >= 500) || facts.problem?.startsWith('upstream-') === true;
  if (front.logRequests === 'errors' && !failed) return;
  front.log.info('request ended', {
    method: facts.asked.method,
    host: facts.asked.host,
    path: facts.asked.path.slice(0, PATH_CHARS_MAX),
    status: facts.status,
    ms: Math.round(facts.took),
    agent: facts.agent,
    requestId: facts.requestId,
    problem: facts.problem,
    detail: facts.detail,
  });
}
