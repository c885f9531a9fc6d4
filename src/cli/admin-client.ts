import { EXIT, type ProblemCode, PROBLEMS } from '../contract/problems.ts';
import type { Clock } from '../ports/clock.ts';
import { done, failed, type Outcome } from '../std/outcome.ts';
import { printable } from '../std/printable.ts';
import { after, type Millis, millisOf } from '../std/time.ts';
import type { Daemon } from './daemon.ts';
import { type Failure, failure } from './terminal.ts';

/**
 * The internal port as seen by the command line. Every answer has a limit in time and in size, and whatever goes wrong comes
 * back as the lines to print.
 */

const ANSWER_WITHIN: Millis = millisOf(10_000);
/** Some thousand agents or routes; an honest daemon does not come near it. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** `within`: how long the answer may take. `body`: sent as JSON. */
export interface CallOptions {
  readonly within?: Millis;
  readonly body?: unknown;
}

/** Calls the daemon; the JSON it answers with. */
export async function call(
  daemon: Daemon,
  clock: Clock,
  method: string,
  path: string,
  { within = ANSWER_WITHIN, body }: CallOptions = {},
): Promise<Outcome<unknown, Failure>> {
  const abort = new AbortController();
  const alarm = clock.alarm(after(clock.now(), within), () => abort.abort());
  try {
    const response = await send(daemon, method, path, { accept: 'application/json' }, abort.signal, body);
    const text = await bodyOf(response);
    if (text === null) return failed(failure(EXIT.failed, `the answer of ${daemon.url} is larger than 16 MiB`));
    return answerOf(daemon, response, text);
  } catch (error) {
    return failed(unreachable(daemon, abort.signal.aborted ? `no answer within ${within / 1000} s` : causeOf(error)));
  } finally {
    alarm.cancel();
  }
}

/** Opens an event stream. The response has status 200; its body is not read yet. Aborting `signal` ends it at any time. */
export async function openStream(
  daemon: Daemon,
  clock: Clock,
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Outcome<ReadableStream<Uint8Array>, Failure>> {
  const abort = new AbortController();
  const alarm = clock.alarm(after(clock.now(), ANSWER_WITHIN), () => abort.abort());
  try {
    const stop = AbortSignal.any([signal, abort.signal]);
    const response = await send(daemon, 'GET', path, { accept: 'text/event-stream', ...headers }, stop);
    if (response.ok && response.body !== null && mediaTypeOf(response) === 'text/event-stream') return done(response.body);
    const answer = answerOf(daemon, response, (await bodyOf(response)) ?? '');
    return answer.ok ? failed(stranger(daemon, response)) : answer;
  } catch (error) {
    return failed(unreachable(daemon, abort.signal.aborted ? 'no answer within 10 s' : causeOf(error)));
  } finally {
    alarm.cancel();
  }
}

function send(
  { url, token }: Daemon,
  method: string,
  path: string,
  own: Readonly<Record<string, string>>,
  signal: AbortSignal,
  body?: unknown,
): Promise<Response> {
  const headers = {
    ...own,
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  // A redirect would take the token to wherever it points.
  return fetch(url + path, { method, headers, redirect: 'manual', signal, ...sent });
}

/** Null when it is too large. */
async function bodyOf(response: Response): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answerOf(daemon: Daemon, response: Response, text: string): Outcome<unknown, Failure> {
  const type = mediaTypeOf(response);
  const value = type === 'application/json' || type === 'application/problem+json' ? parsed(text) : undefined;
  if (value === undefined) return failed(stranger(daemon, response));
  return response.ok ? done(value) : failed(refusal(value, response.status));
}

/** A problem (RFC 9457) in the words of the table, which this command line may know better than the daemon it speaks to. */
function refusal(value: unknown, status: number): Failure {
  const body = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const code = textOf(body['type'])?.split('/').at(-1) ?? '';
  const known = Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code as ProblemCode] : null;
  const title = textOf(body['title']) ?? known?.title ?? `the daemon answered with status ${status}`;
  const detail = textOf(body['detail']);
  const complaints = Array.isArray(body['complaints']) ? body['complaints'].filter((one) => typeof one === 'string') : [];
  const advice = [known?.user, known?.operator].filter((words) => words !== undefined && !words.startsWith('Nothing'));
  return {
    exit: code === 'config-invalid' ? EXIT.badConfig : EXIT.failed,
    lines: [`reveille: ${title}${code === '' ? '' : ` (${code})`}`, ...complaints].map(printable),
    advice: [...(detail === undefined ? [] : [detail]), ...advice].map((words) => printable(words ?? '')),
  };
}

function stranger(daemon: Daemon, response: Response): Failure {
  const what = `status ${response.status}, ${mediaTypeOf(response) || 'no content type'}`;
  return failure(
    EXIT.unreachable,
    `what answers at ${daemon.url} is not the internal port of a daemon (${printable(what)})`,
    'Name the internal port (admin_listen), not the public one, with --admin or REVEILLE_ADMIN.',
  );
}

function unreachable(daemon: Daemon, cause: string): Failure {
  return failure(
    EXIT.unreachable,
    `the daemon cannot be reached at ${daemon.url}: ${cause}`,
    'Start it with `reveille serve`, or name another with --admin or REVEILLE_ADMIN.',
  );
}

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to its network',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_SOCKET: 'the connection was closed',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
};

/** fetch wraps what happened in a TypeError whose cause says it; several addresses make it one level deeper. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const { code, message } = (cause ?? {}) as { readonly code?: string; readonly message?: string };
  return CAUSES[code ?? ''] ?? printable(code ?? message ?? (error instanceof Error ? error.message : 'the connection failed'));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const mediaTypeOf = (response: Response): string =>
  (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
