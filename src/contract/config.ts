import Type, { type Static, type TSchema } from 'typebox';
import type { Millis } from '../std/time.ts';
import { POLICIES } from './events.ts';
import type { Rate } from './units.ts';

/**
 * The one schema of orchestrator.yaml. Defaults live here and nowhere else. What has a default is `required` all the same:
 * defaults are filled in before the check, so the derived type has no holes. Durations, sizes and paths
 * are text in the file (`30s`, `32KB`, `./secret`); after loading they are milliseconds, bytes and absolute. Their formats say
 * which is which and the derived type carries the unit.
 */
const duration = (fallback: string, description: string) =>
  Type.Unsafe<Millis>({ type: 'string', format: 'duration', default: fallback, description });
const positiveDuration = (fallback: string, description: string) =>
  Type.Unsafe<Millis>({ type: 'string', format: 'positive-duration', default: fallback, description });
const path = (description: string) => Type.String({ format: 'path', description });
const size = (fallback: string, description: string) =>
  Type.Unsafe<number>({ type: 'string', format: 'size', default: fallback, description });
/** A union of literals made with `map` would do the same, and leave `never` as the derived type. */
const oneOf = <T extends string>(names: readonly T[], fallback: T, description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: [...names], default: fallback, description });
const nullable = <T extends TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { default: null, description });
const strict = { additionalProperties: false } as const;
const section = <T extends Record<string, TSchema>>(properties: T, description: string) =>
  Type.Object(properties, { ...strict, default: {}, description });

export const HealthConfig = Type.Object(
  {
    path: Type.Union([Type.String({ pattern: '^/' }), Type.Null()], {
      default: '/api/health',
      description: 'Path of the health check; null means that a TCP connect is enough',
    }),
    url: nullable(Type.String({ format: 'http-url' }), 'Ask this address instead of each task (for backends that are not tasks)'),
    check_interval: positiveDuration('30s', 'Time between two checks of a task that is up'),
    startup_timeout: positiveDuration('60s', 'A start that is not healthy by then has failed'),
    timeout: positiveDuration('5s', 'Longest wait for one check'),
    max_failures: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 3,
      description: 'Failed checks in a row after which a task is not well',
    }),
    max_restart_attempts: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 5,
      description: 'Failed starts in a row after which the agent is degraded',
    }),
    expect: Type.Array(Type.String({ pattern: '^[1-5][0-9]{2}(-[1-5][0-9]{2})?$' }), {
      minItems: 1,
      default: ['200-399'],
      description: 'Status codes that mean healthy',
    }),
    intercept: Type.Boolean({
      default: true,
      description: 'The daemon itself answers GET /api/health on the hostnames of the agent',
    }),
  },
  strict,
);
export type HealthConfig = Static<typeof HealthConfig>;

export const IdleConfig = Type.Object(
  {
    timeout: positiveDuration('30m', 'Without activity for this long an on-demand agent is put to sleep'),
    drain_timeout: duration('30s', 'How long open work may hold up a sleep by admin, a restart or a removal'),
    wake_cooldown: duration('0s', 'A wake this soon after falling asleep waits until it is over'),
    websocket: oneOf(['open', 'data'], 'open', 'open: an open WebSocket is activity; data: only its data frames are'),
    busy_max: positiveDuration('1h', 'Longest busy lease an agent may take at a time'),
    freeze_after: Type.Union([positiveDuration('1m', ''), Type.Null()], {
      default: null,
      description:
        'Without activity for this long it is frozen: memory kept, no CPU, thawed by the next request in milliseconds; shorter than `timeout`. null: never',
    }),
    min_awake: duration('30s', 'Awake for less than this it is not put to sleep for want of a place (max_ready_agents)'),
  },
  strict,
);
export type IdleConfig = Static<typeof IdleConfig>;

/** Calm enough for anybody's logo. */
export const ACCENT = '#3a6ea5';

export const PageConfig = Type.Object(
  {
    title: nullable(
      Type.String({ format: 'title' }),
      'What the waiting page calls the agent; by default its name in this file, so give one where that name is not for strangers',
    ),
    logo: nullable(
      path('A file'),
      'Picture above it: SVG, PNG, JPEG, WebP or GIF of at most 64 KB, read when the config is. Where it cannot be had the log says so, and the page does without',
    ),
    // Without null on purpose: `accent: #0a7` without quotes is a comment to YAML, and would be taken for "none" in silence.
    accent: Type.String({
      format: 'colour',
      default: ACCENT,
      description:
        'Colour of the progress bar, in quotes: `"#0a7"` or `"#00aa77"`. Made lighter or darker where it would not be seen',
    }),
  },
  strict,
);
export type PageConfig = Static<typeof PageConfig>;
const LIST_MAX = 100;
/** In the file one of them may stand without the list. */
const listOf = <T extends TSchema>(item: T, description: string) =>
  Type.Array(item, { minItems: 1, maxItems: LIST_MAX, description });

export const IgnoreRule = Type.Object(
  {
    path: Type.Optional(
      listOf(
        Type.String({ format: 'path-pattern' }),
        'One or a list: a path without its query as it is sent, or its beginning and `*`',
      ),
    ),
    method: Type.Optional(listOf(Type.String({ format: 'method' }), 'One or a list')),
    user_agent: Type.Optional(
      Type.String({
        format: 'regex',
        description: 'Regular expression that fits somewhere in User-Agent, in any case of letters',
      }),
    ),
    header: Type.Optional(
      Type.Object(
        {
          name: Type.String({ format: 'header-name', description: 'A header line that the agent is given' }),
          value: nullable(Type.String({ format: 'regex' }), 'As user_agent, for its value; null: it is there'),
        },
        { ...strict, description: 'One header line' },
      ),
    ),
    cidr: Type.Optional(listOf(Type.String({ format: 'cidr' }), "One or a list, for the client's address")),
    answer: Type.Optional(
      Type.Object(
        {
          status: Type.Integer({ minimum: 200, maximum: 599, default: 204, description: 'Its status code' }),
          body: Type.String({
            format: 'answer-body',
            default: '',
            description: 'Text; where it is a JSON object it is sent as application/json',
          }),
        },
        { ...strict, description: 'What is answered while the agent is not awake; left out: the 503 of a sleeping agent' },
      ),
    ),
  },
  { ...strict, description: 'Fits what fits all that it says' },
);
export type IgnoreRule = Static<typeof IgnoreRule>;

const ignoreRules = (description: string) =>
  Type.Array(IgnoreRule, { maxItems: LIST_MAX, default: [], description: `${description}, at most ${LIST_MAX}` });

export const AgentIgnoreConfig = Type.Object(
  {
    defaults: nullable(
      Type.Boolean(),
      'Whether the default set counts for this agent; null: as in the `ignore` of the top level',
    ),
    rules: ignoreRules('Rules of this agent, looked at before those of the top level'),
  },
  strict,
);
export type AgentIgnoreConfig = Static<typeof AgentIgnoreConfig>;

const rate = (fallback: string, description: string) =>
  Type.Union([Type.Unsafe<Rate>({ type: 'string', format: 'rate' }), Type.Null()], { default: fallback, description });

export const ON_SLEEPING = ['auto', 'refuse', 'hold', 'page'] as const;
export type OnSleeping = (typeof ON_SLEEPING)[number];

export const HoldConfig = Type.Object(
  {
    max_wait: positiveDuration('60s', 'Longest time a request is held; then it is answered 504'),
    max_requests: Type.Integer({ minimum: 1, maximum: 1000000, default: 100, description: 'Requests held at a time' }),
    max_body_buffer: size('64KB', 'Of the body of a held request this much is read; the rest waits with the client'),
    prefer_below: duration(
      '2s',
      'auto: where nine of ten starts take less than this, every request is held, also those of a browser that would see the page',
    ),
  },
  strict,
);

export const AGENT_NAME = '^[a-z0-9][a-z0-9-]{0,62}$';
export const VARIABLE_NAME = '^[A-Za-z_][A-Za-z0-9_]*$';

export const AgentConfig = Type.Object(
  {
    hostname: Type.String({ format: 'host-pattern', description: 'The hostname, or `*.suffix`, that reaches the agent' }),
    hostnames: Type.Array(Type.String({ format: 'host-pattern' }), { default: [], description: 'More of them' }),
    policy: oneOf(
      POLICIES,
      'on-demand',
      'on-demand: asleep until called; always-on: kept alive; unmanaged: routed, never touched',
    ),
    backend: nullable(
      Type.String({ format: 'http-url' }),
      'Where it listens. swarm: `http://tasks.<service>:port`; process: a fixed port, or leave it out. Needed where something that the command did not start opens the port, as Docker does for `docker run -p`',
    ),
    container: Type.Optional(
      Type.Object(
        { name: Type.String({ minLength: 1, description: 'The Swarm service' }) },
        { ...strict, description: 'What runs it, where the engine is swarm' },
      ),
    ),
    process: Type.Optional(
      Type.Object(
        {
          command: Type.Array(Type.String(), { minItems: 1, description: 'Program and arguments; no shell' }),
          cwd: Type.String({ format: 'path', default: '.', description: 'Working directory, relative to the config file' }),
          env: Type.Record(Type.String({ pattern: VARIABLE_NAME }), Type.String(), {
            ...strict,
            default: {},
            description: 'Added to the environment',
          }),
        },
        { ...strict, description: 'What runs it, where the engine is process' },
      ),
    ),
    replicas: Type.Integer({ minimum: 1, maximum: 1000, default: 1, description: 'Tasks that a wake asks for' }),
    replicas_max: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 1,
      description: 'How far the agent may scale itself; where it is left out, as far as `replicas`',
    }),
    health: Type.Object(HealthConfig.properties, { ...strict, default: {}, description: 'How to tell that it is well' }),
    idle: Type.Object(IdleConfig.properties, { ...strict, default: {}, description: 'When it sleeps' }),
    page: Type.Object(PageConfig.properties, { ...strict, default: {}, description: 'How its waiting page looks' }),
    ignore: Type.Object(AgentIgnoreConfig.properties, {
      ...strict,
      default: {},
      description: 'Requests that neither wake it nor keep it awake',
    }),
    on_sleeping: oneOf(
      ON_SLEEPING,
      'auto',
      'What a caller meets while it is not awake. refuse: 503 with Retry-After; hold: the request waits; page: the waiting page; auto: what fits the caller',
    ),
    hold: Type.Object(HoldConfig.properties, { ...strict, default: {}, description: 'Requests that wait for it' }),
    pin: Type.Boolean({ default: false, description: 'Never put to sleep for want of a place (max_ready_agents)' }),
    domains: Type.Array(Type.String({ format: 'host-pattern' }), { default: [], description: 'Hostnames it may register' }),
    token_file: nullable(path('A file'), 'File with its token; by default it is derived from the secret'),
  },
  strict,
);
export type AgentConfig = Static<typeof AgentConfig>;

export const ConfigFile = Type.Object(
  {
    listen: Type.String({
      format: 'listen',
      default: ':8080',
      description: 'The public port; the only one a tunnel may point at',
    }),
    admin_listen: Type.String({ format: 'listen', default: '127.0.0.1:9180', description: 'The internal port' }),
    admin_token: Type.Optional(Type.String({ pattern: '^[!-~]+$', description: 'Bearer token of the operator' })),
    admin_token_file: Type.Optional(path('File that holds the bearer token of the operator')),
    secret_file: nullable(path('A file'), 'Secret that agent tokens are derived from; default state_dir/secret'),
    engine: oneOf(['process', 'swarm'], 'process', 'What runs the agents'),
    swarm: section(
      {
        network: nullable(
          Type.String({ minLength: 1 }),
          'Overlay network that tasks are reached on; default: the one shared with the daemon',
        ),
        socket: nullable(Type.String({ minLength: 1 }), 'Docker socket; default: DOCKER_HOST, else /var/run/docker.sock'),
      },
      'Docker Swarm',
    ),
    state_dir: Type.String({
      format: 'path',
      default: '.reveille',
      description: "The daemon's memory; relative to the config file",
    }),
    max_ready_agents: Type.Integer({
      minimum: 0,
      maximum: 1000000,
      default: 0,
      description:
        'On-demand agents that may be awake at a time, those that start and stop included; a wake over it first puts the one to sleep that was idle longest. 0: no cap',
    }),
    hold_max_requests: Type.Integer({
      minimum: 1,
      maximum: 1000000,
      default: 1000,
      description: 'Requests held at a time, for all agents together',
    }),
    trusted_proxies: Type.Array(Type.String({ format: 'cidr' }), {
      default: ['loopback'],
      description: 'Peers whose forwarding headers are believed: CIDRs, loopback, private',
    }),
    log: section(
      {
        level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], 'info', 'Least severe line that is written'),
        requests: oneOf(['all', 'errors', 'none'], 'errors', 'Which requests get a line; errors: 5xx'),
      },
      'What is written to the log',
    ),
    metrics: section(
      {
        auth: oneOf(['auto', 'bearer', 'none'], 'auto', 'auto: bearer unless admin_listen is loopback'),
      },
      'Who may read /metrics',
    ),
    limits: section(
      {
        header_bytes: size('32KB', 'Request head, all lines together'),
        header_lines: Type.Integer({ minimum: 10, maximum: 10000, default: 200, description: 'Header lines of a request' }),
        uri_bytes: size('8KB', 'Request target'),
        connections: Type.Integer({
          minimum: 1,
          maximum: 1000000,
          default: 10000,
          description: 'Open connections on the public port',
        }),
        in_flight: Type.Integer({
          minimum: 1,
          maximum: 1000000,
          default: 1000,
          description: 'Requests open at a time, per agent',
        }),
        connect: positiveDuration('2s', 'Longest wait for a connection to an agent'),
        first_byte: positiveDuration(
          '10m',
          'Longest wait for the head of a response, and longest time an agent may take no byte of a WebSocket',
        ),
        body_idle: positiveDuration(
          '60s',
          'Longest pause of a request body, and longest time a client may take no byte of an answer or a WebSocket',
        ),
        keep_alive: positiveDuration('125s', 'How long an idle client connection is kept; longer than the front keeps its own'),
        upstream_idle: duration('4s', 'How long an idle connection to an agent is kept; shorter than the agent keeps its own'),
      },
      'Limits of the public port',
    ),
    ignore: section(
      {
        defaults: Type.Boolean({
          default: true,
          description: 'Whether the default set counts: uptime monitors, link previews, /robots.txt, /favicon.ico',
        }),
        rules: ignoreRules('Rules of all agents'),
      },
      'Requests that neither wake an agent nor keep it awake',
    ),
    wake_limits: section(
      {
        per_client: rate('60/m', 'Wakes that one client may cause, by address (IPv6: by /64); null: any number'),
        total: rate('600/m', 'Wakes that all clients together may cause; null: any number'),
      },
      'How often clients may wake agents; requests to agents that are awake do not count',
    ),
    shutdown: section(
      { drain_timeout: duration('30s', 'Longest wait for open work when the daemon ends') },
      'How the daemon ends',
    ),
    defaults: section(
      {
        health: Type.Partial(HealthConfig, { ...strict, default: {}, description: 'As agents.*.health' }),
        idle: Type.Partial(IdleConfig, { ...strict, default: {}, description: 'As agents.*.idle' }),
      },
      'Merged under every agent',
    ),
    agents: Type.Record(Type.String({ pattern: AGENT_NAME }), AgentConfig, {
      ...strict,
      description: 'The agents by name',
    }),
  },
  { ...strict, $id: 'orchestrator.yaml' },
);
/** The file after loading: defaults filled in, durations in milliseconds, sizes in bytes, paths absolute. */
export type Config = Static<typeof ConfigFile>;
