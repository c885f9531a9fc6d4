import { EXIT } from '../contract/problems.ts';
import { helpFor, overview, usageLine } from './help.ts';
import { parse } from './parse.ts';
import { failure, report, type Terminal } from './terminal.ts';

/** One call of `reveille`, whatever it runs in. Resolves to its exit code. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parse(argv);
  switch (parsed.kind) {
    case 'help':
      terminal.out(parsed.command === null ? overview() : helpFor(parsed.command));
      return EXIT.ok;
    case 'version':
      return run(['version'], terminal);
    case 'usage': {
      const { command, message } = parsed;
      const advice = command === null ? ['`reveille help` lists the commands.'] : [`usage: ${usageLine(command)}`];
      return report(terminal, failure(EXIT.usage, message, ...advice));
    }
    case 'run':
      return parsed.command.run(parsed.invocation, terminal);
  }
}
