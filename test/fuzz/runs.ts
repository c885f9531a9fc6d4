import { quoted } from '../../src/std/printable.ts';
import { type AnswerVerdict, tryAnswer } from './answer-claims.ts';
import { ANSWER_REFUSALS } from './answer-refusals.ts';
import { FuzzedFront } from './fuzzed-front.ts';
import { type Ledger, noFigures, type RequestFigures, settle, tryConversation } from './request-claims.ts';

/** Failures that are told in full. */
const TOLD_MAX = 20;
/** Bytes of one that are told. */
const BYTES_MAX = 6_000;

/** What came of a run, as lines to print, and what was wrong, with its bytes and how to have it again. */
export interface Run {
  readonly report: readonly string[];
  readonly failures: readonly string[];
}

export interface AnswersRun extends Run {
  readonly tried: number;
  readonly accepted: number;
}

/** Answers `from` up to, and not with, `to`. */
export function runAnswers(seed: number, from: number, to: number): AnswersRun {
  const outcomes = new Map<AnswerVerdict['outcome'], number>();
  const beyond = new Map(ANSWER_REFUSALS.filter(({ isIn }) => isIn !== null).map((refusal) => [refusal, 0]));
  const failures: string[] = [];
  let failed = 0;
  for (let index = from; index < to; index += 1) {
    const { asked, outcome, beyond: refusal, failure } = tryAnswer(seed, index);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (refusal !== null) beyond.set(refusal, (beyond.get(refusal) ?? 0) + 1);
    if (failure === null) continue;
    failed += 1;
    if (failed > TOLD_MAX) continue;
    const request = `${asked.method}${asked.isUpgrade ? ' upgrade' : ''}`;
    failures.push(`${again(seed, 'answer', index)} (to ${request})\n  ${failure}\n  ${quoted(asked.bytes, BYTES_MAX)}`);
  }
  const tried = to - from;
  const accepted = outcomes.get('accepted') ?? 0;
  const count = (outcome: AnswerVerdict['outcome']): number => outcomes.get(outcome) ?? 0;
  const report = [
    `answers: ${tried} tried, seed ${seed}`,
    row(accepted, `taken by both, and read alike (${((100 * accepted) / tried).toFixed(1)} %)`),
    row(count('refused by both'), 'refused by both'),
    row(count('waiting'), 'refused by llhttp, while we still wait for the rest of a line'),
    row(count('cut'), 'cut off, for both'),
    row(count('beyond'), 'refused by us alone:'),
    ...[...beyond].map(([{ what, rule }, times]) => row(times, `  ${what} (${rule})`)),
    row(failed, 'mismatches'),
  ];
  return { report, failures, tried, accepted };
}

export interface RequestsRun extends Run {
  readonly figures: RequestFigures;
  /** Whole, at the agent. */
  readonly reached: number;
}

/** Conversations until llhttp has found so many requests in them, or only the one that `only` names. */
export async function runRequests(seed: number, requests: number, only: number | null): Promise<RequestsRun> {
  const front = await FuzzedFront.open();
  const figures = noFigures();
  const ledger: Ledger = new Map();
  const failures: string[] = [];
  let failed = 0;
  for (let index = only ?? 0; only === null ? figures.read < requests : index === only; index += 1) {
    const { bytes, failures: wrong } = await tryConversation(front, seed, index, figures, ledger);
    failed += wrong.length;
    // A front that answers no more would make a run last for days.
    if (failed > TOLD_MAX) break;
    if (wrong.length > 0)
      failures.push(`${again(seed, 'conversation', index)}\n  ${wrong.join('\n  ')}\n  ${quoted(bytes, BYTES_MAX)}`);
  }
  await front.close();
  const late = settle(front, ledger);
  failed += late.length;
  failures.push(...late.slice(0, TOLD_MAX).map((failure) => `seed ${seed}, at the end: ${failure}`));
  const reached = front.agent.wholeRequests;
  const report = [
    `requests: ${figures.sent} sent on ${figures.conversations} connections, seed ${seed}`,
    row(figures.read, "found by llhttp in the clients' bytes, of these"),
    row(figures.admitted, '  admitted'),
    row(figures.unserved, '  on connections that had ended before them'),
    row(reached, 'reached the agent whole'),
    row(figures.unanswered, 'admitted, on connections that ended before the answer'),
    ...[...figures.refused].sort(([, one], [, other]) => other - one).map(([code, times]) => row(times, `refused: ${code}`)),
    row(failed, 'mismatches'),
  ];
  return { report, failures, figures, reached };
}

const row = (count: number, what: string): string => `${String(count).padStart(8)}  ${what}`;

const again = (seed: number, what: 'answer' | 'conversation', index: number): string =>
  `${what} ${index}; once more: FUZZ_SEED=${seed} FUZZ_${what === 'answer' ? 'ANSWER' : 'CONVERSATION'}=${index} npm run fuzz`;
