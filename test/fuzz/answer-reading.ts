import { RESPONSE_FIELDS, sift, type Sifted } from '../../src/proxy/headers.ts';
import type { ResponseHead } from '../../src/proxy/upstream/response-head.ts';
import { ResponseParser } from '../../src/proxy/upstream/response-parser.ts';
import { StrictParser } from './node-parser.ts';

/** One connection's bytes, and which request they answer. */
export interface AnswerCase {
  readonly bytes: string;
  readonly method: string;
  /** A 101 was asked for. */
  readonly isUpgrade: boolean;
}

export interface ReadHead {
  readonly status: number;
  readonly reason: string;
  readonly lines: Sifted;
  readonly keepAlive: boolean;
}

/** What a parser makes of an answer, in a form in which two can be compared. */
export interface Reading {
  /** Those of 1xx first. */
  readonly heads: readonly ReadHead[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** `cut`: the bytes end within the answer, and what there is of it is right. */
  readonly outcome: 'whole' | 'cut' | 'refused';
  /** Bytes that belong to the answer, where it is whole. */
  readonly end: number;
  /** Why it was refused. */
  readonly why: string;
}

const NO_TRAILERS: readonly string[] = [];

/** A 101 is the last head of HTTP on its connection. */
const isFinal = (status: number): boolean => status === 101 || status >= 200;

/**
 * `near`: where it is thought to end. llhttp does not say, so it is given one byte at a time from just before there on, or
 * from the start where that was too late.
 */
export function readByNode(asked: AnswerCase, near: number): Reading {
  const { bytes, method } = asked;
  const heads: ReadHead[] = [];
  const seen = { body: '', trailers: NO_TRAILERS, isWhole: false };
  const parser = new StrictParser('answer', {
    head: ({ status, reason, pairs, isUpgrade, keepAlive }) => {
      heads.push({ status, reason, lines: sift(pairs, RESPONSE_FIELDS, false), keepAlive });
      // As node's own client answers it.
      if (isUpgrade) return 2;
      return method === 'HEAD' || !isFinal(status) ? 1 : 0;
    },
    body: (part) => (seen.body += part),
    whole: (lines) => {
      seen.trailers = lines;
      seen.isWhole = isFinal(heads.at(-1)?.status ?? 0);
    },
  });
  const raw = Buffer.from(bytes, 'latin1');
  let end = Math.max(0, Math.min(near, raw.length) - 1);
  let refused = end === 0 ? null : parser.feed(raw.subarray(0, end));
  const isTooLate = seen.isWhole;
  while (end < raw.length && refused === null && !seen.isWhole) {
    refused = parser.feed(raw.subarray(end, end + 1));
    end += 1;
  }
  if (!seen.isWhole && refused === null) parser.end();
  parser.close();
  if (isTooLate) return readByNode(asked, 0);
  return {
    heads,
    body: seen.body,
    trailers: seen.trailers,
    outcome: seen.isWhole ? 'whole' : refused === null ? 'cut' : 'refused',
    end,
    why: refused ?? '',
  };
}

/** `cuts`: where one read ends and the next begins, ascending. */
export function readByUs({ bytes, method, isUpgrade }: AnswerCase, cuts: readonly number[]): Reading {
  const heads: ReadHead[] = [];
  const seen = { body: '', trailers: NO_TRAILERS, isWhole: false, why: '' };
  const late = (): void => {
    if (seen.isWhole || seen.why !== '') throw new Error('something was told after the end');
  };
  const parser = new ResponseParser({
    head: ({ status, reason, lines, keepAlive }: ResponseHead) => {
      late();
      heads.push({ status, reason, lines, keepAlive });
      if (status === 101) seen.isWhole = true;
    },
    body: (part) => {
      late();
      seen.body += part.toString('latin1');
    },
    whole: (lines) => {
      late();
      seen.trailers = lines;
      seen.isWhole = true;
    },
    fault: (fault) => {
      late();
      seen.why = fault;
    },
  });
  parser.expect(method, isUpgrade);
  let end = 0;
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    // A buffer of its own, overwritten behind it: what the parser keeps of it, it has to copy.
    const read = Buffer.from(bytes.slice(from, to), 'latin1');
    const taken = parser.feed(read);
    read.fill(0x21);
    end += taken;
    from = to;
    if (seen.isWhole || seen.why !== '') break;
    if (taken !== read.length) throw new Error('bytes were left over within an answer');
  }
  if (!seen.isWhole && seen.why === '') parser.end();
  return {
    heads,
    body: seen.body,
    trailers: seen.trailers,
    outcome: seen.isWhole ? 'whole' : seen.why === '' ? 'cut' : 'refused',
    end,
    why: seen.why,
  };
}
