import { EXIT } from '../../src/contract/problems.ts';
import { EnvironmentError } from './environment.ts';

/** What `read` finds in the environment. Where it is wrong: its one line on stderr, and exit 78. */
export function settingsOrExit<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(EXIT.badConfig);
  }
}
