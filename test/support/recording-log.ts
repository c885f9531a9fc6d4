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

  constructor(lines: Line[] = [], facts: Facts = {}) {
    this.lines = lines;
    this.facts = facts;
  }

  debug = (message: string, facts?: Facts): void => this.write('debug', message, facts);
  info = (message: string, facts?: Facts): void => this.write('info', message, facts);
  warn = (message: string, facts?: Facts): void => this.write('warn', message, facts);
  error = (message: string, facts?: Facts): void => this.write('error', message, facts);
  fatal = (message: string, facts?: Facts): void => this.write('fatal', message, facts);

  with(facts: Facts): Log {
    return new RecordingLog(this.lines, { ...this.facts, ...facts });
  }

  private write(level: Line['level'], message: string, facts: Facts = {}): void {
    this.lines.push({ level, message, facts: { ...this.facts, ...facts } });
  }
}
