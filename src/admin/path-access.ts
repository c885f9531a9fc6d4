import type { IncomingHttpHeaders } from 'node:http';
import httpProxy from '@fastify/http-proxy';
import type { FastifyRequest } from 'fastify';
import { type Dispatcher, Pool } from 'undici';
import type { AgentView } from '../contract/api.ts';
import { parseWildcard } from '../contract/hostname.ts';
import { Problem } from '../contract/problems.ts';
import type { Control } from '../runtime/control.ts';
import { assert } from '../std/assert.ts';
import { addressOf } from './auth.ts';
import type { App } from './openapi.ts';
import { hasBody, valueOf } from './problems.ts';

/**
 * `/agents/<name>/...`: an agent without its hostname, for scripts and for machines without wildcard DNS. One static upstream,
 * a unix socket of our own data plane, so that waking, counting, limits and the last word on headers exist once. What is done
 * here is only what this origin needs: agents must not see its tokens nor act as it.
 *
 * The target reaches the agent byte for byte. http-proxy would pass it through `new URL`, which rewrites it, and strips the
 * prefix from a decoded path; both have been the root of path confusion (CVE-2026-16117, -120213, -127060). So the prefix must
 * stand there literally, and the rest is cut off the raw target by its length.
 */
export interface AgentAccess {
  /** Where the data plane listens for us. */
  readonly socketPath: string;
}

/** Also how many connections to the data plane there are; a request beyond them would wait without a limit. */
const REQUESTS_MAX = 128;
/** Answered for an agent that has wildcards only: nobody else's exact name, and any name under the wildcard will do. */
const MADE_UP_LABEL = 'reveille-path-access';
/** @fastify/http-proxy wants one; the pool below has only the unix socket to go to. */
const UPSTREAM = 'http://data-plane.invalid';

interface Passage {
  readonly id: string;
  readonly from: string;
  /** The target as it came, without the prefix. */
  readonly path: string;
  readonly host: string;
  readonly prefix: string;
  readonly gone: AbortController;
}

declare module 'fastify' {
  interface FastifyRequest {
    passage: Passage | null;
  }
}

export async function pathAccess(app: App, control: Control, access: AgentAccess): Promise<void> {
  // No time-outs here: the data plane has them, and an event stream may be silent for as long as it likes.
  const pool = new Pool(UPSTREAM, {
    socketPath: access.socketPath,
    connections: REQUESTS_MAX,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 128 * 1024,
  });
  const open = new Map<string, Passage>();

  await app.register(async (scope) => {
    scope.decorateRequest('passage', null);
    // Bodies are passed on as streams, whatever they are.
    scope.removeAllContentTypeParsers();
    scope.addHook('onRequest', async (request, reply) => {
      if (open.size >= REQUESTS_MAX) throw new Problem('connection-limit');
      const passage = passageOf(request, control);
      request.passage = passage;
      open.set(request.id, passage);
      // Whoever leaves early is not waited for: the agent's request ends too, and stops counting.
      reply.raw.once('close', () => {
        open.delete(request.id);
        passage.gone.abort();
      });
      // The head goes out as soon as it is known. Node would keep it back until the first byte of the body.
      reply.raw.once('pipe', () => reply.raw.flushHeaders());
    });
    scope.addHook('onClose', () => pool.destroy());

    await scope.register(httpProxy, {
      prefix: '/agents/:name',
      upstream: UPSTREAM,
      config: { access: 'admin', streams: true },
      undici: { request: byteForByte(pool, open) },
      // Its default asks up to ten more times when an agent that is asleep answers 503.
      retryMethods: [],
      disableCache: true,
      disableRequestLogging: true,
      internalRewriteLocationHeader: false,
      handler: (_request, reply, _destination, options) => reply.from('/', options),
      replyOptions: {
        rewriteRequestHeaders: (request, headers) => requestHeaders(headers, passageFrom(request)),
        rewriteHeaders: (headers, request) => answerHeaders(headers, passageFrom(request)),
        onError: (reply, { error }) => void reply.send(problemFrom(error)),
      },
    });
  });
}

/** http-proxy makes the request; this puts back the target it has normalised, and lets go of it with the caller. */
function byteForByte(pool: Pool, open: ReadonlyMap<string, Passage>): Dispatcher['request'] {
  const request = (
    options: Dispatcher.RequestOptions,
    done: (error: Error | null, answer: Dispatcher.ResponseData) => void,
  ): void => {
    const id = (options.headers as IncomingHttpHeaders)['x-request-id'];
    const passage = open.get(String(id));
    // Gone between the hook and here: what nobody waits for is not asked.
    const signal = passage?.gone.signal ?? AbortSignal.abort();
    pool.request({ ...options, path: passage?.path ?? '/', signal }, done);
  };
  return request as Dispatcher['request'];
}

function passageOf(request: FastifyRequest, control: Control): Passage {
  const { name = '' } = request.params as { readonly name?: string };
  const prefix = `/agents/${name}`;
  const target = request.raw.url ?? '';
  const rest = target.slice(prefix.length);
  // The router has decoded the name; where it came percent-encoded, nothing is cut off by a length that is not its own.
  if (!target.startsWith(prefix)) throw new Problem('bad-request', 'Write the name of the agent as it is');
  if (AMBIGUOUS.test(rest.split('?', 1)[0] ?? '')) {
    throw new Problem('bad-request', 'The path has segments that are read differently by different programs');
  }
  if (request.headers.upgrade?.toLowerCase() === 'websocket') {
    throw new Problem('bad-request', "WebSockets are not served here; use the agent's hostname");
  }
  if (/^(?:GET|HEAD)$/.test(request.method) && hasBody(request)) {
    throw new Problem('bad-request', 'A GET or HEAD with a body is not served here');
  }
  const host = hostOf(valueOf(control.agent(name)));
  return {
    id: request.id,
    from: addressOf(request),
    path: rest.startsWith('/') ? rest : `/${rest}`,
    host,
    prefix,
    gone: new AbortController(),
  };
}

/** Dot segments, also encoded or with a `;parameter`; backslashes; an empty first segment, which some read as a host. */
const AMBIGUOUS = /^\/\/|^\/(?:\\|%5c)|\\|#|(?:^|\/|%2f|%5c)(?:\.|%2e){1,2}(?:;[^/]*)?(?:\/|%2f|%5c|$)/i;

/** The first hostname that is one, so that the agent sees a name it knows. */
function hostOf({ hostname, hostnames }: AgentView): string {
  const all = [hostname, ...hostnames];
  return all.find((name) => parseWildcard(name) === null) ?? `${MADE_UP_LABEL}${parseWildcard(hostname) ?? ''}`;
}

function passageFrom(request: { readonly passage: Passage | null } | undefined): Passage {
  const passage = request?.passage;
  assert(passage !== undefined && passage !== null, 'a request that is passed on has been prepared');
  return passage;
}

// prettier-ignore
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer',
  'transfer-encoding', 'upgrade', 'http2-settings'] as const;

/** The operator's secrets, what is between two neighbours only, and what a caller could only make up. */
// prettier-ignore
const NOT_PASSED_ON: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'authorization', 'cookie', 'cookie2', 'expect', 'host', 'forwarded',
  'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-real-ip', 'true-client-ip', 'cf-connecting-ip',
  'x-request-id']);

/** Headers that act on the whole origin. It is ours, and an agent is a guest on it. */
// prettier-ignore
const NOT_PASSED_BACK: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'set-cookie', 'set-cookie2', 'clear-site-data',
  'strict-transport-security', 'alt-svc', 'nel', 'report-to', 'reporting-endpoints', 'service-worker-allowed', 'access-control-allow-origin',
  'access-control-allow-credentials', 'content-security-policy-report-only', 'cross-origin-resource-policy']);

/**
 * What `Connection` names is already gone when this is called (RFC 9110 section 7.6.1), so nothing that is added here can be
 * taken away by the caller. `x_forwarded_for` counts as its twin: CGI-like agents cannot tell them apart.
 */
function requestHeaders(headers: IncomingHttpHeaders, { id, from, host }: Passage): IncomingHttpHeaders {
  const kept = Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.has(name.replaceAll('_', '-')));
  return {
    ...Object.fromEntries(kept),
    host,
    'x-request-id': id,
    'x-forwarded-for': from,
  };
}

function answerHeaders(headers: IncomingHttpHeaders, { host, prefix }: Passage): IncomingHttpHeaders {
  const named = new Set((headers.connection ?? '').toLowerCase().split(/ *, */));
  const kept = Object.entries(headers).filter(([name]) => !NOT_PASSED_BACK.has(name) && !named.has(name));
  const { location } = headers;
  return {
    ...Object.fromEntries(kept),
    ...(location === undefined ? {} : { location: locationUnder(prefix, host, location) }),
    'content-security-policy': 'sandbox allow-scripts allow-forms',
  };
}

/** A redirect of an agent to itself leads back here: to `/x`, or to its own name as it saw it in Host. */
function locationUnder(prefix: string, host: string, location: string): string {
  const [, authority, rest = ''] = /^(?:https?:)?\/\/([^/?#]*)(.*)$/is.exec(location) ?? [];
  if (authority === undefined) return location.startsWith('/') ? prefix + location : location;
  if (authority.toLowerCase() !== host.toLowerCase()) return location;
  return rest.startsWith('/') ? prefix + rest : `${prefix}/${rest}`;
}

/** Between us and the data plane; what goes wrong between it and an agent arrives as an answer. */
function problemFrom(error: Error): Problem {
  const { code } = (error.cause ?? error) as NodeJS.ErrnoException;
  return new Problem(code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' ? 'upstream-broken' : 'upstream-refused');
}
