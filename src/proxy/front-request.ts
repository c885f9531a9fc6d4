import { IncomingMessage } from 'node:http';

/**
 * The requests of the public port. All their lines are read from `rawHeaders`, where duplicates, order and spelling survive;
 * but node's server asks `headers` itself whether a body or an expectation comes, and would build an object of all lines for
 * that, with keys that the client chooses. Here it finds what it asks for and nothing else.
 */
export class FrontRequest extends IncomingMessage {}

const ASKED_FOR: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'expect']);
const LENGTHS: ReadonlySet<number> = new Set([...ASKED_FOR].map(({ length }) => length));

// An accessor of node's, so it can be replaced by an accessor only.
Object.defineProperty(FrontRequest.prototype, 'headers', {
  get(this: FrontRequest): Readonly<Record<string, string>> {
    const { rawHeaders } = this;
    let found = NONE;
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? '';
      if (!LENGTHS.has(name.length)) continue;
      const lower = name.toLowerCase();
      if (!ASKED_FOR.has(lower)) continue;
      if (found === NONE) found = {};
      found[lower] ??= rawHeaders[at + 1] ?? '';
    }
    return found;
  },
});

const NONE: Record<string, string> = {};
