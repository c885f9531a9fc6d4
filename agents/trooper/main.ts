import { runAgent } from '../kit/agent.ts';
import { settingsOrExit } from '../kit/settings-or-exit.ts';
import { serveArm } from './arm.ts';
import { serveChat } from './chat.ts';
import { startEnlisting } from './enlist.ts';
import { startHeartbeat } from './heartbeat.ts';
import { serveWorld } from '../world/http.ts';
import { serveLive } from './live.ts';
import { livePartsOf } from './live-parts.ts';
import { servePage } from './page.ts';
import { serveOutage } from './outage.ts';
import { takeArrival } from './revolt/arrivals.ts';
import { startRevolts } from './revolt/drive.ts';
import { serveRevolt } from './revolt/serve-revolt.ts';
import { startRoster } from './roster.ts';
import { serveRps } from './rps/api.ts';
import { startRps } from './rps/start.ts';
import { serveScale } from './scale.ts';
import { serveSelfDestruct } from './self-destruct.ts';
import { readSettings } from './settings.ts';
import { startKeepingSize } from './size.ts';
import { serveSwarm } from './swarm.ts';
import { serveHaiku } from './text/haiku.ts';
import { startTexts } from './text/start.ts';
import { createTrooper } from './trooper.ts';
import { serveWhoami } from './whoami.ts';

/**
 * One task of Bob's World: one trooper. It plays, talks, writes poems, and serves the page on which all of that is seen. What
 * it shares with the others lies on the bus; what it knows of them it asks the daemon.
 */
await runAgent((agent) => {
  const trooper = createTrooper(
    agent,
    settingsOrExit(() => readSettings(process.env, agent.environment.agent)),
  );
  serveWorld(agent.http, (http) => {
    serveWhoami(http, trooper);
    serveSwarm(http, trooper);
    serveScale(http, trooper);
    serveSelfDestruct(http, trooper);
    serveOutage(http, trooper);
    serveChat(http, trooper);
    serveArm(http, trooper);
    serveHaiku(http, trooper);
    serveRevolt(http, trooper);
    serveRps(http, trooper);
    serveLive(http, agent.streams, livePartsOf(trooper));
    servePage(http);
  });
  startEnlisting(trooper, takeArrival);
  startKeepingSize(trooper);
  startRoster(trooper);
  startRevolts(trooper);
  startTexts(trooper);
  startHeartbeat(trooper);
  startRps(trooper);
});
