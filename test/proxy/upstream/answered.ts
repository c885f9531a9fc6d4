import type { ResponseHead } from '../../../src/proxy/upstream/response-head.ts';
import { ResponseParser } from '../../../src/proxy/upstream/response-parser.ts';

/** What a parser has told of the bytes of one connection, as lines that can be compared. */
export interface Told {
  /** `head 200`, `body abc`, `whole`, `fault no status line`. Parts of a body that follow each other are one. */
  readonly events: readonly string[];
  readonly heads: readonly ResponseHead[];
  /** Bytes that were taken as belonging to answers. */
  readonly taken: number;
  /** What `end` said, if it was asked. */
  readonly mayEnd: boolean | null;
}

export interface Asked {
  readonly method?: string;
  readonly isUpgrade?: boolean;
  /** Where one read ends and the next begins, ascending. */
  readonly cuts?: readonly number[];
  /** The agent ends the connection behind the bytes. */
  readonly ends?: boolean;
}

/** Gives `text` (latin1) to a parser that expects one answer. Stops at a read of which something was left over. */
export function told(text: string, { method = 'GET', isUpgrade = false, cuts = [], ends = false }: Asked = {}): Told {
  const events: string[] = [];
  const heads: ResponseHead[] = [];
  const parser = new ResponseParser({
    head: (head) => {
      heads.push(head);
      events.push(`head ${head.status}`);
    },
    body: (bytes) => {
      const part = bytes.toString('latin1');
      if (events.at(-1)?.startsWith('body ')) events.push(`${events.pop()}${part}`);
      else events.push(`body ${part}`);
    },
    whole: (trailers) => void events.push(['whole', ...trailers].join(' ')),
    fault: (why) => void events.push(`fault ${why}`),
  });
  parser.expect(method, isUpgrade);
  let taken = 0;
  let from = 0;
  for (const to of [...cuts, text.length]) {
    const read = Buffer.from(text.slice(from, to), 'latin1');
    from = to;
    const done = parser.feed(read);
    // As a connection does, which reads into the same memory again.
    read.fill('!');
    taken += done;
    if (done < read.length) break;
  }
  return { events, heads, taken, mayEnd: ends ? parser.end() : null };
}

/** Why it is no answer, or what it is instead of that. */
export function faultOf(text: string, asked: Asked = {}): string {
  const { events } = told(text, asked);
  const last = events.at(-1) ?? 'nothing';
  return last.startsWith('fault ') ? last.slice(6) : events.join(', ');
}
