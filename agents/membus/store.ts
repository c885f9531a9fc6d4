/**
 * What membus remembers, with the least recently used first. It is told the time, does no I/O, and notes every change until
 * somebody takes the notes: to write them down, or to undo them where that failed.
 *
 * An item whose time is over is not there, wherever it still lies; `sweep` takes it away. Finding it gone changes nothing, so
 * that reading never has to write.
 */
export interface Item {
  readonly flags: number;
  readonly value: Buffer;
  /** Wall time in milliseconds from which on it is gone; infinite where it never is. */
  readonly expiresAt: number;
  /** The cas unique: higher than that of everything stored before. */
  readonly unique: number;
}

export interface Change {
  readonly key: string;
  readonly before: Item | null;
  readonly after: Item | null;
}

export interface StoreOptions {
  /** For keys, values and what an item needs beside them. At least what the largest item takes. */
  readonly bytesMax: number;
  /** The next unique is higher. */
  readonly lastUnique: number;
}

/** What Node keeps for an item beside its bytes, roughly: a map's entry, the item, a buffer and what that stands on. */
const ITEM_BYTES = 320;
const sizeOf = (key: string, item: Item): number => key.length + item.value.length + ITEM_BYTES;

export class Store {
  readonly bytesMax: number;
  evictions = 0;
  private readonly items = new Map<string, Item>();
  private changes: Change[] = [];
  private bytesUsed = 0;
  private unique: number;

  constructor({ bytesMax, lastUnique }: StoreOptions) {
    this.bytesMax = bytesMax;
    this.unique = lastUnique;
  }

  get count(): number {
    return this.items.size;
  }

  get bytes(): number {
    return this.bytesUsed;
  }

  get lastUnique(): number {
    return this.unique;
  }

  /** Takes in what was written down before. Least recently stored first; what is too much is evicted. */
  load(key: string, item: Item): void {
    this.lay(key, item);
    this.evict();
  }

  /** As used just now. */
  find(key: string, now: number): Item | null {
    const item = this.items.get(key);
    if (item === undefined || item.expiresAt <= now) return null;
    this.items.delete(key);
    this.items.set(key, item);
    return item;
  }

  put(key: string, item: Omit<Item, 'unique'>): void {
    this.unique += 1;
    this.change(key, { ...item, unique: this.unique });
    this.evict();
  }

  /** Keeps the unique: a later time is no other value. */
  touch(key: string, item: Item, expiresAt: number): void {
    this.change(key, { ...item, expiresAt });
  }

  remove(key: string): void {
    this.change(key, null);
  }

  clear(): void {
    for (const key of [...this.items.keys()]) this.change(key, null);
  }

  /** Takes away what is over at `now`. */
  sweep(now: number): void {
    for (const [key, item] of this.items) if (item.expiresAt <= now) this.change(key, null);
  }

  /** What has changed since the last call, in order. */
  takeChanges(): readonly Change[] {
    const taken = this.changes;
    this.changes = [];
    return taken;
  }

  /** As if the newest changes, just taken, had not been; but uniques that were given stay given. */
  undo(changes: readonly Change[]): void {
    for (const { key, before } of changes.toReversed()) this.lay(key, before);
  }

  private change(key: string, after: Item | null): void {
    const before = this.items.get(key) ?? null;
    if (before === null && after === null) return;
    this.lay(key, after);
    this.changes.push({ key, before, after });
  }

  private lay(key: string, item: Item | null): void {
    const before = this.items.get(key);
    if (before !== undefined) this.bytesUsed -= sizeOf(key, before);
    this.items.delete(key);
    if (item === null) return;
    this.items.set(key, item);
    this.bytesUsed += sizeOf(key, item);
  }

  private evict(): void {
    for (const [key] of this.items) {
      if (this.bytesUsed <= this.bytesMax) return;
      this.evictions += 1;
      this.change(key, null);
    }
  }
}
