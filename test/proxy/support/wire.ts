import type { RawConnection } from './raw.ts';

/**
 * What an agent reads that believes its front: requests, read back from the bytes of one connection. It forgives nothing, and
 * knows nothing of node's parser or of ours, so that what they overlook together is still seen here. Bytes that are no
 * request throw; a request that is not whole yet is left over.
 */
export interface WireRequest {
  readonly method: string;
  readonly target: string;
  /** Name and value, as sent. */
  readonly lines: readonly (readonly [string, string])[];
  /** Decoded. */
  readonly body: string;
  readonly trailers: readonly (readonly [string, string])[];
  readonly framing: 'none' | 'length' | 'chunked';
  /** After it the connection speaks no HTTP, if its agent agrees. */
  readonly isUpgrade: boolean;
}

export interface Wire {
  readonly requests: readonly WireRequest[];
  /** Behind the last whole request. */
  readonly left: string;
}

/** Values of one header of a request, in order. */
export const valuesOf = (request: WireRequest | undefined, name: string): string[] =>
  (request?.lines ?? []).filter(([known]) => known.toLowerCase() === name.toLowerCase()).map(([, value]) => value);

/** One line for one request: `POST /a 5`, the number being the bytes of its body. */
export const inShort = ({ method, target, body }: WireRequest): string => `${method} ${target} ${body.length}`;

/**
 * Reads the bytes that one connection has carried to an agent, which is latin1 text. Throws at the first that is amiss.
 * `switches`: the agent agrees to upgrades, so what is behind one is left over.
 */
export function readWire(bytes: string, switches = true): Wire {
  const requests: WireRequest[] = [];
  let left = bytes;
  while (left !== '') {
    const read = readRequest(left);
    if (read === null) break;
    requests.push(read.request);
    left = left.slice(read.length);
    if (read.request.isUpgrade && switches) break;
  }
  return { requests, left };
}

const REQUEST_LINE = /^([A-Z-]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.1$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff\t]*[\x21-\x7e\x80-\xff])?)?)$/;

function readRequest(bytes: string): { readonly request: WireRequest; readonly length: number } | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const [start = '', ...fields] = bytes.slice(0, headEnd).split('\r\n');
  const [, method = '', target = ''] = REQUEST_LINE.exec(start) ?? amiss('a request line', start);
  const lines = fields.map(readField);
  const all = (name: string): string[] => lines.filter(([known]) => known.toLowerCase() === name).map(([, value]) => value);
  if (all('host').length !== 1) amiss('one Host', start);
  // An agent that speaks CGI cannot tell them from the real ones.
  const twin = lines.find(
    ([name]) => /^(?:host|content_length|transfer_encoding|x_forwarded_.*)$/i.test(name) && name.includes('_'),
  );
  if (twin !== undefined) amiss('a line without a double meaning', twin[0]);
  const [length, ...moreLengths] = all('content-length');
  const [coding, ...moreCodings] = all('transfer-encoding');
  if (moreLengths.length + moreCodings.length > 0) amiss('one framing', start);
  if (length !== undefined && coding !== undefined) amiss('one framing', start);
  if (coding !== undefined && coding !== 'chunked') amiss('chunked', coding);
  if (length !== undefined && !/^\d+$/.test(length)) amiss('a length', length);
  const isUpgrade = all('upgrade').length > 0;
  const bodyAt = headEnd + 4;
  const head = { method, target, lines, isUpgrade };
  if (coding !== undefined) {
    const chunked = readChunks(bytes, bodyAt);
    if (chunked === null) return null;
    const { body, trailers, end } = chunked;
    return { request: { ...head, body, trailers, framing: 'chunked' }, length: end };
  }
  const end = bodyAt + Number(length ?? 0);
  if (bytes.length < end) return null;
  const framing = length === undefined ? 'none' : 'length';
  return { request: { ...head, body: bytes.slice(bodyAt, end), trailers: [], framing }, length: end };
}

function readField(line: string): readonly [string, string] {
  const [, name = '', value = ''] = FIELD.exec(line) ?? amiss('a header line', line);
  return [name, value];
}

function readChunks(
  bytes: string,
  from: number,
): { readonly body: string; readonly trailers: readonly (readonly [string, string])[]; readonly end: number } | null {
  let body = '';
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const line = bytes.slice(at, lineEnd);
    // No extension either: they end at the next hop (RFC 9112 section 7.1.1).
    if (!/^[0-9a-fA-F]{1,8}$/.test(line)) amiss('a chunk size', line);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return null;
    if (bytes.slice(at + size, at + size + 2) !== '\r\n') amiss('CRLF behind a chunk', bytes.slice(at, at + size + 2));
    body += bytes.slice(at, at + size);
    at += size + 2;
  }
  const trailers: (readonly [string, string])[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const line = bytes.slice(at, lineEnd);
    at = lineEnd + 2;
    if (line === '') return { body, trailers, end: at };
    trailers.push(readField(line));
  }
}

function amiss(wanted: string, found: string): never {
  throw new Error(`the agent was sent something that is not ${wanted}: ${JSON.stringify(found.slice(0, 200))}`);
}

/**
 * A backend that answers each request once it is whole, in order, until there is an upgrade. At bytes that are no request it
 * hangs up: whoever reads the wire afterwards is told what was amiss.
 */
export function answeringWhole(answer: (request: WireRequest) => string, switches = true): (connection: RawConnection) => void {
  return (connection) => {
    let answered = 0;
    connection.socket.on('data', () => {
      let requests: readonly WireRequest[] = [];
      try {
        ({ requests } = readWire(connection.received, switches));
      } catch {
        connection.socket.destroy();
      }
      for (; answered < requests.length; answered += 1) connection.send(answer(requests[answered]!));
    });
  };
}
