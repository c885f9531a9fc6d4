import { REQUEST_FIELDS, sift } from '../../src/proxy/headers.ts';
import { wantsWebSocket } from '../../src/proxy/head.ts';
import { StrictParser } from './node-parser.ts';

/** One request, as llhttp reads it. */
export interface ReadRequest {
  readonly method: string;
  readonly url: string;
  readonly major: number;
  readonly minor: number;
  /** Name, value, name, value. */
  readonly pairs: readonly string[];
  body: string;
  trailers: readonly string[];
  isWhole: boolean;
}

/** All that one connection carried towards a server. */
export interface RequestsRead {
  readonly requests: readonly ReadRequest[];
  /** `switched`: what follows is no HTTP. `last`: no request is served behind the last one. */
  readonly ending: 'clean' | 'cut' | 'refused' | 'switched' | 'last';
  /** Bytes behind a switch. */
  readonly rest: string;
}

export const valueOf = ({ pairs }: Pick<ReadRequest, 'pairs'>, name: string): string | null => {
  for (let at = 0; at < pairs.length; at += 2) if (pairs[at]!.toLowerCase() === name) return pairs[at + 1]!;
  return null;
};

/** Reads requests from the bytes of one connection, as they come. */
export class RequestReader {
  readonly requests: ReadRequest[] = [];
  refused: string | null = null;
  isSwitched = false;
  /** The last one asked for an upgrade that it does not get. */
  isDeclined = false;
  rest = '';
  private readonly parser: StrictParser;

  /** `takesUp`: whether there is a switch for this upgrade. `began`, `whole`: told of each request. */
  constructor(
    takesUp: (request: ReadRequest) => boolean,
    whole: (request: ReadRequest) => void = () => {},
    began: (request: ReadRequest) => void = () => {},
  ) {
    this.parser = new StrictParser('request', {
      head: ({ method, url, major, minor, pairs, isUpgrade }) => {
        const request: ReadRequest = { method, url, major, minor, pairs, body: '', trailers: [], isWhole: false };
        this.requests.push(request);
        const isTaken = isUpgrade && takesUp(request);
        this.isSwitched = isTaken;
        this.isDeclined = isUpgrade && !isTaken;
        began(request);
        return isTaken ? 2 : 0;
      },
      body: (part) => (this.requests.at(-1)!.body += part),
      whole: (trailers) => {
        const request = this.requests.at(-1)!;
        request.trailers = trailers;
        request.isWhole = true;
        whole(request);
      },
    });
  }

  /** Null, or why it has refused them: llhttp's code, once. */
  feed(bytes: Buffer): string | null {
    if (this.refused !== null) return null;
    const http = this.isSwitched ? 0 : this.read(bytes);
    if (this.isSwitched) this.rest += bytes.toString('latin1', http);
    return this.refused;
  }

  private read(bytes: Buffer): number {
    this.refused = this.parser.feed(bytes);
    return this.parser.taken;
  }

  /** The connection has ended. True: between requests. */
  end(): boolean {
    const mayEnd = this.refused === null && this.parser.end() === null;
    this.parser.close();
    return mayEnd && (this.requests.at(-1)?.isWhole ?? true);
  }
}

const wantsSwitch = ({ method, url, major, minor, pairs }: ReadRequest): boolean => {
  const raw = { method, url, httpVersionMajor: major, httpVersionMinor: minor, rawHeaders: pairs };
  return method === 'CONNECT' || wantsWebSocket(raw, sift(pairs, REQUEST_FIELDS, false));
};

/** What a server that declines all upgrades but WebSockets has to make of these bytes. */
export function readRequests(bytes: string): RequestsRead {
  const reader = new RequestReader(wantsSwitch);
  const raw = Buffer.from(bytes, 'latin1');
  // One byte at a time, so that nothing is read behind the last request.
  for (let at = 0; at < raw.length && reader.refused === null; at += 1) {
    if (reader.isDeclined && reader.requests.at(-1)!.isWhole) break;
    reader.feed(raw.subarray(at, at + 1));
    if (reader.isSwitched) {
      reader.rest = bytes.slice(at + 1);
      break;
    }
  }
  const { requests, refused, isSwitched, isDeclined, rest } = reader;
  if (isSwitched) return { requests, ending: 'switched', rest };
  // Where its body is broken node tells nobody, so what it has read is waited for until limits.body_idle.
  if (isDeclined) return { requests, ending: 'last', rest: '' };
  const isClean = reader.end();
  return { requests, ending: refused !== null ? 'refused' : isClean ? 'clean' : 'cut', rest: '' };
}
