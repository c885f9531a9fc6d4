import type { IncomingMessage } from 'node:http';
import { ApiFailure } from './api-failure.ts';
import { CALLS, type CallName } from './calls.ts';
import { parseExactly } from './exact-json.ts';

/**
 * Reads what the Engine API answers. Its outermost shape is looked at here, once, because whatever sits between us and the
 * engine may answer anything: what is read of it later may be missing, but never of another kind.
 */
/** The tasks of a thousand services fit in a tenth of it. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const QUOTED_MAX = 80;

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const isNamed = (value: unknown): boolean => isObject(value) && typeof (value as { ID?: unknown }).ID === 'string';
/** Containers alone spell it so. */
const isContainer = (value: unknown): boolean => isObject(value) && typeof (value as { Id?: unknown }).Id === 'string';
const isList = (value: unknown): boolean => Array.isArray(value) && value.every(isNamed);

/** Calls that are not here are answered with an object, or with nothing that anybody reads. */
const SHAPES: Readonly<Partial<Record<CallName, (value: unknown) => boolean>>> = {
  services: isList,
  tasks: isList,
  nodes: isList,
  service: isNamed,
  containers: (value) => Array.isArray(value) && value.every(isContainer),
  pause: () => true,
  unpause: () => true,
  stop: () => true,
};

/** The JSON of an answer, undefined when there is none. Throws an ApiFailure for what Docker would not say. */
export function readAnswer(name: CallName, text: string): unknown {
  const { method, path } = CALLS[name];
  const isRight = SHAPES[name] ?? isObject;
  try {
    const value = text === '' ? undefined : parseExactly(text);
    if (isRight(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const quoted = JSON.stringify(text.slice(0, QUOTED_MAX));
  throw new ApiFailure('failed', `${method} ${path} was answered with ${quoted}, which is not what Docker says`);
}

/** Throws whatever the stream breaks with, and an ApiFailure for one that is too long. */
export async function bodyOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) throw new ApiFailure('refused', 'Docker answered with more than 64 MiB');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
