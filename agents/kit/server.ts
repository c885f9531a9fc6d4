import type { IncomingMessage } from 'node:http';
import Fastify, { type FastifyError, type FastifyInstance, LogController } from 'fastify';

/** Read by the health route and by whoever stops the agent. */
export interface Readiness {
  ready: boolean;
}

export interface AgentServer {
  readonly http: FastifyInstance;
  readonly readiness: Readiness;
  /** Requests whose answer has not ended yet, event streams among them; WebSockets are not. */
  readonly inFlight: number;
}

export interface ServerOptions {
  readonly healthPath: string;
  readonly logLevel: string;
  /** Whether this upgrade is taken; one that is not is served as a plain request, without the upgrade. */
  readonly takesUpgrade: (request: IncomingMessage) => boolean;
}

/**
 * A Fastify server made for standing behind Reveille. The health route answers 200 or 503 by `readiness`. It logs no
 * request: the daemon can (log.requests), and one line a request in both places is one too many. Failures are logged.
 */
export function createServer(options: ServerOptions): AgentServer {
  const http = Fastify({
    logger: { level: options.logLevel },
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle',
    http: { shouldUpgradeCallback: options.takesUpgrade },
  });
  const readiness: Readiness = { ready: true };
  let inFlight = 0;

  // Counted on the server and not in hooks, so that hijacked answers and those to aborted requests count the same.
  http.server.prependListener('request', (_request, response) => {
    inFlight += 1;
    response.once('close', () => {
      inFlight -= 1;
      // A connection whose answer ended after the server began to close stays open, idle, until its keep-alive is over.
      if (!http.server.listening) setImmediate(() => http.server.closeIdleConnections());
    });
  });

  // Without request logging Fastify does not log failures either. What failed stays in the log: the message of an error of
  // ours may hold what the caller should not see.
  http.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.send(error);
    request.log.error({ err: error, method: request.method, url: request.url }, 'request failed');
    return reply.code(status).send({ statusCode: status, error: 'Internal Server Error', message: 'The agent made a mistake.' });
  });

  http.get(options.healthPath, async (_request, reply) => {
    if (!readiness.ready) return reply.code(503).header('cache-control', 'no-store').send({ status: 'not-ready' });
    return reply.header('cache-control', 'no-store').send({ status: 'ok' });
  });
  return {
    http,
    readiness,
    get inFlight() {
      return inFlight;
    },
  };
}
