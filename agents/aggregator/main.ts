import { runAgent } from '../kit/agent.ts';
import { settingsOrExit } from '../kit/settings-or-exit.ts';
import { connectBus } from '../world/bus.ts';
import { readBusPlace } from '../world/bus-place.ts';
import { serveWorld } from '../world/http.ts';
import { serveScoreboard } from './scoreboard.ts';

/** The aggregator: a reader of the bus that belongs to no swarm, and adds up what the troopers have done. */
await runAgent((agent) => {
  const bus = connectBus(settingsOrExit(() => readBusPlace(process.env)));
  agent.onStop(async () => bus.close());
  serveWorld(agent.http, (http) => serveScoreboard(http, bus));
});
