import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify from 'fastify';
import { Problem } from '../contract/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { Address } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Control } from '../runtime/control.ts';
import { type Millis, after, millisOf } from '../std/time.ts';
import { agentRoutes } from './agents.ts';
import { auth } from './auth.ts';
import { Closing } from './closing.ts';
import { eventRoutes } from './events.ts';
import { healthRoutes } from './health.ts';
import type { KnownPaths } from './known-paths.ts';
import { type App, openapi, openapiRoutes } from './openapi.ts';
import { overrideRoutes } from './overrides.ts';
import { type AgentAccess, pathAccess } from './path-access.ts';
import { FIXED_HEADERS, hasBody, pathOf, refuser } from './problems.ts';
import { reloadRoutes } from './reload.ts';
import { selfRoutes } from './self.ts';
import { serviceRoutes } from './services.ts';

/**
 * The internal port: Fastify, since features count here and speed does not. What holds for every call is in this file, what
 * one resource answers in a file of its own.
 *
 * The order of one request: what it may not be at all, who is calling, which route, then the body, then the schema. A caller
 * who is refused has cost us the reading of a head.
 */
export interface AdminOptions {
  readonly control: Control;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Whether GET /metrics wants the admin token. */
  readonly metricsAuth: 'none' | 'bearer';
  readonly agentAccess: AgentAccess;
  /** Of the daemon, for the OpenAPI document. */
  readonly version: string;
}

export interface AdminServer {
  /** Port 0 takes a free one. Resolves with what was bound; rejects with Node's error when it cannot be. */
  listen(address: Address): Promise<Address>;
  /** Ends event streams and waits, lets other calls finish, and cuts what is left after `deadline`. */
  close(deadline: Millis): Promise<void>;
}

const BODY_BYTES_MAX = 1024 * 1024;
/** For a whole body: the largest takes 30 s at 35 KB/s. */
const BODY_TIMEOUT = millisOf(30_000);
/** For a client to take an answer that is complete; streams have limits of their own. */
const ANSWER_TIMEOUT = millisOf(60_000);
const HEAD_TIMEOUT = millisOf(20_000);
const HEAD_BYTES_MAX = 32 * 1024;
const CONNECTIONS_MAX = 1024;

export async function adminServer(options: AdminOptions): Promise<AdminServer> {
  const closing = new Closing();
  const { app } = await adminApp(options, closing);
  return {
    listen: async ({ host, port }) => {
      await app.listen({ host, port });
      const bound = app.addresses()[0];
      // Node gives text for a unix socket and an object for everything that has a port.
      return typeof bound === 'object' ? { host: bound.address, port: bound.port } : { host, port };
    },
    close: async (deadline) => {
      closing.begin();
      // Node stops looking for slow heads once it closes, so a half-sent one would be waited for without an end.
      const { clock } = options;
      const cut = clock.alarm(after(clock.now(), deadline), () => app.server.closeAllConnections());
      await app.close();
      cut.cancel();
    },
  };
}

/** The server without its socket, which tests call through `inject`, and all that it serves. */
export async function adminApp(
  options: AdminOptions,
  closing: Closing,
): Promise<{ readonly app: App; readonly paths: KnownPaths }> {
  const { control, clock, log, metrics } = options;
  const answering = new Map<Socket, number>();
  const { refuse, refuseSocket } = refuser(log, metrics, (socket) => answering.has(socket));

  const app = fastify({
    logger: false,
    trustProxy: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: 0,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 300 },
    genReqId: () => randomUUID(),
    http: { headersTimeout: HEAD_TIMEOUT, connectionsCheckingInterval: 1000, maxHeaderSize: HEAD_BYTES_MAX },
    // Input is taken or refused as it is: never completed, converted or pruned.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false } },
    frameworkErrors: (error, request, reply) => refuse(error, request, reply),
    clientErrorHandler: refuseSocket,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.server.maxConnections = CONNECTIONS_MAX;

  app.setErrorHandler(refuse);
  takeJsonOnly(app);
  await openapi(app, options.version);

  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({ ...FIXED_HEADERS, 'x-request-id': request.id });
    countAnswer(answering, request.raw.socket, reply.raw);
    if (closing.hasBegun) throw new Problem('draining');
    // RFC 9112 section 3.2: absolute form is for proxies, and `//host` is read as one by much that comes after us.
    if (!/^\/(?!\/)/.test(request.raw.url ?? '')) throw new Problem('bad-request', 'Write the target as a plain path');
  });
  const paths = auth(app, control);
  readBodies(app, clock);
  app.addHook('onSend', async (_request, reply, payload) => {
    // A connection that is kept would be waited for until it times out.
    if (closing.hasBegun) void reply.header('connection', 'close');
    // Nobody is there any more, and `close` has been: the alarm would not be taken back.
    if (reply.raw.destroyed || (typeof payload !== 'string' && !Buffer.isBuffer(payload))) return;
    const late = clock.alarm(after(clock.now(), ANSWER_TIMEOUT), () => reply.raw.destroy());
    reply.raw.once('close', () => late.cancel());
  });
  app.addHook('onResponse', async (request, reply) => {
    const { identity, method, routeOptions } = request;
    if (identity === null || method === 'GET' || method === 'HEAD' || routeOptions.config.streams === true) return;
    const by = identity.kind === 'admin' ? 'admin' : identity.agent;
    log.info('a call was made on the internal port', {
      method,
      url: pathOf(request),
      status: reply.statusCode,
      by,
      requestId: request.id,
    });
  });

  healthRoutes(app, control, metrics, options.metricsAuth);
  agentRoutes(app, control, closing);
  overrideRoutes(app, control);
  serviceRoutes(app, control);
  selfRoutes(app, control);
  reloadRoutes(app, control);
  eventRoutes(app, control, clock, log, closing);
  openapiRoutes(app);
  await pathAccess(app, control, options.agentAccess);
  await app.ready();
  return { app, paths };
}

/** Keys that would reach a prototype are refused, not removed. A call without a body may still say that it is JSON. */
function takeJsonOnly(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, String(body), done);
  });
}

/**
 * Between the last word on who may call and the first byte of the body. Node would send 100 Continue by itself, to anybody,
 * before we have seen the request; so it waits here. A body has a time to arrive in: Node's own limit is one for all
 * requests, and those that are passed on to agents may take for ever.
 */
function readBodies(app: App, clock: Clock): void {
  const waiting = new WeakSet<IncomingMessage>();
  app.server.on('checkContinue', (request: IncomingMessage, response) => {
    waiting.add(request);
    app.routing(request, response);
  });
  app.addHook('preParsing', async (request, reply, payload) => {
    const streams = request.routeOptions.config.streams === true;
    if (!streams && Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) throw new Problem('body-too-large');
    if (waiting.delete(request.raw)) reply.raw.writeContinue();
    if (streams || !hasBody(request)) return payload;
    const timed = new PassThrough();
    const late = clock.alarm(after(clock.now(), BODY_TIMEOUT), () => timed.destroy(new Problem('request-timeout')));
    request.raw.once('close', () => late.cancel());
    payload.once('error', (error: Error) => timed.destroy(error));
    payload.once('end', () => late.cancel());
    return payload.pipe(timed);
  });
}

/** Pipelined requests are answered one after the other on one socket, so it is a number. */
function countAnswer(answering: Map<Socket, number>, socket: Socket, answer: NodeJS.EventEmitter): void {
  answering.set(socket, (answering.get(socket) ?? 0) + 1);
  answer.once('close', () => {
    const left = (answering.get(socket) ?? 1) - 1;
    if (left === 0) answering.delete(socket);
    else answering.set(socket, left);
  });
}
