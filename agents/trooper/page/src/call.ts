import { wakesIn } from './connection.ts';

/** A command to the world over its API. What it refuses comes as an error with the API's own words. */
const ANSWER_MAX_MS = 45_000;
const WAKE_ATTEMPTS_MAX = 12;

export type Answer = Readonly<Record<string, unknown>>;

/** `waking` is called when the world has to wake first, which it is waited for. Rejects with an Error that can be shown. */
export async function post(path: string, body: Readonly<Record<string, unknown>>, waking: () => void): Promise<Answer> {
  for (let attempt = 0; attempt < WAKE_ATTEMPTS_MAX; attempt += 1) {
    const response = await send(path, body);
    const waitMs = await wakesIn(response);
    if (waitMs === null) return answerOf(response);
    // A world that sleeps has not taken the command, so giving it again does nothing twice.
    waking();
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  throw new Error('the world did not wake in time');
}

async function send(path: string, body: unknown): Promise<Response> {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), ANSWER_MAX_MS);
  try {
    return await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: giveUp.signal,
    });
  } catch {
    throw new Error('no answer came; it may have been carried out or not');
  } finally {
    clearTimeout(timer);
  }
}

async function answerOf(response: Response): Promise<Answer> {
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    body = null;
  }
  const answer = typeof body === 'object' && body !== null ? (body as Answer) : {};
  if (response.ok) return answer;
  throw new Error(textOf(answer['error']) ?? textOf(answer['title']) ?? `the answer was ${response.status}`);
}

const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
