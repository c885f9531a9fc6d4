import { EngineError } from '../ports/engine.ts';
import { ApiFailure } from './api-failure.ts';

/**
 * Orders to one service, one after the other, and what Swarm says to them in the words of the port. Whoever looks at the
 * service compares `epoch` before and after: if it has moved, an order came in between.
 */
export interface OrderQueueOptions {
  readonly service: string;
  /** Throws an EngineError where the engine cannot be asked now. */
  readonly reachable: () => void;
  readonly conflicted: () => void;
  readonly away: (failure: ApiFailure) => void;
  /** Called after each order, whatever came of it. */
  readonly ended: () => void;
}

export class OrderQueue {
  /** Incremented at both ends of each order. */
  epoch = 0;
  /** Settles with the last order that is waiting or under way. */
  settled: Promise<unknown> = Promise.resolve();
  private open = false;
  private readonly options: OrderQueueOptions;

  constructor(options: OrderQueueOptions) {
    this.options = options;
  }

  get isUnderWay(): boolean {
    return this.open;
  }

  add(order: () => Promise<void>): Promise<void> {
    const turn = this.settled.then(() => this.carryOut(order));
    this.settled = turn.catch(() => undefined);
    return turn;
  }

  /** Rejects with an EngineError, whatever the call failed with. */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === 'away') this.options.away(error);
      throw new EngineError(error.kind === 'missing' || error.kind === 'refused' ? 'refused' : 'unavailable', error.message);
    }
  }

  private async carryOut(order: () => Promise<void>): Promise<void> {
    this.options.reachable();
    this.open = true;
    this.epoch += 1;
    try {
      await this.ask(() => this.twice(order));
    } finally {
      this.open = false;
      this.epoch += 1;
      this.options.ended();
    }
  }

  /**
   * Swarm refuses an update whose version is not the last one stored ("update out of sequence"). Read again and try once more:
   * the other writer is usually `docker stack deploy`. A second refusal means that somebody keeps writing (promise G).
   */
  private async twice(order: () => Promise<void>): Promise<void> {
    for (let refusals = 1; ; refusals += 1) {
      try {
        await order();
        return;
      } catch (error) {
        if (!(error instanceof ApiFailure) || error.kind !== 'conflict') throw error;
        this.options.conflicted();
        if (refusals === 1) continue;
        throw new ApiFailure('conflict', `service ${this.options.service} is being changed by somebody else: a second daemon?`);
      }
    }
  }
}
