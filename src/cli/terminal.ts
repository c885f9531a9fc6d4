import type { Clock } from '../ports/clock.ts';
import { printable } from '../std/printable.ts';

/** All that a command may touch of the process it runs in. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** One line, or several, of what was asked for. */
  out(text: string): void;
  /** One line, or several, about how it went. */
  err(text: string): void;
  /** Calls `stop` at the first ^C or SIGTERM, which then does not end the process. */
  onInterrupt(stop: () => void): void;
}

/** Why a command did not do what it was asked to. */
export interface Failure {
  readonly exit: number;
  /** What is wrong. Lines about a config file stand alone, so that an editor finds its way by them. */
  readonly lines: readonly string[];
  /** What to do about it. */
  readonly advice: readonly string[];
}

export const failure = (exit: number, line: string, ...advice: readonly string[]): Failure => ({
  exit,
  lines: [`reveille: ${line}`],
  advice,
});

/** Prints a failure and returns its exit code. */
export function report(terminal: Terminal, { exit, lines, advice }: Failure): number {
  terminal.err([...lines, ...advice.map((line) => `  ${line}`)].join('\n'));
  return exit;
}

/** JSON for scripts. Escaped like everything else: it is often read on a terminal, too. */
export function json(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).split('\n').map(printable).join('\n');
}
