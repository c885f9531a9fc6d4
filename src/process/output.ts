import type { Readable } from 'node:stream';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type Instant, elapsed } from '../std/time.ts';

/**
 * What a child writes becomes lines of the log. Its pipes are always read, so that it never stands still for us; what is too
 * long is cut and what is too much is dropped, and both are said. The child's own token is blotted out: a program that
 * prints its environment must not put a secret into the log.
 */
const LINE_BYTES_MAX = 8192;
/** Lines a second, and how many may come at once. Per task, both streams together. */
const LINES_PER_SECOND = 200;
const LINES_BURST = 1000;
const LAST_LINE_CHARS = 300;

export type Stream = 'stdout' | 'stderr';

export class Output {
  /** The last line on stderr that is not empty, shortened: usually why a program ended. */
  lastError: string | null = null;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly secret: string;
  private allowance = LINES_BURST;
  private countedAt: Instant;
  private dropped = 0;

  constructor(clock: Clock, log: Log, secret: string) {
    this.clock = clock;
    this.log = log;
    this.secret = secret;
    this.countedAt = clock.now();
  }

  read(stream: Stream, source: Readable): void {
    let parts: Buffer[] = [];
    let size = 0;
    let cut = false;
    const endLine = (): void => {
      if (size > 0 || cut) this.line(stream, Buffer.concat(parts), cut);
      parts = [];
      size = 0;
      cut = false;
    };
    source.on('data', (chunk: Buffer) => {
      for (let from = 0; from < chunk.length;) {
        const newline = chunk.indexOf(0x0a, from);
        const to = newline === -1 ? chunk.length : newline;
        const room = LINE_BYTES_MAX - size;
        cut ||= to - from > room;
        const part = chunk.subarray(from, Math.min(to, from + room));
        if (part.length > 0) parts.push(part);
        size += part.length;
        if (newline === -1) break;
        endLine();
        from = newline + 1;
      }
    });
    source.once('end', endLine);
    source.once('error', endLine);
  }

  /** Call when nothing more comes: tells what was dropped last. */
  end(): void {
    this.confess();
  }

  private line(stream: Stream, bytes: Buffer, cut: boolean): void {
    const allowed = this.allow();
    if (!allowed && stream === 'stdout') return;
    const text = bytes.toString('utf8').trimEnd();
    const line = this.secret === '' ? text : blotOut(this.secret, text, cut);
    if (stream === 'stderr' && line !== '') this.lastError = shorten(line);
    if (!allowed) return;
    this.confess();
    this.log.info('agent output', { stream, line, ...(cut ? { cut: true } : {}) });
  }

  private allow(): boolean {
    const now = this.clock.now();
    this.allowance = Math.min(LINES_BURST, this.allowance + (elapsed(this.countedAt, now) / 1000) * LINES_PER_SECOND);
    this.countedAt = now;
    if (this.allowance < 1) {
      this.dropped += 1;
      return false;
    }
    this.allowance -= 1;
    return true;
  }

  private confess(): void {
    if (this.dropped === 0) return;
    this.log.warn('agent output dropped: it writes faster than the log takes', { lines: this.dropped });
    this.dropped = 0;
  }
}

/** What is cut may have been cut within the secret, and the beginning of one is most of it. */
function blotOut(secret: string, text: string, cut: boolean): string {
  const clean = text.replaceAll(secret, '[token]');
  if (!cut) return clean;
  let length = Math.min(secret.length - 1, clean.length);
  while (!clean.endsWith(secret.slice(0, length))) length -= 1;
  return length === 0 ? clean : `${clean.slice(0, -length)}[token]`;
}

const shorten = (line: string): string => (line.length > LAST_LINE_CHARS ? `${line.slice(0, LAST_LINE_CHARS)}...` : line);
