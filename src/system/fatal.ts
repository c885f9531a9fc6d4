import { EXIT } from '../contract/problems.ts';
import type { Log } from '../ports/log.ts';

/** A broken promise of ours: the state can no longer be trusted, so nobody may go on deciding by it. */
export function dieOfViolations(log: Log): void {
  const die = (error: unknown): void => {
    const { name, message, stack } =
      error instanceof Error ? error : { name: 'unknown', message: String(error), stack: undefined };
    log.fatal('daemon broke a promise of its own and ends', { error: name, detail: message, stack });
    process.exit(EXIT.violation);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}
