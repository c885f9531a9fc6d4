import { type Hostname, parseHost } from '../contract/hostname.ts';
import type { ProblemCode } from '../contract/problems.ts';
import { listOf, REQUEST_FIELDS, sift, type Sifted } from './headers.ts';

/**
 * The head of a request, checked. node:http has parsed it strictly, but lets through what a proxy must decide itself (two
 * Host lines, foreign targets, unknown codings, loose expectations); those rules are here and nowhere else. The target
 * stays bytes: it never goes through `new URL`, which would let `//other-host/` change where a request goes.
 */
export interface RequestHead {
  readonly method: string;
  /** Origin-form (RFC 9112 section 3.2.1), as it goes to the agent. */
  readonly target: string;
  /** The target without its query. */
  readonly path: string;
  /** False: HTTP/1.0. */
  readonly speaks11: boolean;
  readonly host: Hostname;
  /** Host exactly as sent. */
  readonly hostValue: string;
  readonly lines: Sifted;
  /** Digits without zeros in front, which some read as octal. Null: none was sent. */
  readonly contentLength: string | null;
  readonly hasBody: boolean;
  readonly expectsContinue: boolean;
}

/** A head that cannot be served. All of them end the connection: what follows on it cannot be trusted to be a request. */
export interface HeadFault {
  readonly fault: ProblemCode;
  readonly detail?: string;
  readonly lines: Sifted;
}

/** What of node:http's IncomingMessage is read. */
export interface RawHead {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  readonly rawHeaders: readonly string[];
}

export interface HeadLimits {
  readonly header_bytes: number;
  readonly header_lines: number;
  readonly uri_bytes: number;
}

/** RFC 9110 section 7.8: an upgrade is asked for by both headers, and never over HTTP/1.0. Others are plain requests. */
export function wantsWebSocket(head: RawHead, lines: Sifted): boolean {
  return (
    head.method === 'GET' &&
    head.httpVersionMajor === 1 &&
    head.httpVersionMinor === 1 &&
    lines.upgrade !== null &&
    lines.connection.includes('upgrade') &&
    listOf(lines.upgrade).includes('websocket')
  );
}

/** Checks a head in the order in which a fault makes the rest meaningless. `upgrade`: it is a WebSocket upgrade. */
export function readHead(raw: RawHead, limits: HeadLimits, trusted: boolean, upgrade: boolean): RequestHead | HeadFault {
  const method = raw.method ?? '';
  const url = raw.url ?? '';
  const lines = sift(raw.rawHeaders, REQUEST_FIELDS, trusted);
  const fault = (code: ProblemCode, detail?: string): HeadFault =>
    detail === undefined ? { fault: code, lines } : { fault: code, detail, lines };

  if (url.length > limits.uri_bytes) return fault('uri-too-long');
  // Counted here and not by node's maxHeadersCount, which before 24.21 truncates in silence: a smuggling hole in a proxy.
  if (raw.rawHeaders.length > limits.header_lines * 2) return fault('headers-too-large', 'Too many header lines.');
  // `METHOD SP target SP HTTP/1.1 CRLF ... CRLF`.
  if (method.length + url.length + 14 + lines.bytes > limits.header_bytes) return fault('headers-too-large');
  if (raw.httpVersionMajor === 0) return fault('bad-request', 'HTTP/0.9 cannot name a host.');
  if (raw.httpVersionMajor !== 1) return fault('http-version');
  if (method === 'CONNECT' || method === 'TRACE') return fault('method-not-allowed');
  if (lines.host === null) return fault('bad-host');
  const host = parseHost(lines.host);
  if (host === null) return fault('bad-host');
  const target = originForm(url, host);
  if (typeof target !== 'string') return fault(target.fault, target.detail);

  const speaks11 = raw.httpVersionMinor === 1;
  const { contentLength, transferCoding } = lines;
  if (transferCoding !== null) {
    // RFC 9112 section 6.1: HTTP/1.0 has no codings, so a sender that uses one is not to be believed on where it ends.
    if (!speaks11) return fault('bad-request', 'Transfer-Encoding in HTTP/1.0.');
    if (contentLength !== null) return fault('bad-request', 'Content-Length beside Transfer-Encoding.');
    if (transferCoding.toLowerCase() !== 'chunked') return fault('unsupported-transfer-coding');
  }
  // node counts to 2^64 where agents may overflow; in 15 digits everybody is exact.
  const length = contentLength === null ? null : contentLength.replace(/^0+(?=\d)/, '');
  if (length !== null && length.length > 15) return fault('bad-request', 'A Content-Length of more than 15 digits.');
  if (upgrade && (contentLength !== null || transferCoding !== null || lines.expect !== null)) {
    return fault('bad-request', 'A WebSocket upgrade has neither a body nor an expectation.');
  }
  const hasBody = transferCoding !== null || (length !== null && length !== '0');
  const isContinue = lines.expect?.toLowerCase() === '100-continue';
  if (lines.expect !== null && !isContinue) return fault('expectation-failed');
  const query = target.indexOf('?');
  return {
    method,
    target,
    path: query === -1 ? target : target.slice(0, query),
    speaks11,
    host,
    hostValue: lines.host,
    lines,
    contentLength: length,
    hasBody,
    // RFC 9110 section 10.1.1: ignored from HTTP/1.0, and without a body there is nothing to wait for.
    expectsContinue: isContinue && speaks11 && hasBody,
  };
}

/**
 * The target in origin-form. Absolute-form is taken when it names the same host as Host does: RFC 9112 section 3.2.2 has the
 * target win, but a request whose two names differ is only ever sent to confuse one of two readers.
 */
function originForm(url: string, host: Hostname): string | { readonly fault: ProblemCode; readonly detail: string } {
  // Neither is allowed in a target; readers disagree on what they mean.
  if (url.includes('#') || url.includes('\\')) return { fault: 'bad-request', detail: 'A # or \\ in the target.' };
  if (url.startsWith('/')) return url;
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(url);
  if (absolute === null) return { fault: 'bad-request', detail: 'This form of target is not served.' };
  if (parseHost(absolute[1] ?? '') !== host) return { fault: 'bad-host', detail: 'The target names another host than Host.' };
  const rest = absolute[2] ?? '';
  return rest.startsWith('/') ? rest : `/${rest}`;
}
