import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/**
 * How racks know each other: every request and every answer between them carries an HMAC-SHA256 under the shared secret. A
 * request is bound to its method, path, time, nonce and body; an answer to the nonce of its request, its status and its body,
 * so that no answer can be given to another question.
 */
export const SEAL_HEADERS = { time: 'x-revolt-time', nonce: 'x-revolt-nonce', signature: 'x-revolt-signature' } as const;

/** How far the clocks of two racks may be apart, and how long a request may be on its way. */
export const CLOCK_SKEW_MS = 60_000;
/** A nonce has to be remembered for as long as its request could be taken. */
export const NONCE_TTL_SECONDS = (2 * CLOCK_SKEW_MS) / 1000 + 60;

const NONCE = /^[A-Za-z0-9-]{16,64}$/;
const SIGNATURE = /^[0-9a-f]{64}$/;
const TIME = /^[0-9]{1,15}$/;

export interface SealedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: string | Buffer;
}

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export function sealRequest(secret: string, request: SealedRequest, nonce: string, now: number): Record<string, string> {
  const time = String(now);
  return {
    [SEAL_HEADERS.time]: time,
    [SEAL_HEADERS.nonce]: nonce,
    [SEAL_HEADERS.signature]: sign(secret, 'request', request.method, request.path, time, nonce, sha256(request.body)),
  };
}

/** The nonce of a request that is whole, ours and of now; null for every other. Whether it was used before is asked elsewhere. */
export function openRequest(secret: string, request: SealedRequest, headers: Headers, now: number): string | null {
  const time = headers[SEAL_HEADERS.time];
  const nonce = headers[SEAL_HEADERS.nonce];
  if (typeof time !== 'string' || !TIME.test(time) || typeof nonce !== 'string' || !NONCE.test(nonce)) return null;
  const wanted = sign(secret, 'request', request.method, request.path, time, nonce, sha256(request.body));
  if (!isSame(wanted, headers[SEAL_HEADERS.signature])) return null;
  return Math.abs(now - Number(time)) <= CLOCK_SKEW_MS ? nonce : null;
}

export const sealAnswer = (secret: string, nonce: string, status: number, body: string | Buffer): string =>
  sign(secret, 'answer', nonce, String(status), sha256(body));

export const isAnswerSealed = (secret: string, nonce: string, status: number, body: string, signature: unknown): boolean =>
  isSame(sealAnswer(secret, nonce, status, body), signature);

export const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

/** No part can hold a line break: paths and methods come from a parsed request, the rest is checked above or made here. */
const sign = (secret: string, ...parts: readonly string[]): string =>
  createHmac('sha256', secret).update(parts.join('\n')).digest('hex');

const isSame = (wanted: string, given: unknown): boolean =>
  typeof given === 'string' && SIGNATURE.test(given) && timingSafeEqual(Buffer.from(wanted), Buffer.from(given));
