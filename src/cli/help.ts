import { EXIT } from '../contract/problems.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import { EVERYWHERE, type OptionName, OPTIONS } from './options.ts';
import { list } from './table.ts';

/** What `--help` prints and docs/cli.md says: two readings of the same tables. */

/** What the exit codes mean, in their order. */
export const EXITS: readonly (readonly [number, string])[] = [
  [EXIT.ok, 'Done'],
  [EXIT.failed, 'Refused or failed; the reason is on stderr'],
  [EXIT.usage, 'The command line is wrong'],
  [EXIT.unreachable, 'The daemon cannot be reached'],
  [EXIT.violation, 'The daemon broke a promise of its own; its last log line says which'],
  [EXIT.stateDirInUse, 'serve: another daemon has state_dir'],
  [EXIT.badConfig, 'The config file has mistakes'],
];

export function usageLine(command: Command): string {
  const args = command.args.map((arg) => (arg.required ? `<${arg.name}>` : `[${arg.name.toUpperCase()}]`));
  const options = optionsOf(command).map((name) => `[${written(name)}]`);
  return ['reveille', command.name, ...args, ...options].join(' ');
}

/** The options that make a difference to this command. */
export function optionsOf(command: Command): readonly OptionName[] {
  const common = EVERYWHERE.filter((name) => name !== 'help' && (command.remote || command.uses.includes(name)));
  return [...command.options, ...common];
}

export function written(name: OptionName): string {
  const { value } = OPTIONS[name];
  return value === null ? `--${name}` : `--${name} ${value}`;
}

export function overview(): string {
  return [
    'Reveille wakes agents when somebody calls their hostname, and puts them to sleep when nobody does.',
    '',
    'usage: reveille <command> [options]',
    '',
    indented(
      list([
        ...COMMANDS.map((command) => [headOf(command), command.summary] as const),
        ['help [COMMAND]', 'Say what a command does'],
      ]),
    ),
    '',
    'With every command:',
    indented(list(EVERYWHERE.map((name) => [written(name), OPTIONS[name].words]))),
    '',
    'Exit codes:',
    indented(list(EXITS.map(([code, words]) => [String(code), words]))),
  ].join('\n');
}

export function helpFor(command: Command): string {
  const options = optionsOf(command);
  return [
    `usage: ${usageLine(command)}`,
    '',
    ...command.details,
    ...(options.length === 0
      ? []
      : ['', 'Options:', indented(list(options.map((name) => [written(name), OPTIONS[name].words])))]),
    '',
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
  ].join('\n');
}

const headOf = (command: Command): string =>
  [command.name, ...command.args.map((arg) => (arg.required ? `<${arg.name}>` : `[${arg.name.toUpperCase()}]`))].join(' ');

const indented = (text: string): string => text.replaceAll(/^(?=.)/gm, '  ');
