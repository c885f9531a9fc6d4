import type { Trooper } from '../trooper.ts';
import { startHaiku } from './haiku.ts';
import { startWords } from './words.ts';
import { createWriter } from './writer.ts';

/** Words and haiku of one trooper, out of one writer. */
export function startTexts(trooper: Trooper): void {
  const writer = createWriter(trooper.settings, trooper.taskId, trooper.log);
  startWords(trooper, writer);
  startHaiku(trooper, writer);
}
