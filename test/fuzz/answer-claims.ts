import { isDeepStrictEqual } from 'node:util';
import { type AnswerCase, type Reading, type ReadHead, readByNode, readByUs } from './answer-reading.ts';
import { type AnswerRefusal, refusalOf } from './answer-refusals.ts';
import { makeAnswer } from './answers.ts';
import { Chance } from './chance.ts';
import { mutated, swollen } from './mutations.ts';

/** What came of one answer, or what is wrong with it. */
export interface AnswerVerdict {
  readonly asked: AnswerCase;
  /** `beyond`: by us alone. */
  readonly outcome: 'accepted' | 'cut' | 'refused by both' | 'beyond' | 'waiting';
  readonly beyond: AnswerRefusal | null;
  readonly failure: string | null;
}

/** The `index`th answer of the run that `seed` names. */
export function tryAnswer(seed: number, index: number): AnswerVerdict {
  const chance = new Chance(seed, index);
  const sound = makeAnswer(chance);
  const asked = chance.oneIn(2) ? sound : { ...sound, bytes: (chance.oneIn(100) ? swollen : mutated)(sound.bytes, chance) };
  const cuts = chance.oneIn(10)
    ? Array.from({ length: Math.max(0, asked.bytes.length - 1) }, (_, at) => at + 1)
    : Array.from({ length: chance.below(6) }, () => chance.below(asked.bytes.length + 1)).sort((one, other) => one - other);
  return judge(asked, cuts);
}

/** `cuts`: how it comes to us, in reads. */
export function judge(asked: AnswerCase, cuts: readonly number[]): AnswerVerdict {
  const ours = readByUs(asked, cuts);
  const theirs = readByNode(asked, ours.end);
  const told = { asked, beyond: null, failure: null };
  const failure = disagreement(asked.method, theirs, ours);
  if (failure !== null) return { ...told, outcome: 'accepted', failure };
  if (ours.outcome === 'whole') return { ...told, outcome: 'accepted' };
  if (ours.outcome === 'cut') return { ...told, outcome: theirs.outcome === 'cut' ? 'cut' : 'waiting' };
  if (theirs.outcome === 'refused') return { ...told, outcome: 'refused by both' };
  const beyond = refusalOf(asked, ours);
  if (beyond === undefined) return { ...told, outcome: 'beyond', failure: `refused for no reason on the list: ${ours.why}` };
  return { ...told, outcome: 'beyond', beyond };
}

/** Null: nothing that llhttp refuses is taken, and what is told is what llhttp tells. */
function disagreement(method: string, theirs: Reading, ours: Reading): string | null {
  // Before anything else: what has been told of an answer that turned out to be none has been passed on.
  if (ours.heads.length > theirs.heads.length) return `a head that llhttp does not see: ${theirs.outcome} ${theirs.why}`;
  for (const [at, head] of ours.heads.entries()) {
    const failure = unlike(method, theirs.heads[at]!, head);
    if (failure !== null) return failure;
  }
  if (!theirs.body.startsWith(ours.body))
    return `another body: ${JSON.stringify(theirs.body)}, ours ${JSON.stringify(ours.body)}`;
  if (ours.outcome === 'whole') {
    if (theirs.outcome !== 'whole') return `whole, but by llhttp ${theirs.outcome} ${theirs.why}`;
    if (ours.heads.length !== theirs.heads.length) return 'fewer heads';
    if (ours.body !== theirs.body) return `a shorter body than ${JSON.stringify(theirs.body)}`;
    if (!isDeepStrictEqual(ours.trailers, theirs.trailers)) return `other trailers than ${JSON.stringify(theirs.trailers)}`;
    if (ours.end !== theirs.end) return `ends at ${ours.end}, by llhttp at ${theirs.end}`;
  }
  if (ours.outcome !== 'cut' || theirs.outcome === 'refused') return null;
  if (theirs.outcome === 'whole') return 'waits for more, where llhttp sees the end';
  if (ours.heads.length !== theirs.heads.length || ours.body !== theirs.body) return 'waits for more than llhttp does';
  return null;
}

function unlike(method: string, theirs: ReadHead, ours: ReadHead): string | null {
  if (ours.status !== theirs.status) return `status ${ours.status}, by llhttp ${theirs.status}`;
  if (ours.reason !== theirs.reason) return `reason ${JSON.stringify(ours.reason)}, by llhttp ${JSON.stringify(theirs.reason)}`;
  if (!isDeepStrictEqual(ours.lines, theirs.lines)) return `other lines than ${JSON.stringify(theirs.lines)}`;
  // llhttp does not know what was asked, and takes the answer to a HEAD for one that ends with its connection.
  const isBlind = method === 'HEAD' && theirs.lines.contentLength === null && theirs.lines.transferCoding === null;
  if (ours.keepAlive && !theirs.keepAlive && !isBlind) return 'its connection is kept';
  return null;
}
