/**
 * Things that come one after the other from somewhere else, kept in order, and who waits for one that is still to come. What
 * a test waits for is an event and never a length of time; the deadline is there only so that a failure has words.
 */
const PATIENCE_MS = 240_000;

export class Recording<T> {
  readonly items: T[] = [];
  private readonly name: string;
  private readonly looks = new Set<() => void>();
  private ended: string | null = null;

  /** `name` completes "waited in vain for ... in". */
  constructor(name: string) {
    this.name = name;
  }

  push(item: T): void {
    this.items.push(item);
    for (const look of [...this.looks]) look();
  }

  /** Nothing more will come; who still waits is told so. */
  end(why: string): void {
    this.ended = why;
    for (const look of [...this.looks]) look();
  }

  /** The first item from position `from` on that `matches`; the past counts. */
  first(what: string, matches: (item: T) => boolean, from = 0): Promise<T> {
    return new Promise((resolve, reject) => {
      let next = from;
      const settle = (act: () => void): void => {
        clearTimeout(limit);
        this.looks.delete(look);
        act();
      };
      const fail = (why: string): void => settle(() => reject(new Error(`waited in vain for ${what} in ${this.name}: ${why}`)));
      const look = (): void => {
        for (; next < this.items.length; next += 1) {
          const item = this.items[next];
          if (item !== undefined && matches(item)) return settle(() => resolve(item));
        }
        if (this.ended !== null) fail(this.ended);
      };
      const limit = setTimeout(() => fail(`it did not come within ${PATIENCE_MS} ms`), PATIENCE_MS);
      this.looks.add(look);
      look();
    });
  }
}
