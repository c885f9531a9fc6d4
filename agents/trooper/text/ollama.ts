import Type from 'typebox';
import { Check } from 'typebox/value';
import { bodyText } from '../../kit/body-text.ts';
import { type Outcome, done, failed } from '../../../src/std/outcome.ts';

/**
 * Ollama, the second source of texts: one request, one whole answer. It is believed in nothing but that the text is a string.
 */
const ANSWER_BYTES_MAX = 64 * 1024;

/** What is read of the answer of POST /api/generate with `stream: false`. */
const Generated = Type.Object({ response: Type.String() });

/** Asks Ollama once. Resolves to what the model wrote, or why there is nothing; the reason holds nothing that it wrote. */
export async function askOllama(
  { url, model }: { readonly url: string; readonly model: string },
  prompt: string,
  timeoutMs: number,
  stopping: AbortSignal,
): Promise<Outcome<string, string>> {
  const end = new AbortController();
  const late = setTimeout(() => end.abort(), timeoutMs);
  const stop = (): void => end.abort();
  stopping.addEventListener('abort', stop, { once: true });
  if (stopping.aborted) stop();
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ model, prompt, stream: false }),
      // It never redirects. What it would redirect to was not configured.
      redirect: 'error',
      signal: end.signal,
    });
    if (response.status !== 200) return failed(`it answers ${response.status}`);
    return generatedIn(await bodyText(response, ANSWER_BYTES_MAX));
  } catch (error) {
    if (stopping.aborted) return failed('the trooper stops');
    return failed(end.signal.aborted ? 'it took too long' : `it cannot be asked: ${reasonOf(error)}`);
  } finally {
    clearTimeout(late);
    stopping.removeEventListener('abort', stop);
    // Lets go of a body that nobody reads.
    end.abort();
  }
}

function generatedIn(text: string | null): Outcome<string, string> {
  if (text === null) return failed('it wrote too much');
  try {
    const answer: unknown = JSON.parse(text);
    if (Check(Generated, answer)) return done(answer.response);
  } catch {
    // No JSON: the same as JSON without an answer.
  }
  return failed('its answer is not what Ollama answers');
}

/** fetch says no more than "fetch failed"; the code is in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code ?? cause?.message ?? 'no connection';
}
