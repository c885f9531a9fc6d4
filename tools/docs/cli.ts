import type { Command } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { EXITS, usageLine, written } from '../../src/cli/help.ts';
import { EVERYWHERE, type OptionName, OPTIONS } from '../../src/cli/options.ts';
import { code, madeFrom, type Page, paragraphs, table } from './page.ts';

/** docs/cli.md: what `reveille --help` says, to read at leisure. */
export const cliPage: Page = {
  file: 'cli.md',
  render: () =>
    paragraphs(
      '# Command line',
      madeFrom('src/cli/commands.ts and src/cli/options.ts'),
      INTRODUCTION,
      table(
        ['command', 'what it does'],
        COMMANDS.map((command) => [`[${code(command.name)}](#reveille-${command.name})`, command.summary]),
      ),
      '## With every command',
      optionTable(EVERYWHERE),
      WHICH_DAEMON,
      '## Exit codes',
      table(
        ['code', 'what it means'],
        EXITS.map(([exit, words]) => [String(exit), words]),
      ),
      ...COMMANDS.flatMap(partsOf),
    ),
};

const INTRODUCTION = `In a checkout \`npm run -s reveille -- <args>\` is \`reveille <args>\`, and \`npm start -- --config FILE\` is
\`reveille serve --config FILE\`. Answers go to stdout as plain text in columns, on a terminal and in a pipe alike; with \`--json\`
they are JSON. Reasons go to stderr. Control characters in what a daemon says are escaped.`;

const WHICH_DAEMON = `Commands that speak to a daemon find it by \`--admin\`, else by \`REVEILLE_ADMIN\`, else by \`admin_listen\` of the config file, else at
the default \`admin_listen\`. The token is that of \`--token\`, else of \`--token-file\`, else of \`REVEILLE_ADMIN_TOKEN\`, else the local daemon's own:
\`admin_token\` or \`admin_token_file\` of the config file, or the file \`admin_token\` in its state_dir. The local daemon's token is sent to
the local daemon only, never to another that \`--admin\` names.`;

function partsOf(command: Command): string[] {
  const own: readonly OptionName[] = command.options;
  return [
    `## reveille ${command.name}`,
    `\`\`\`\n${usageLine(command)}\n\`\`\``,
    command.details.join('\n'),
    ...(own.length === 0 ? [] : [optionTable(own)]),
    `\`\`\`sh\n${command.examples.join('\n')}\n\`\`\``,
  ];
}

const optionTable = (names: readonly OptionName[]): string =>
  table(
    ['option', 'what it does'],
    names.map((name) => [code(written(name)), OPTIONS[name].words]),
  );
