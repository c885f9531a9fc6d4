import { randomUUID } from 'node:crypto';
import { SEAL_HEADERS, isAnswerSealed, sealRequest } from './seal.ts';

/** The other rack, reached as everybody reaches it: through its daemon's public port, behind which it may be asleep. */
export interface Peer {
  readonly url: string;
  /** Never rejects. A body is sent as it is given; its text is what the signature covers. */
  call(method: string, path: string, body: string | null, timeoutMs: number): Promise<PeerAnswer>;
}

export type PeerAnswer =
  /** The other rack itself has said this, to this question. */
  | { readonly kind: 'said'; readonly status: number; readonly json: unknown }
  | { readonly kind: 'asleep'; readonly retryAfterMs: number }
  /** It does not know our secret, or our clock is far off. */
  | { readonly kind: 'unauthorized' }
  /** Whether it has heard us is not known. */
  | { readonly kind: 'silent'; readonly late: boolean; readonly reason: string };

const ANSWER_BYTES_MAX = 64 * 1024;
const RETRY_AFTER_MS = 1000;
const RETRY_AFTER_MAX_MS = 5000;

export function peerAt(url: string, secret: string): Peer {
  return { url, call: (method, path, body, timeoutMs) => call(url, secret, { method, path, body, timeoutMs }) };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: string | null;
  readonly timeoutMs: number;
}

async function call(url: string, secret: string, { method, path, body, timeoutMs }: Call): Promise<PeerAnswer> {
  const nonce = randomUUID();
  const target = new URL(url + path);
  const request = { method, path: target.pathname + target.search, body: body ?? '' };
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  try {
    const response = await fetch(target, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === null ? {} : { 'content-type': 'application/json' }),
        ...sealRequest(secret, request, nonce, Date.now()),
      },
      ...(body === null ? {} : { body }),
      // What is signed for the peer is for nobody else.
      redirect: 'error',
      signal: late.signal,
    });
    const text = await textOf(response);
    const signature = response.headers.get(SEAL_HEADERS.signature);
    if (isAnswerSealed(secret, nonce, response.status, text, signature)) {
      return { kind: 'said', status: response.status, json: parse(text) };
    }
    return unsigned(response);
  } catch (error) {
    return { kind: 'silent', late: late.signal.aborted, reason: late.signal.aborted ? 'no answer in time' : reasonOf(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** Said by whatever stands before the peer, or by somebody who is not the peer. It decides nothing but whether to go on asking. */
function unsigned({ status, headers }: Response): PeerAnswer {
  if (status === 401) return { kind: 'unauthorized' };
  if (status !== 503) return { kind: 'silent', late: false, reason: `status ${status} without the peer's signature` };
  const seconds = Number(headers.get('retry-after') ?? '');
  const wait = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : RETRY_AFTER_MS;
  // It may be ready long before a careful daemon says so.
  return { kind: 'asleep', retryAfterMs: Math.min(wait, RETRY_AFTER_MAX_MS) };
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** fetch says no more than "fetch failed"; the reason is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return (cause?.code ?? cause?.message ?? error.message).slice(0, 200);
}
