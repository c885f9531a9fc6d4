import type { Facts, Log } from '../../src/ports/log.ts';

export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  readonly message: string;
  readonly facts: Facts;
}

/** Keeps every line, so that a test can say what an operator would have read. */
export class RecordingLog implements Log {
  readonly lines: Line[];
  private readonly facts: Facts;
  private readonly waiters: Set<() => void>;

  constructor(lines: Line[] = [], facts: Facts = {}, waiters = new Set<() => void>()) {
    this.lines = lines;
    this.facts = facts;
    this.waiters = waiters;
  }

  debug = (message: string, facts?: Facts): void => this.write('debug', message, facts);
  info = (message: string, facts?: Facts): void => this.write('info', message, facts);
  warn = (message: string, facts?: Facts): void => this.write('warn', message, facts);
  error = (message: string, facts?: Facts): void => this.write('error', message, facts);
  fatal = (message: string, facts?: Facts): void => this.write('fatal', message, facts);

  with(facts: Facts): Log {
    return new RecordingLog(this.lines, { ...this.facts, ...facts }, this.waiters);
  }

  /** Resolves with the first line that `fits`, written already or still to come. */
  line(fits: (line: Line) => boolean): Promise<Line> {
    return new Promise((resolve) => {
      const ask = (): void => {
        const found = this.lines.find(fits);
        if (found === undefined) return;
        this.waiters.delete(ask);
        resolve(found);
      };
      this.waiters.add(ask);
      ask();
    });
  }

  private write(level: Line['level'], message: string, facts: Facts = {}): void {
    this.lines.push({ level, message, facts: { ...this.facts, ...facts } });
    for (const ask of [...this.waiters]) ask();
  }
}
