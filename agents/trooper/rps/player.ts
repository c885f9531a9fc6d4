import { randomInt } from 'node:crypto';
import type { Bus } from '../../world/bus.ts';
import { KEYS, TTL } from '../../world/keys.ts';
import type { Choice, TrooperRecord } from '../../world/values.ts';
import { changeRecord, readRecord } from '../memory.ts';
import type { Round } from './book.ts';
import { CHOICES, isSeated, played } from './game.ts';

/**
 * Plays the rounds that are in the book and not yet in the trooper's record. Points and the round they are for are stored in
 * one step, so it may be interrupted anywhere, and repeated: what was played is not played again. What this object remembers
 * only saves calls.
 */
export interface Chair {
  readonly bus: Bus;
  readonly service: string;
  readonly slot: number;
  readonly taskId: string;
}

export const chooseByChance = (): Choice => CHOICES[randomInt(CHOICES.length)] ?? 'rock';

export class Player {
  private readonly chair: Chair;
  private readonly choose: () => Choice;
  /** The round after which nothing is left to do. */
  private doneWith: string | null = null;
  private sawNone = false;
  /** Stored, and not yet shown to those who ask by task. */
  private unshown: TrooperRecord | null = null;

  constructor(chair: Chair, choose: () => Choice = chooseByChance) {
    this.chair = chair;
    this.choose = choose;
  }

  /** Whether these rounds are news, and `turn` wants to know who manages. */
  isBehind(rounds: readonly Round[]): boolean {
    return (rounds.at(-1)?.at ?? null) !== this.doneWith;
  }

  /** `manages` null: nobody knows, and nothing is played until somebody does. Rejects with a BusError. */
  async turn(rounds: readonly Round[], manages: boolean | null): Promise<void> {
    const { bus, service, slot, taskId } = this.chair;
    const newest = rounds.at(-1);
    if (newest === undefined) {
      this.doneWith = null;
      if (!this.sawNone) this.sawNone = isSeated((await readRecord(bus, service, slot))?.record ?? null, taskId);
    } else if (newest.at !== this.doneWith && manages !== null) {
      // One choice for each round, however often the record has to be read again.
      const choices = new Map(rounds.map(({ at }) => [at, this.choose()]));
      const seat = { taskId, manages, sawNone: this.sawNone };
      const record = await changeRecord(bus, service, slot, (before) =>
        played(before, rounds, seat, ({ at }) => choices.get(at) ?? this.choose()),
      );
      if (isSeated(record, taskId)) {
        this.doneWith = newest.at;
        this.unshown = record;
      }
    }
    await this.show();
  }

  private async show(): Promise<void> {
    const record = this.unshown;
    if (record === null) return;
    const { bus, taskId } = this.chair;
    await bus.set(KEYS.score(taskId), String(record.score), TTL.score);
    if (record.last_round !== null) await bus.set(KEYS.lastSeen(taskId), record.last_round, TTL.lastSeen);
    this.unshown = null;
  }
}
