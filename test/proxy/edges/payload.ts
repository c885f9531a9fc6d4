import type { ProblemCode } from '../../../src/contract/problems.ts';

/**
 * One thing that a client may send, and what has to become of it. Each is sent as a request and as an upgrade, because holes of
 * this kind come from an upgrade path that forgot what the request path does (webpack-dev-server CVE-2026-112085, Next
 * CVE-2026-44578). Behind each stands another request, which a disagreement on where the first one ends would hide or double.
 */
export interface Payload {
  /** The RFC's section or the CVE, and the case. */
  readonly rule: string;
  /** Where none is given: GET, or POST where there is a body. */
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** The Host line, or lines. */
  readonly host?: string;
  readonly lines?: string;
  readonly body?: string;
  /** Has the last word on the bytes. */
  readonly edit?: (bytes: string) => string;
  readonly verdict: Verdict;
  /** Where an upgrade meets something else. */
  readonly asUpgrade?: Verdict;
}

export interface Verdict {
  readonly status: number;
  readonly problem: ProblemCode | null;
  /** What the agent reads, in short, and nothing else. */
  readonly reaches: readonly string[];
}

/** Sent behind every payload. */
export const AFTER = 'GET /after HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\n\r\n';
const AFTER_IN_SHORT = 'GET /after 0';
export const HOST = 'Host: kai.test\r\n';
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a2V5\r\nSec-WebSocket-Version: 13\r\n';

/** Nothing of it reaches the agent, nor does what follows: where it ends cannot be trusted. */
export const refused = (status: number, problem: ProblemCode): Verdict => ({ status, problem, reaches: [] });
/** Well formed, and meant for nobody here. */
export const NOBODY: Verdict = { status: 404, problem: 'unknown-host', reaches: [AFTER_IN_SHORT] };
/** The agent reads exactly this, and then what follows. */
export const passes = (inShort: string): Verdict => ({ status: 200, problem: null, reaches: [inShort, AFTER_IN_SHORT] });
/** The agent reads exactly this; what follows is not served on this connection. */
export const passesAlone = (inShort: string): Verdict => ({ status: 200, problem: null, reaches: [inShort] });
/** Not HTTP, or HTTP that readers disagree on. */
export const MALFORMED = refused(400, 'bad-request');

export function bytesOf(payload: Payload, path: 'request' | 'upgrade'): string {
  const { target = '/p', version = 'HTTP/1.1', host = HOST, lines = '', body = '' } = payload;
  const method = payload.method ?? (path === 'upgrade' || payload.body === undefined ? 'GET' : 'POST');
  const upgrade = path === 'upgrade' ? UPGRADE : '';
  const bytes = `${method} ${target} ${version}\r\n${host}${upgrade}${lines}\r\n${body}`;
  return payload.edit === undefined ? bytes : payload.edit(bytes);
}

/** An upgrade that its agent answers plainly ends its connection, so nothing behind it is served. */
export function verdictOf(payload: Payload, path: 'request' | 'upgrade'): Verdict {
  if (path === 'request') return payload.verdict;
  const { reaches, ...rest } = payload.verdict;
  return payload.asUpgrade ?? { ...rest, reaches: reaches.filter((inShort) => inShort !== AFTER_IN_SHORT) };
}
