import pino from 'pino';
import type { Config } from '../contract/config.ts';
import type { Facts, Log } from '../ports/log.ts';
import { rfc3339 } from '../std/time.ts';
import { systemClock } from './clock.ts';
import { openLineWriter } from './line-writer.ts';

/**
 * One JSON object a line on stdout, through pino: `time`, `level`, `msg`, and the facts beside them.
 */
type LogLevel = Config['log']['level'];

const SEVERITY: Readonly<Record<LogLevel, number>> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };

/** The daemon's log, whose level a reload may change. */
export interface SystemLog extends Log {
  /** From now on, for this log and for every one made from it with `with`. */
  setLevel(level: LogLevel): void;
}

/** Opens the log on file descriptor 1. */
export function openLog(level: LogLevel): SystemLog {
  const lines = openLineWriter(1, (lost) => {
    const time = rfc3339(systemClock.wall());
    return `${JSON.stringify({ level: 'warn', time, lines: lost, msg: 'log lines were lost: nobody took them' })}\n`;
  });
  const root = pino(
    {
      level: 'trace',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
  return new PinoLog(root, { least: SEVERITY[level] });
}

/** Shared by a log and all that were made from it. Pino's own level will not do: a child keeps the one it was born with. */
interface Threshold {
  least: number;
}

class PinoLog implements SystemLog {
  private readonly target: pino.Logger;
  private readonly threshold: Threshold;

  constructor(target: pino.Logger, threshold: Threshold) {
    this.target = target;
    this.threshold = threshold;
  }

  debug(message: string, facts?: Facts): void {
    if (SEVERITY.debug >= this.threshold.least) this.target.debug(facts && clean(facts), message);
  }
  info(message: string, facts?: Facts): void {
    if (SEVERITY.info >= this.threshold.least) this.target.info(facts && clean(facts), message);
  }
  warn(message: string, facts?: Facts): void {
    if (SEVERITY.warn >= this.threshold.least) this.target.warn(facts && clean(facts), message);
  }
  error(message: string, facts?: Facts): void {
    if (SEVERITY.error >= this.threshold.least) this.target.error(facts && clean(facts), message);
  }
  fatal(message: string, facts?: Facts): void {
    this.target.fatal(facts && clean(facts), message);
  }

  with(facts: Facts): Log {
    return new PinoLog(this.target.child(clean(facts)), this.threshold);
  }
  setLevel(level: LogLevel): void {
    this.threshold.least = SEVERITY[level];
  }
}

const SECRET = /(?:token|secret|password|authorization|cookie)s?$/i;
const DEPTH_MAX = 5;

/**
 * Facts with every value replaced whose key names a secret, at any depth and in any spelling. Pino's own redaction goes by
 * paths, which have to be known beforehand and are case-sensitive.
 */
function clean(facts: Facts, depth = 0): Record<string, unknown> {
  const cleaned: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(facts)) cleaned[key] = SECRET.test(key) ? '[secret]' : plain(value, depth);
  return cleaned;
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return '[deep]';
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  if (value instanceof Error) return { ...own(value, depth), name: value.name, message: value.message, stack: value.stack };
  return 'toJSON' in value ? value : clean(value as Facts, depth + 1);
}

/** What an error carries besides its words: `code`, `syscall`, and its cause, which is not enumerable. */
function own(error: Error, depth: number): Record<string, unknown> {
  const { cause } = error;
  return clean({ ...Object.fromEntries(Object.entries(error)), ...(cause === undefined ? {} : { cause }) }, depth + 1);
}
