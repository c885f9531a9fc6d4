/**
 * A broken promise of our own. Never caught on the way up: main logs it as fatal and exits 70, because a daemon that no
 * longer knows its own state must not go on deciding who sleeps.
 */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** Throws a {@link Violation} unless `condition` holds. For our own invariants only, never for input. */
export function assert(condition: unknown, promise: string): asserts condition {
  if (!condition) throw new Violation(promise);
}

/** Stands where a switch has handled every case: a new case does not compile, an impossible value does not pass. */
export function unreachable(value: never): never {
  throw new Violation(`unreachable: ${JSON.stringify(value)}`);
}
