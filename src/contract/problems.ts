/**
 * Every way in which Reveille says no, once. The table drives the replies (RFC 9457), the exit codes of the command line
 * and docs/problems.md. `user` is what the caller does next, `operator` what whoever runs the daemon does.
 */
export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly user: string;
  readonly operator: string;
}

const p = (status: number, title: string, user: string, operator: string): ProblemKind => ({ status, title, user, operator });

// One row a line, to be read as a table.
// prettier-ignore
export const PROBLEMS = {
  // The public port: what a caller sent.
  'bad-host': p(400, 'The Host header is missing, repeated or malformed', 'Send exactly one valid Host header.', 'Look for a broken client or a scanner; nothing to mend here.'),
  'bad-request': p(400, 'The request is malformed', 'Mend the request as the detail says.', 'Look for a broken client or a scanner; nothing to mend here.'),
  'unknown-host': p(404, 'No agent answers to this hostname', 'Check the address.', 'Add the hostname to an agent, or see why its route is gone: `reveille routes`.'),
  'method-not-allowed': p(405, 'This method is not served', 'Use another method.', 'Nothing: CONNECT and TRACE are never proxied.'),
  'request-timeout': p(408, 'The request did not arrive in time', 'Send the request again, without pauses.', 'Raise limits.body_idle when honest uploads are slower than that.'),
  'uri-too-long': p(414, 'The request target is too long', 'Shorten the address, or send the data in a body.', 'Raise limits.uri_bytes when an agent needs it.'),
  'expectation-failed': p(417, 'The expectation cannot be met', 'Send no Expect header but 100-continue.', 'Nothing.'),
  'headers-too-large': p(431, 'The header section is too large', 'Send fewer or shorter headers; clearing cookies often helps.', 'Raise limits.header_bytes or limits.header_lines when an agent needs it.'),
  'unsupported-transfer-coding': p(501, 'This transfer coding is not served', 'Send the body as chunked or with a Content-Length.', 'Nothing.'),
  'http-version': p(505, 'This HTTP version is not served', 'Speak HTTP/1.1.', 'Let the front speak HTTP/1.1 to the daemon.'),
  // The public port: what became of it.
  'upstream-refused': p(502, 'The agent refused the connection', 'Try again in a moment.', 'See that the agent listens on its PORT and on the right address.'),
  'upstream-broken': p(502, 'The agent broke off the connection', 'Try again; the request may have been carried out.', "Read the agent's log: it closed a connection with a request on it."),
  'upstream-invalid': p(502, 'The agent answered something that is not HTTP', 'Tell whoever runs the agent.', "Read the agent's log; the log line of this request says what was wrong."),
  'upstream-timeout': p(504, 'The agent did not answer in time', 'Try again later.', 'See why the agent hangs, or raise limits.connect or limits.first_byte.'),
  'in-flight-limit': p(503, 'The agent has too many requests open', 'Try again in a moment.', 'Raise limits.in_flight, or give the agent more replicas.'),
  'connection-limit': p(503, 'Too many connections are open', 'Try again in a moment.', 'Raise limits.connections and the process limit of open files.'),
  'draining': p(503, 'The daemon is shutting down', 'Try again in a moment.', 'Nothing: this ends with the shutdown.'),
  'capacity': p(503, 'Too many agents are awake', 'Try again when Retry-After says so.', 'Raise max_ready_agents, or see who keeps the others awake: `reveille agents`.'),
  'kept-asleep': p(503, 'The agent is kept asleep', 'Ask whoever runs it.', 'Lift the override: `reveille keep <name> --lift`.'),
  'hold-queue-full': p(503, 'Too many requests wait for the agent', 'Try again when Retry-After says so.', 'Raise hold.max_requests of the agent, or hold_max_requests.'),
  'wake-limit': p(429, 'You have woken agents too often', 'Try again when Retry-After says so.', 'Raise wake_limits.per_client; where all callers look like one, see trusted_proxies.'),
  'wake-limit-total': p(503, 'Agents were woken too often', 'Try again when Retry-After says so.', 'See who wakes them in the log of requests, and raise wake_limits.total where it is honest.'),
  'engine-unavailable': p(503, 'What runs the agents cannot be reached', 'Try again in a moment.', 'See `reveille status` for the engine, and the log for `engine lost`.'),
  // The internal port.
  'invalid-body': p(400, 'The request body is not what this call takes', 'Mend the body as the detail says; /openapi.json has the schema.', 'Nothing.'),
  'invalid-query': p(400, 'The query string is not what this call takes', 'Mend the query as the detail says; /openapi.json has the schema.', 'Nothing.'),
  'invalid-hostname': p(400, 'This is not a hostname that can be registered', 'Send a plain DNS name, without scheme, port or wildcard.', 'Nothing.'),
  'invalid-target': p(400, 'This is not a target', 'Send `:port` or an http URL whose host is the agent itself.', 'Nothing.'),
  'replicas-out-of-range': p(400, 'So many replicas are not allowed', 'Ask for 1 up to the replicas_max of the agent.', "Raise the agent's replicas_max."),
  'task-required': p(400, 'Which task is asking cannot be told', 'Send X-Reveille-Task with $REVEILLE_TASK_ID.', 'Nothing.'),
  'unauthorized': p(401, 'A valid bearer token is wanted', 'Send `Authorization: Bearer <token>`.', 'The admin token is where the start-up line says; `reveille token <agent>` prints an agent\'s.'),
  'forbidden': p(403, 'This token does not allow that', 'Use the admin token, or ask about your own agent.', 'Nothing.'),
  'foreign-target': p(403, 'The target is not the agent itself', 'Register only ports that your own task listens on.', 'If it was not a mistake, see what the agent is doing.'),
  'hostname-not-allowed': p(403, 'The agent may not register this hostname', 'Register a name under one of your domains; `GET /api/self` lists them.', "Add the name to the agent's domains."),
  'not-your-task': p(403, 'This is not a live task of the agent', 'Send your own $REVEILLE_TASK_ID.', 'If it was not a mistake, see what the agent is doing.'),
  'not-found': p(404, 'There is nothing here', 'Check the path; /openapi.json lists them all.', 'Nothing.'),
  'unknown-agent': p(404, 'There is no such agent', 'Check the name: `reveille agents`.', 'Nothing.'),
  'unknown-service': p(404, 'No such hostname is registered', 'Check the hostname: `reveille routes`.', 'Nothing.'),
  'unknown-task': p(404, 'The agent has no such task', 'List the tasks with `GET /api/self`.', 'Nothing.'),
  'hostname-taken': p(409, 'The hostname is held by another', 'Choose another hostname.', 'See who holds it: `reveille routes`.'),
  'agent-asleep': p(409, 'The agent is not awake', 'Register from a running task.', 'Nothing.'),
  'agent-exists': p(409, 'An agent of this name exists', 'Choose another name.', 'Nothing.'),
  'agent-from-file': p(409, 'This agent is defined in the config file', 'Remove it from the config file and reload.', 'Nothing.'),
  'not-on-demand': p(409, 'The agent is not on-demand', 'Wake and sleep are for on-demand agents only.', 'Change its policy in the config file.'),
  'override-in-place': p(409, 'The agent is kept as it is', 'Lift the override first: `reveille keep <name> --lift`.', '`reveille agent <name>` shows since when, and until when.'),
  'last-task': p(409, 'This is the last task', 'Let the agent sleep instead, or ask with ?replace=true.', 'Nothing.'),
  'task-elsewhere': p(409, "The task runs on a node that is not this engine's", 'Scale instead.', 'Run the daemon on that node, or scale the service.'),
  'body-too-large': p(413, 'The request body is too large', 'Send at most 1 MiB.', 'Nothing.'),
  'unsupported-media-type': p(415, 'This content type is not taken', 'Send application/json.', 'Nothing.'),
  'config-invalid': p(422, 'The config file has mistakes; nothing was changed', 'Mend every complaint listed.', 'Run `reveille check FILE` before you reload.'),
  'route-limit': p(429, 'Too many hostnames are registered', 'Remove a route, or let it expire.', 'See what registers them: `reveille routes`.'),
  'not-ready': p(503, 'The daemon is not ready', 'Try again in a moment.', 'See the detail, and `reveille status`.'),
  'reader-limit': p(503, 'Too many readers of this stream', 'Close another reader first, or come back later.', 'See who reads /admin/events, or the /.reveille/state of an agent.'),
  'wake-timeout': p(504, 'The agent did not become ready', 'See why with `reveille agent <name>`, then ask again; a start that is under way goes on.', 'See the problem of the agent: `reveille agent <name>`.'),
  'internal-error': p(500, 'The daemon made a mistake', 'Try again later.', 'Report the log line that has this request id.'),
  'state-failed': p(500, 'The daemon could not write to its state_dir; nothing was changed', 'Try again later.', 'Free disk space or mend the permissions of state_dir.'),
} as const satisfies Readonly<Record<string, ProblemKind>>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Why an agent is not what it should be: `problem` in the views of an agent, never a reply of its own. */
// prettier-ignore
export const AGENT_PROBLEMS = {
  'startup-timeout': { title: 'It did not become healthy within health.startup_timeout', operator: "See the agent's log, its health.path, and that it listens on PORT." },
  'exited': { title: 'Its process ended by itself', operator: "See the last lines of the agent's log." },
  'start-failed': { title: 'It could not be started', operator: 'See the detail: usually a command, a working directory or a Swarm service that is not there.' },
  'health-failed': { title: 'Its health checks fail', operator: "See the agent's log and its health.path." },
  'thaw-failed': { title: 'It could not be thawed', operator: 'See the detail; it is stopped and, where somebody waits, started anew.' },
  'stop-failed': { title: 'It could not be stopped', operator: 'End it by hand; the daemon goes on asking.' },
  'engine-unavailable': { title: 'What runs it cannot be reached', operator: 'See `reveille status` for the engine.' },
} as const;

export type AgentProblemCode = keyof typeof AGENT_PROBLEMS;

/** Exit codes of `reveille`, after sysexits(3) where it has one. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 69, violation: 70, stateDirInUse: 75, badConfig: 78 } as const;

const TYPE_BASE = 'https://reveille.dev/problems/';

/** The `type` member of RFC 9457; it identifies the problem and ends in its code. It need not resolve. */
export const problemType = (code: ProblemCode): string => TYPE_BASE + code;

/** Thrown at an edge, turned into `application/problem+json` there. `detail` is shown to the caller: no secrets in it. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  /** Members beyond RFC 9457's own, such as `complaints`. */
  readonly extra: Readonly<Record<string, unknown>>;

  readonly retryAfterSeconds: number | null;

  constructor(
    code: ProblemCode,
    detail?: string,
    extra: Readonly<Record<string, unknown>> = {},
    retryAfterSeconds: number | null = null,
  ) {
    super(detail ?? PROBLEMS[code].title);
    this.code = code;
    this.extra = extra;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The body of a problem reply (RFC 9457 section 3). `instance` is the request id. */
export function problemBody(
  code: ProblemCode,
  instance: string,
  detail?: string,
  extra: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const { status, title } = PROBLEMS[code];
  return {
    type: problemType(code),
    title,
    status,
    ...(detail === undefined || detail === title ? {} : { detail }),
    instance,
    ...extra,
  };
}
