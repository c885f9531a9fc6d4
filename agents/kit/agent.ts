import type { FastifyInstance } from 'fastify';
import { EXIT } from '../../src/contract/problems.ts';
import { type Millis, millisOf } from '../../src/std/time.ts';
import { type DaemonLink, linkDaemon } from './daemon-link.ts';
import { type Environment, given, readEnvironment } from './environment.ts';
import { type EventStreams, createEventStreams } from './event-streams.ts';
import { createServer } from './server.ts';
import { settingsOrExit } from './settings-or-exit.ts';
import { type OnSocket, createSockets } from './sockets.ts';
import { endWithin, onStopSignal } from './stop.ts';
import { readToken } from './token.ts';

/**
 * The kit in one call. A whole agent:
 *
 *     import { runAgent } from '../kit/agent.ts';
 *
 *     await runAgent((agent) => {
 *       agent.http.get('/', async () => ({ hello: 'world' }));
 *     });
 *
 * It listens on HOST and PORT, answers the health check, knows its daemon, and stops in good order on SIGTERM. Each part
 * can be used alone; none of them knows of this file.
 */
export interface Agent {
  /** Fastify: routes are added here, before the set-up function ends. */
  readonly http: FastifyInstance;
  readonly environment: Environment;
  /** Null when the agent runs alone. */
  readonly daemon: DaemonLink | null;
  readonly streams: EventStreams;
  /** Requests whose answer has not ended yet, event streams among them; WebSockets are not. */
  readonly inFlight: number;
  readonly socketsOpen: number;
  /** Serves WebSockets on this exact path. They are closed with 1001 when the agent stops. */
  webSocket(path: string, onSocket: OnSocket): void;
  /** False makes the health check answer 503, for as long as the agent cannot do its work. */
  setReady(ready: boolean): void;
  /** Called when the stop begins and work in flight still goes on. Waited for, within the bound. */
  onStop(then: () => Promise<void>): void;
}

export interface AgentOptions {
  /** Where the daemon asks for health: the agent's health.path. */
  readonly healthPath?: string;
  /** Longest wait for one answer of the daemon. */
  readonly daemonTimeoutMs?: Millis;
  /** How long a stop may take. Docker kills 10 s after SIGTERM, so 9 s if left out. */
  readonly stopTimeoutMs?: Millis;
}

const DAEMON_TIMEOUT = millisOf(5000);
const STOP_TIMEOUT = millisOf(9000);

/** `setUp` may be asynchronous. Resolves once the agent listens. A wrong environment is one line on stderr and exit 78. */
export async function runAgent(setUp: (agent: Agent) => unknown, options: AgentOptions = {}): Promise<void> {
  const { environment, token } = settingsOrExit(() => ({
    environment: readEnvironment(process.env),
    token: readToken(process.env),
  }));
  const sockets = createSockets();
  const streams = createEventStreams();
  const server = createServer({
    healthPath: options.healthPath ?? '/api/health',
    logLevel: given(process.env, 'LOG_LEVEL') ?? 'info',
    takesUpgrade: sockets.takes,
  });
  const { http, readiness } = server;
  http.server.on('upgrade', sockets.upgrade);

  const daemon = linkTo(environment, token, options.daemonTimeoutMs ?? DAEMON_TIMEOUT, http);
  const stopping: (() => Promise<void>)[] = [];
  await setUp({
    http,
    environment,
    daemon,
    streams,
    get inFlight() {
      return server.inFlight;
    },
    get socketsOpen() {
      return sockets.open;
    },
    webSocket: sockets.serve,
    setReady: (ready) => void (readiness.ready = ready),
    onStop: (then) => void stopping.push(then),
  });

  const stop = async (): Promise<void> => {
    readiness.ready = false;
    // All at once: closing the server stops accepting now, and ends when the last answer has, which an open event stream
    // or WebSocket would put off for ever.
    streams.close();
    const endings = [http.close(), sockets.close(), ...stopping.map((then) => then())];
    if (daemon !== null) endings.push(daemon.close());
    const outcome = await endWithin(options.stopTimeoutMs ?? STOP_TIMEOUT, endings, (error) => {
      http.log.warn({ err: error }, 'part of the stop failed');
    });
    if (outcome === 'cut') http.log.warn({ in_flight: server.inFlight }, 'stop took too long, work was cut');
    else http.log.info('stopped');
    process.exit(EXIT.ok);
  };
  onStopSignal((signal) => {
    http.log.info({ signal, in_flight: server.inFlight, websockets: sockets.open }, 'stopping');
    void stop();
  });
  await http.listen({ port: environment.port, host: environment.host });
}

function linkTo(environment: Environment, token: string | null, timeoutMs: Millis, http: FastifyInstance): DaemonLink | null {
  if (environment.daemonUrl === null) return null;
  if (token === null) {
    http.log.warn('no token found, running without the daemon');
    return null;
  }
  const taskId = environment.task?.id ?? null;
  return linkDaemon({ url: environment.daemonUrl, token, taskId, timeoutMs }, http.log);
}
