import { createHash } from 'node:crypto';
import { prng } from '../../../src/std/prng.ts';
import { HAIKU_LINES, WORDS } from './phrases.ts';

/**
 * The last source, which never fails. It is seeded with who speaks and in which round, so that troopers differ, what they say
 * changes, and whoever knows both knows what comes.
 */
export const fallbackWords = (taskId: string, round: number): string => picked(WORDS, `words ${taskId} ${round}`).join(' ');

/** Three lines. */
export const fallbackHaiku = (taskId: string, round: number): string =>
  picked(HAIKU_LINES, `haiku ${taskId} ${round}`).join('\n');

function picked(lists: readonly (readonly string[])[], seed: string): readonly string[] {
  const chance = prng(createHash('sha256').update(seed).digest().readUInt32BE());
  return lists.map((list) => list[chance.below(list.length)] ?? '');
}
