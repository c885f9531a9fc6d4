import type { Millis } from '../../src/std/time.ts';

/**
 * Waits for all of `endings`, at most `bound` in all: 'whole' when every one was done in time, else 'cut'. One that fails
 * does not keep the others from ending; `failed` hears of it.
 */
export async function endWithin(
  bound: Millis,
  endings: readonly Promise<unknown>[],
  failed: (error: unknown) => void,
): Promise<'whole' | 'cut'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'cut'>((resolve) => {
    timer = setTimeout(() => resolve('cut'), bound);
  });
  const whole = Promise.all(endings.map((ending) => ending.catch(failed))).then(() => 'whole' as const);
  const outcome = await Promise.race([whole, late]);
  clearTimeout(timer);
  return outcome;
}

/** Calls `stop` once, at the first SIGTERM or SIGINT. Later ones change nothing: terminals and npm send them twice. */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      stop(signal);
    });
  }
}
