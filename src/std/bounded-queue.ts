import { assert } from './assert.ts';

/**
 * First in, first out, never more than `limit`. `offer` says no instead of growing: whoever queues decides what to do
 * with the one too many (law 4).
 */
export class BoundedQueue<T> {
  readonly limit: number;
  private items: T[] = [];
  private head = 0;

  constructor(limit: number) {
    assert(limit > 0, 'a bounded queue holds at least one item');
    this.limit = limit;
  }

  get size(): number {
    return this.items.length - this.head;
  }

  /** False when the queue is full; the item was not taken. */
  offer(item: T): boolean {
    if (this.size >= this.limit) return false;
    this.items.push(item);
    return true;
  }

  /** The oldest item, or undefined when empty. */
  take(): T | undefined {
    if (this.head >= this.items.length) return undefined;
    const item = this.items[this.head];
    this.head += 1;
    // Compact once half is dead: shifting on each take would make a long queue quadratic.
    if (this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}
