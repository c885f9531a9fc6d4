import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../lab/run-program.ts';

/**
 * Somebody with a shell who types what a page says, in this checkout. What is exported in one command is there in the next.
 * Where the lab is not as a machine is, what is typed is adapted, by name and with the reason; an adaptation whose words are
 * in no command any more fails, so that none of them hides a page that has changed.
 */
export interface Adaptation {
  readonly why: string;
  readonly from: string;
  readonly to: string;
}

export class Operator {
  /** Where commands are typed. */
  directory: string;
  private environment: NodeJS.ProcessEnv;
  private readonly scratch: string;

  constructor(directory: string, scratch: string, environment: NodeJS.ProcessEnv) {
    this.directory = directory;
    this.scratch = scratch;
    this.environment = environment;
  }

  /** Resolves to what the commands wrote to standard output; the first that fails ends them, and rejects. */
  async type(commands: string, adaptations: readonly Adaptation[] = []): Promise<string> {
    let text = commands;
    for (const { from, to, why } of adaptations) {
      if (!text.includes(from))
        throw new Error(`"${from}" is not in these commands, which would be adapted because ${why}:\n${text}`);
      text = text.replaceAll(from, to);
    }
    const kept = join(this.scratch, 'environment');
    const script = `set -e\ncd "$1"\n${text}\nenv -0 >"$2"`;
    const output = await runProgram(['sh', '-c', script, 'sh', this.directory, kept], { env: this.environment });
    const variables = readFileSync(kept, 'utf8')
      .split('\0')
      .filter((line) => line !== '');
    this.environment = Object.fromEntries(
      variables.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    return output;
  }

  variable(name: string): string {
    const value = this.environment[name];
    if (value === undefined || value === '') throw new Error(`${name} was not exported`);
    return value;
  }
}
