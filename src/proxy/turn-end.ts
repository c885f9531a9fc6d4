// The end of a turn of the event loop, which no clock tells.
// eslint-disable-next-line no-restricted-imports
import { setImmediate } from 'node:timers';

/** What is put off to the end of this turn of the event loop. */
export interface PutOff {
  turnEnded(): void;
}

/**
 * Small writes of one turn, one after another at its end. A turn reads what has come from dozens of clients and agents; a write
 * in between wakes the program behind that socket, which does its one thing and sleeps again, and waking it is the dearest
 * part of a small request. Put off, they wake each program once and then find it awake.
 */
export class TurnEnd {
  private due: PutOff[] = [];

  add(one: PutOff): void {
    if (this.due.length === 0) setImmediate(this.run);
    this.due.push(one);
  }

  private readonly run = (): void => {
    const { due } = this;
    this.due = [];
    for (const one of due) one.turnEnded();
  };
}
