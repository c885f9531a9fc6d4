import type { OptionName } from './options.ts';
import type { Terminal } from './terminal.ts';

/** What was asked for on the command line. */
export interface Invocation {
  readonly args: readonly string[];
  readonly options: Readonly<Partial<Record<OptionName, string | true>>>;
}

/** One command of `reveille`. The table of them is in commands.ts. */
export interface Command {
  readonly name: string;
  readonly args: readonly { readonly name: string; readonly required: boolean }[];
  /** Those that only this command takes. */
  readonly options: readonly OptionName[];
  /** Speaks to a daemon, and so has a use for all options that are taken everywhere. */
  readonly remote: boolean;
  /** Which of those it has a use for when it does not. */
  readonly uses: readonly OptionName[];
  readonly summary: string;
  /** Lines of at most 130 characters. */
  readonly details: readonly string[];
  readonly examples: readonly string[];
  /** Resolves to the exit code. */
  readonly run: (invocation: Invocation, terminal: Terminal) => Promise<number>;
}
