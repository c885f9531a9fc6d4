import type { Static, TSchema } from 'typebox';
import { Check } from 'typebox/value';
import { TASK_HEADER } from '../../src/contract/api.ts';
import type { Millis } from '../../src/std/time.ts';
import { bodyText } from './body-text.ts';
import { DaemonError, refusal } from './daemon-error.ts';

/** How to reach the daemon, and as whom. */
export interface Access {
  /** The internal port's base, without trailing slash. */
  readonly url: string;
  readonly token: string;
  readonly taskId: string | null;
  /** Longest wait for one whole answer. */
  readonly timeoutMs: Millis;
}

/** A checked answer, and the daemon's own clock when it was given (RFC 9110 section 6.6.1), to the second; null without one. */
export interface Reply<T> {
  readonly body: T;
  readonly at: number | null;
}

/** No answer of the contract comes near this; more is not the daemon. */
const ANSWER_BYTES_MAX = 1024 * 1024;

/**
 * One call to the internal port. The answer is checked against `schema` (null: the body does not matter), so that whoever
 * holds a value of the derived type can rely on it. Rejects with nothing but a {@link DaemonError}.
 */
export async function exchange<S extends TSchema>(
  access: Access,
  method: string,
  path: string,
  schema: S,
  body?: unknown,
): Promise<Reply<Static<S>>> {
  const { status, at, text } = await send(access, method, path, body);
  const parsed = parse(text);
  if (status < 200 || status > 299) throw refusal(status, parsed);
  if (!Check(schema, parsed))
    throw new DaemonError('garbled', `The answer to ${method} ${path} is not of the contract`, null, status);
  return { body: parsed, at };
}

async function send(access: Access, method: string, path: string, body: unknown) {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new DaemonError('unreachable', `No answer to ${method} ${path} in time`)),
    access.timeoutMs,
  );
  try {
    const response = await fetch(access.url + path, {
      method,
      headers: {
        authorization: `Bearer ${access.token}`,
        accept: 'application/json',
        ...(access.taskId === null ? {} : { [TASK_HEADER]: access.taskId }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // The daemon never redirects. Following one would carry the token to wherever it points.
      redirect: 'error',
      signal: late.signal,
    });
    const at = Date.parse(response.headers.get('date') ?? '');
    return { status: response.status, at: Number.isNaN(at) ? null : at, text: await textOf(response) };
  } catch (error) {
    if (error instanceof DaemonError) throw error;
    throw new DaemonError('unreachable', `No answer to ${method} ${path}: ${reasonOf(error)}`);
  } finally {
    clearTimeout(timer);
  }
}

async function textOf(response: Response): Promise<string> {
  const text = await bodyText(response, ANSWER_BYTES_MAX);
  if (text === null) throw new DaemonError('garbled', 'The answer is too long to be of the contract');
  return text;
}

function parse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** fetch says no more than "fetch failed"; the reason is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return cause?.code ?? cause?.message ?? error.message;
}
