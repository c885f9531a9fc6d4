import { parseArgs } from 'node:util';
import { nearestOf } from '../config/nearest.ts';
import { quoted } from '../std/printable.ts';
import type { Command, Invocation } from './command.ts';
import { COMMANDS } from './commands.ts';
import { EVERYWHERE, isOption, type OptionName, OPTIONS } from './options.ts';

/**
 * Reads the command line. Values are never repeated in a message: one of them may be a token. parseArgs is not left to be
 * strict by itself, because its messages name neither the command nor what else could have been meant.
 */
export type Parsed =
  | { readonly kind: 'run'; readonly command: Command; readonly invocation: Invocation }
  | { readonly kind: 'help'; readonly command: Command | null }
  | { readonly kind: 'version' }
  /** `command` is the one that was meant, as far as that can be told. */
  | { readonly kind: 'usage'; readonly message: string; readonly command: Command | null };

/** What `argv`, without program and script, asks for. */
export function parse(argv: readonly string[]): Parsed {
  const config = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, { value }]) => [name, { type: value === null ? 'boolean' : 'string' } as const]),
  );
  const { tokens } = parseArgs({ args: [...argv], options: config, strict: false, allowPositionals: true, tokens: true });
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const [name, ...args] = words;
  const command = commandNamed(name ?? '');
  const usage = (message: string): Parsed => ({ kind: 'usage', message, command });

  const options: Partial<Record<OptionName, string | true>> = {};
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const given = token.rawName === '-h' ? 'help' : token.name;
    if (!isOption(given))
      return usage(`there is no option ${quoted(token.rawName)}; ${nearest(given, Object.keys(OPTIONS), '--')}`);
    const wanted = OPTIONS[given].value;
    if (wanted === null && token.value !== undefined) return usage(`--${given} takes no value`);
    // Without this, `--token --json` would send the word --json as a token.
    if (wanted !== null && (token.value === undefined || (!token.inlineValue && token.value.startsWith('-')))) {
      return usage(`--${given} needs a value: --${given}=${wanted}`);
    }
    options[given] = token.value ?? true;
  }

  if (options.version === true) return { kind: 'version' };
  if (name === undefined) return options.help === true ? { kind: 'help', command: null } : usage('which command?');
  if (name === 'help' && args.length === 0) return { kind: 'help', command: null };
  if (name === 'help') {
    const about = commandNamed(args[0] ?? '');
    return about === null ? usage(unknown(args[0] ?? '')) : { kind: 'help', command: about };
  }
  if (command === null) return usage(unknown(name));
  if (options.help === true) return { kind: 'help', command };

  const taken: readonly string[] = [...EVERYWHERE, ...command.options];
  const foreign = Object.keys(options).find((key) => !taken.includes(key));
  if (foreign !== undefined) return usage(`${command.name} takes no --${foreign}`);
  const missing = command.args.find((arg, index) => arg.required && args[index] === undefined);
  if (missing !== undefined) return usage(`${command.name} needs <${missing.name}>`);
  if (args.length > command.args.length) {
    const most = ['no argument', 'one argument', 'two arguments'][command.args.length] ?? `${command.args.length} arguments`;
    return usage(`${command.name} takes ${most}${command.args.length === 0 ? '' : `, and there are ${args.length}`}`);
  }
  return { kind: 'run', command, invocation: { args, options } };
}

const commandNamed = (name: string): Command | null => COMMANDS.find((command) => command.name === name) ?? null;

const unknown = (name: string): string =>
  `there is no command ${quoted(name)}; ${nearest(name, ['help', ...COMMANDS.map((command) => command.name)], '')}`;

const nearest = (word: string, known: readonly string[], prefix: string): string =>
  `did you mean ${prefix}${nearestOf(word, known)}?`;
