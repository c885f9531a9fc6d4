import type { FastifyBaseLogger } from 'fastify';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { keepDoing } from '../../../agents/trooper/loop.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** What a loop logs that turns ten times a second, so many times, and fails as `failure` says of each turn. */
async function logged(turns: number, failure: (turn: number) => string | null): Promise<readonly string[]> {
  const lines: string[] = [];
  const line = (facts: { err?: Error }, text: string) => void lines.push(facts.err?.message ?? text);
  const done = Promise.withResolvers<null>();
  let turn = 0;
  const loop = keepDoing('test', { info: line, warn: line } as unknown as FastifyBaseLogger, 0, async () => {
    if (turn === turns) done.resolve(null);
    if (turn === turns) return 1_000_000;
    turn += 1;
    vi.advanceTimersByTime(100);
    const reason = failure(turn);
    if (reason !== null) throw new Error(reason);
    return 0;
  });
  await done.promise;
  await loop.stop();
  return lines;
}

it('each reason is said once in a spell of failures, though they take turns, and then that the loop works again', async () => {
  const failure = (turn: number) => (turn > 100 ? null : turn % 2 === 0 ? 'reset' : 'no answer in time');
  expect(await logged(120, failure)).toEqual(['no answer in time', 'reset']);
  expect(await logged(200, failure)).toEqual(['no answer in time', 'reset', 'loop works again']);
});

it('a loop that fails at every second turn says so once', async () => {
  expect(await logged(200, (turn) => (turn % 2 === 0 ? 'reset' : null))).toEqual(['reset']);
});

it('of reasons that never repeat themselves a few are said, and in a new spell as many', async () => {
  const failure = (turn: number) => (turn <= 50 || turn > 120 ? `reset ${turn}` : null);
  expect(await logged(110, failure)).toHaveLength(6);
  expect(await logged(200, failure)).toHaveLength(11);
});
