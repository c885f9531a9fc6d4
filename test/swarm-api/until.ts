import { setImmediate as turn } from 'node:timers/promises';

/** So that a failure has words, and ends. */
const PATIENCE_MS = 15_000;

/** Resolves as soon as `holds`. Sockets are real here and their bytes come when they come; the clock is not moved meanwhile. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!holds()) {
    if (performance.now() >= deadline) throw new Error(`waited in vain for ${String(holds)}`);
    await turn();
  }
}
