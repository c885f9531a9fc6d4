import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { TASK_HEADER } from '../contract/api.ts';
import { Problem } from '../contract/problems.ts';
import type { Caller, Control } from '../runtime/control.ts';
import { assert } from '../std/assert.ts';
import type { Access, App } from './openapi.ts';
import { KnownPaths } from './known-paths.ts';

/**
 * Who is calling, and may they. Decided before a body is read or anything is validated, from the request head alone: a
 * stranger learns nothing and costs nothing. Deny by default: a route that does not say who may call it stops the start.
 */
export type Identity = { readonly kind: 'admin' } | { readonly kind: 'agent'; readonly agent: string };

declare module 'fastify' {
  interface FastifyRequest {
    /** Null: nobody that we know. Set once, by the first hook. */
    identity: Identity | null;
  }
}

/** Returns all paths that are served, once the routes have been added after this call. */
export function auth(app: App, control: Control): KnownPaths {
  app.decorateRequest('identity', null);

  const known = new KnownPaths();
  app.addHook('onRoute', ({ url, method, config }) => {
    assert(config?.access !== undefined, `a route says who may call it: ${url}`);
    known.add(url, method, config.access);
  });

  app.addHook('onRequest', async (request, reply) => {
    request.identity = identify(control, request.headers.authorization);
    if (!request.is404) {
      const { access } = request.routeOptions.config;
      assert(access !== undefined, 'every route that is reached says who may call it');
      allow(access, request);
      refuseOtherPages(request);
      return;
    }
    // Without a token there are only the open paths: what exists beside them is not shown by what does not.
    const place = known.at(request.url);
    if (!place.open) allow('agent-or-admin', request);
    if (place.methods.length === 0) throw new Problem('not-found');
    const methods = place.methods.join(', ');
    void reply.header('allow', methods);
    throw new Problem('method-not-allowed', `Here it is ${methods}`);
  });
  return known;
}

/** RFC 6750 section 2.1. The scheme is compared without regard to case (RFC 9110 section 11.1), the token in constant time. */
function identify(control: Control, authorization: string | undefined): Identity | null {
  const token = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) return null;
  if (control.isAdminToken(token)) return { kind: 'admin' };
  const agent = control.agentByToken(token);
  return agent === null ? null : { kind: 'agent', agent };
}

/** Throws `unauthorized` where a better token would help, `forbidden` where this one is known and does not reach. */
function allow(access: Access, request: FastifyRequest): void {
  if (access === 'open') return;
  if (access === 'local-or-admin' && !isRebound(request)) return;
  if (request.identity === null) throw new Problem('unauthorized');
  if (access !== 'agent-or-admin' && request.identity.kind !== 'admin') throw new Problem('forbidden');
}

/**
 * A web page cannot read the tokens, so it can change nothing here even when it finds the port; this is the second fence.
 * Browsers add Origin to every request that is not GET or HEAD, and Sec-Fetch-Site to all. Nothing of ours sends either,
 * and there is no CORS: a preflight is answered like any OPTIONS request.
 */
function refuseOtherPages(request: FastifyRequest): void {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const site = request.headers['sec-fetch-site'];
  if (request.headers.origin !== undefined || site === 'cross-site' || site === 'same-site') {
    throw new Problem('forbidden', 'Requests from web pages are refused; send neither Origin nor Sec-Fetch-Site');
  }
}

const LOOPBACK_ADDRESS = /^(?:127(?:\.[0-9]{1,3}){3}|::1|::ffff:127(?:\.[0-9]{1,3}){3})$/;
const LOOPBACK_HOST = /^(?:127(?:\.[0-9]{1,3}){3}|\[::1\]|(?:[a-z0-9-]+\.)*localhost)\.?(?::[0-9]{1,5})?$/i;

/**
 * DNS rebinding: a page of evil.example, whose name now means 127.0.0.1, asks us as its own origin. The connection is local
 * and the Host header is the page's. An allow-list of hosts for everything was rejected: over an overlay or a tunnel the
 * port has names that we cannot know, and there a token is wanted in any case.
 */
function isRebound(request: FastifyRequest): boolean {
  return LOOPBACK_ADDRESS.test(request.socket.localAddress ?? '') && !LOOPBACK_HOST.test(request.headers.host ?? '');
}

/** Query of calls that an agent makes about itself and the operator in its name. */
export const AgentQuery = Type.Object(
  { agent: Type.Optional(Type.String({ description: 'With the admin token: which agent' })) },
  { additionalProperties: false },
);

/** Where a call names the agent it is about: for its problem when the operator forgets to. */
export interface Naming {
  readonly name: string | undefined;
  readonly in: 'query' | 'body';
}

/** The agent that this call is about. An agent may name itself and nobody else; the operator has to name one. */
export function agentOf(request: FastifyRequest, naming: Naming): string {
  const { identity } = request;
  assert(identity !== null, 'whoever speaks for an agent is known');
  if (identity.kind === 'admin') {
    if (naming.name !== undefined) return naming.name;
    throw new Problem(naming.in === 'body' ? 'invalid-body' : 'invalid-query', 'agent: with the admin token, name the agent');
  }
  if (naming.name !== undefined && naming.name !== identity.agent) throw new Problem('forbidden');
  return identity.agent;
}

/** Throws as {@link agentOf} does. */
export function callerOf(request: FastifyRequest, naming: Naming): Caller {
  const task = request.headers[TASK_HEADER];
  return {
    agent: agentOf(request, naming),
    task: typeof task === 'string' ? task : null,
    from: addressOf(request),
    admin: request.identity?.kind === 'admin',
  };
}

/** The peer's address; an IPv4 one stays one when it comes over a socket for both (RFC 4291 section 2.5.5.2). */
export function addressOf(request: FastifyRequest): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:(?=[0-9.]+$)/, '');
}
