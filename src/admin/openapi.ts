import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifySchema,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import Type, { type TSchema, type TUnknown } from 'typebox';
import { ProblemReply } from '../contract/api.ts';
import { EventBody } from '../contract/events.ts';
import { PROBLEMS, type ProblemCode } from '../contract/problems.ts';

/**
 * One description per call serves three readers: Fastify checks input by it, auth.ts reads who may call, and the OpenAPI
 * document is made from it. A document written by hand beside the code was the alternative; it would be wrong by the second
 * change.
 */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/**
 * Who may call. `open`: anybody. `local-or-admin`: as open, but a web page that has rebound its name to a loopback address
 * (DNS rebinding) needs the admin token. `agent-or-admin`: an agent about itself, or the operator in its name.
 */
export type Access = 'open' | 'local-or-admin' | 'admin' | 'agent-or-admin';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Absent only where Fastify made the route itself; auth.ts refuses to start with such a route. */
    readonly access?: Access;
    /** The route's body is passed on, not read: no limit of ours applies to it. */
    readonly streams?: boolean;
  }
}

export interface CallDescription<B extends TSchema, Q extends TSchema, P extends TSchema> {
  readonly access: Access;
  readonly id: string;
  readonly tag: 'agents' | 'services' | 'self' | 'operation';
  readonly summary: string;
  readonly description?: string;
  readonly body?: B;
  readonly query?: Q;
  readonly params?: P;
  /** Those that make a difference, in lower case. */
  readonly headers?: TSchema;
  /** Status code to body. */
  readonly replies: Readonly<Record<number, TSchema>>;
  /** Of these replies; JSON unless it says otherwise. */
  readonly mediaType?: string;
  /** Problems of this call, beyond those that follow from `access`, `body` and `query`. */
  readonly problems?: readonly ProblemCode[];
}

export interface Call<B extends TSchema, Q extends TSchema, P extends TSchema> {
  readonly schema: FastifySchema & { readonly body: B; readonly querystring: Q; readonly params: P };
  readonly config: { readonly access: Access };
}

const PROBLEM = Type.Object(ProblemReply.properties, { ...ProblemReply, $id: 'Problem' });
const NO_QUERY = Type.Object({}, { additionalProperties: false });

/** The options of one route. Without `query` the call takes none: a misspelt `?forse=true` must not pass as a polite sleep. */
export function call<B extends TSchema = TUnknown, Q extends TSchema = typeof NO_QUERY, P extends TSchema = TUnknown>(
  description: CallDescription<B, Q, P>,
): Call<B, Q, P> {
  const { access, body, params, headers } = description;
  const schema = {
    operationId: description.id,
    tags: [description.tag],
    summary: description.summary,
    ...(description.description === undefined ? {} : { description: description.description }),
    security: access === 'open' || access === 'local-or-admin' ? [] : securityOf(access),
    ...(body === undefined ? {} : { body }),
    querystring: description.query ?? NO_QUERY,
    ...(params === undefined ? {} : { params }),
    ...(headers === undefined ? {} : { headers }),
    response: {
      ...repliesOf(description.replies, description.mediaType ?? 'application/json'),
      ...problemsOf(codesOf(description)),
    },
  };
  // What a call does not take is absent at run time and `unknown` to its code, which comes to the same.
  return { schema: schema as unknown as Call<B, Q, P>['schema'], config: { access } };
}

const securityOf = (access: 'admin' | 'agent-or-admin'): Record<string, readonly string[]>[] =>
  access === 'admin' ? [{ admin: [] }] : [{ agent: [] }, { admin: [] }];

function codesOf(description: CallDescription<TSchema, TSchema, TSchema>): ReadonlySet<ProblemCode> {
  const codes = new Set<ProblemCode>(['bad-request', 'invalid-query', 'draining', 'internal-error']);
  if (description.access !== 'open') codes.add('unauthorized').add('forbidden');
  if (description.body !== undefined) {
    codes.add('invalid-body').add('body-too-large').add('unsupported-media-type').add('request-timeout');
  }
  if (description.params !== undefined) codes.add('uri-too-long');
  for (const code of description.problems ?? []) codes.add(code);
  return codes;
}

function repliesOf(replies: Readonly<Record<number, TSchema>>, mediaType: string): Record<string, unknown> {
  const described = Object.entries(replies).map(([status, schema]) => [
    status,
    { description: 'Done', content: { [mediaType]: { schema } } },
  ]);
  return Object.fromEntries(described) as Record<string, unknown>;
}

/** One entry per status, which names every problem that comes with it. */
function problemsOf(codes: ReadonlySet<ProblemCode>): Record<string, unknown> {
  const byStatus = Map.groupBy([...codes].sort(), (code) => PROBLEMS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      {
        description: same.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
        content: { 'application/problem+json': { schema: Type.Ref('Problem#') } },
      },
    ]),
  );
}

const ABOUT = `The internal port of Reveille. Errors are application/problem+json (RFC 9457); the \`type\` ends in the code and
\`instance\` is the request id, which X-Request-Id carries too. Times are RFC 3339 in UTC, lengths of time are text such as
\`30s\`. Every call but the open ones wants \`Authorization: Bearer <token>\`. An agent with several tasks says which one it is
with X-Reveille-Task. Requests that a browser sends for a web page (Origin, Sec-Fetch-Site) change nothing and get 403. Open
figures are told over loopback only to who calls the port by a loopback name or address, or brings the admin token.

\`/agents/{name}/...\`, which is not listed, passes any HTTP request on to an agent as if it had come to its hostname. It takes
the admin token, serves no WebSocket, and keeps tokens and cookies from the agent.`;

/** Must be registered before the routes: it hears of each as it is added. */
export async function openapi(app: App, version: string): Promise<void> {
  app.addSchema(PROBLEM);
  app.addSchema(EventBody);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Reveille', description: ABOUT, version },
      tags: [
        { name: 'agents', description: 'Agents, and when they sleep' },
        { name: 'services', description: 'Hostnames that agents register' },
        { name: 'self', description: 'What an agent may ask about itself' },
        { name: 'operation', description: 'The daemon itself' },
      ],
      components: {
        securitySchemes: {
          admin: { type: 'http', scheme: 'bearer', description: 'The admin token' },
          agent: { type: 'http', scheme: 'bearer', description: 'The token of an agent; it speaks for that agent only' },
        },
      },
    },
    // Passed on to agents: what they answer is theirs to describe.
    transform: ({ schema, url, route }) => ({ schema: route.config?.streams === true ? { ...schema, hide: true } : schema, url }),
    refResolver: { buildLocalReference: ({ $id }) => String($id as unknown) },
  });
}

export function openapiRoutes(app: App): void {
  app.get(
    '/openapi.json',
    call({
      access: 'admin',
      id: 'getOpenApi',
      tag: 'operation',
      summary: 'This document',
      replies: { 200: Type.Object({}, { additionalProperties: true }) },
    }),
    (_request, reply) => reply.type('application/json; charset=utf-8').send(JSON.stringify(app.swagger())),
  );
}
