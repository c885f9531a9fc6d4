import { EXIT } from '../../src/contract/problems.ts';
import { runAgent } from '../kit/agent.ts';
import { EnvironmentError } from '../kit/environment.ts';
import { serveWorld } from './http.ts';
import { type Settings, readSettings } from './settings.ts';
import { createTrooper } from './trooper.ts';
import { serveWhoami } from './whoami.ts';

/**
 * One task of Bob's World: one trooper. It plays, talks, writes poems, and serves the page on which all of that is seen. What
 * it shares with the others lies on the bus; what it knows of them it asks the daemon.
 */
await runAgent((agent) => {
  const trooper = createTrooper(agent, settingsOrExit(agent.environment.agent));
  serveWorld(agent.http, (http) => {
    serveWhoami(http, trooper);
  });
});

function settingsOrExit(agent: string | null): Settings {
  try {
    return readSettings(process.env, agent);
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(EXIT.badConfig);
  }
}
