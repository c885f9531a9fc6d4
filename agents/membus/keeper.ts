import { type Answer, type Tally, answer } from './answer.ts';
import type { Journal } from './journal.ts';
import { type Request, SAID } from './request.ts';
import type { Store } from './store.ts';

/**
 * Keeps store and file the same: what is answered has been written. Requests that came together are written together. Where
 * that fails they are undone and tried one by one, so that a full disk refuses what would store and goes on reading.
 */
export class Keeper {
  readonly store: Store;
  readonly tally: Tally = { gets: 0, hits: 0, stores: 0 };
  failedWrites = 0;
  lastFailure: unknown = null;
  private readonly journal: Pick<Journal, 'write'>;
  private readonly stats: () => Answer;

  constructor(store: Store, journal: Pick<Journal, 'write'>, stats: () => Answer) {
    this.store = store;
    this.journal = journal;
    this.stats = stats;
  }

  carryOut(requests: readonly Request[], now: number): readonly Answer[] {
    const answers = requests.map((request) => answer(this.store, request, now, this.tally, this.stats));
    if (this.written()) return answers;
    if (requests.length > 1) return requests.flatMap((request) => this.carryOut([request], now));
    const silent = requests.some((request) => 'noreply' in request && request.noreply);
    return [silent ? [] : [`${SAID.notWritten}\r\n`]];
  }

  /** Takes what is over out of memory and file. What cannot be written is tried again by the next call. */
  sweep(now: number): void {
    this.store.sweep(now);
    this.written();
  }

  /** False: it could not be, and is undone. */
  private written(): boolean {
    const changes = this.store.takeChanges();
    if (changes.length === 0) return true;
    try {
      this.journal.write(changes, this.store.lastUnique);
      return true;
    } catch (error) {
      this.failedWrites += 1;
      this.lastFailure = error;
      this.store.undo(changes);
      return false;
    }
  }
}
