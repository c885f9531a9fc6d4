/**
 * A set for what comes and goes thousands of times a second. Each member knows its place, so that taking one out is a swap.
 * Rejected: a Set. V8's keeps its old tables linked to newer ones, and once one has grown old, whatever passes through is
 * kept until the next full collection: all that a request had allocated survived it, and a fifth of the time went there.
 */
export interface Member {
  /** Written by the bag alone. -1: in none. */
  place: number;
}

/** A member is in one bag at most. */
export class Bag<T extends Member> {
  private readonly members: T[] = [];

  get size(): number {
    return this.members.length;
  }

  has(member: T): boolean {
    return this.members[member.place] === member;
  }

  /** Adding what is in already changes nothing. */
  add(member: T): void {
    if (this.has(member)) return;
    member.place = this.members.length;
    this.members.push(member);
  }

  /** Taking out what is not in changes nothing. */
  delete(member: T): void {
    if (!this.has(member)) return;
    const last = this.members.pop();
    if (last !== undefined && last !== member) {
      this.members[member.place] = last;
      last.place = member.place;
    }
    member.place = -1;
  }

  /** Members may come and go meanwhile: who comes is not met, and who stays may be met twice. */
  *[Symbol.iterator](): Generator<T, void> {
    for (let at = this.members.length - 1; at >= 0; at -= 1) {
      const member = this.members[at];
      if (member !== undefined) yield member;
    }
  }
}
