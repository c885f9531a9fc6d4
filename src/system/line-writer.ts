import { writeSync } from 'node:fs';

/**
 * Lines to a file descriptor, each written before the call returns, since the last one before a crash is the one that
 * matters. Pino's own destination will not do: on a full disk it keeps what it cannot write, and with a fatal line it tries
 * again for ever, so that the daemon hangs where it should exit.
 *
 * A pipe that whoever made it has set to non-blocking is waited for a little while; then lines are lost, and counted, until
 * it takes some again. A blocking one holds the daemon up for as long as its reader stalls, as it would any program.
 */
export interface LineWriter {
  write(line: string): void;
}

/** How long one line may be waited for. */
const PATIENCE_MS = 100;
const NAP_MS = 1;
const nap = new Int32Array(new SharedArrayBuffer(4));

/** `lostLine` makes the line that tells of lost ones; it goes before the first line that gets through again. */
export function openLineWriter(fd: number, lostLine: (lines: number) => string): LineWriter {
  let lost = 0;
  /** What is left of a line of which only a part was taken. It has to come first, or the next line would continue it. */
  let rest: Buffer = Buffer.alloc(0);

  /** How many of the bytes were taken. */
  function push(bytes: Buffer, patienceMs: number): number {
    let taken = 0;
    let naps = patienceMs / NAP_MS;
    while (taken < bytes.length) {
      try {
        taken += writeSync(fd, bytes, taken);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || naps <= 0) break;
        naps -= 1;
        Atomics.wait(nap, 0, 0, NAP_MS);
      }
    }
    return taken;
  }

  return {
    write: (line) => {
      // A reader that has stalled costs the daemon its patience once, not once a line.
      const patienceMs = lost > 0 ? 0 : PATIENCE_MS;
      rest = rest.subarray(push(rest, patienceMs));
      const bytes = Buffer.from(lost > 0 ? lostLine(lost) + line : line);
      const taken = rest.length > 0 ? 0 : push(bytes, patienceMs);
      if (taken === 0) {
        lost += 1;
        return;
      }
      lost = 0;
      rest = bytes.subarray(taken);
    },
  };
}
