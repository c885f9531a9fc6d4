import { STATUS_CODES } from 'node:http';
import { problemBody, type ProblemCode, PROBLEMS } from '../contract/problems.ts';

/** An answer of the daemon's own: status, header lines as a raw array, and body. */
export interface OwnAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

// RFC 9110 section 15.5.6 wants the methods that are served; agents may serve more, but CONNECT and TRACE never are.
const ALLOW = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** What may decide between the waiting page and a problem: a 503 that says less would let a cache mix the two up. */
export const VARY = 'Accept, Sec-Fetch-Mode, Sec-Fetch-Dest';

/** `no-store`: whatever it says is true now and may be wrong in a second, and caches keep a 404 by themselves. */
function answerOf(
  status: number,
  contentType: string,
  body: string,
  requestId: string,
  retryAfterSeconds: number | null,
): OwnAnswer {
  const headers = ['Content-Type', contentType, 'Content-Length', String(Buffer.byteLength(body)), 'Cache-Control', 'no-store'];
  if (status === 503) headers.push('Vary', VARY);
  headers.push('X-Request-Id', requestId);
  if (retryAfterSeconds !== null) headers.push('Retry-After', String(retryAfterSeconds));
  return { status, headers, body };
}

/**
 * A problem as `application/problem+json` (RFC 9457). Nothing of the request but its id is repeated in it. `allow`: the
 * methods that are served there, for a 405.
 */
export function problemAnswer(
  code: ProblemCode,
  requestId: string,
  detail?: string,
  retryAfterSeconds: number | null = null,
  allow: string = ALLOW,
): OwnAnswer {
  const { status } = PROBLEMS[code];
  const body = JSON.stringify(problemBody(code, requestId, detail));
  const answer = answerOf(status, 'application/problem+json', body, requestId, retryAfterSeconds);
  return status === 405 ? { ...answer, headers: [...answer.headers, 'Allow', allow] } : answer;
}

export function jsonAnswer(
  status: number,
  json: Readonly<Record<string, string>>,
  requestId: string,
  retryAfterSeconds: number | null,
): OwnAnswer {
  return answerOf(status, 'application/json', JSON.stringify(json), requestId, retryAfterSeconds);
}

/** What a rule says, as it says it. RFC 9110 section 8.6: an answer that has no content has no length either. */
export function textAnswer(
  text: { readonly status: number; readonly contentType: string; readonly body: string },
  requestId: string,
): OwnAnswer {
  const { status, contentType, body } = text;
  if (status !== 204 && status !== 304) return answerOf(status, contentType, body, requestId, null);
  return { status, headers: ['Cache-Control', 'no-store', 'X-Request-Id', requestId], body: '' };
}

/** The answer as bytes, for a socket that has no ServerResponse (any more, or yet). Ends the connection. */
export function answerBytes(answer: OwnAnswer): string {
  return `${headBytes(answer.status, [...answer.headers, 'Connection', 'close'])}${answer.body}`;
}

/** A status line and header lines, with the empty line behind them. */
export function headBytes(status: number, headers: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (let at = 0; at + 1 < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${head}\r\n`;
}
