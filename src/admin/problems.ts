import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEMS, Problem, type ProblemCode, problemBody } from '../contract/problems.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Answer } from '../runtime/control.ts';
import { Violation } from '../std/assert.ts';

/**
 * The one place where the internal port says no. Whatever was thrown, by us, by Fastify or by Node's parser, leaves here as
 * application/problem+json (RFC 9457) with a code of the table.
 */
export interface Refuser {
  /** Fastify's error handler. */
  readonly refuse: (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;
  /** Node could not read a request: there is no request to answer, only a socket. */
  readonly refuseSocket: (error: NodeJS.ErrnoException, socket: Socket) => void;
}

/** Sent with every answer: nothing is stored, and no web page may frame, load or guess at what is here. */
export const FIXED_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
};

/** The value of an answer of the runtime, or its refusal thrown as the problem it names. */
export function valueOf<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value;
  const { problem, detail, extra, retryAfterSeconds } = answer.failure;
  throw new Problem(problem, detail, extra, retryAfterSeconds);
}

/** `busy` says whether an answer is under way on the socket: nothing may be written into the middle of it. */
export function refuser(log: Log, metrics: Metrics, busy: (socket: Socket) => boolean): Refuser {
  return {
    refuse: (error, request, reply) => {
      // A broken promise of ours is not ours to survive: main ends the daemon (exit 70). The caller still gets an answer.
      if (error instanceof Violation) {
        queueMicrotask(() => {
          throw error;
        });
      }
      const problem = problemOf(error);
      if (problem.code === 'internal-error') {
        log.error('a call of the internal port failed', { requestId: request.id, url: pathOf(request), error });
      }
      metrics.counter('refused_total', { problem: problem.code }).add(1);
      if (problem.retryAfterSeconds !== null) void reply.header('retry-after', String(problem.retryAfterSeconds));
      if (problem.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer');
      // A body that we have not asked for must not be read to its end, however long it is. The client sees the answer and
      // the end of the connection.
      if (!request.raw.complete && hasBody(request)) void reply.header('connection', 'close');
      void reply
        .code(PROBLEMS[problem.code].status)
        .headers({ ...FIXED_HEADERS, 'x-request-id': request.id })
        .type('application/problem+json')
        // Bytes, since Fastify adds a charset to text, which this media type does not have.
        .send(Buffer.from(JSON.stringify(problemBody(problem.code, request.id, problem.message, problem.extra))));
    },
    refuseSocket: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable || busy(socket)) {
        socket.destroy();
        return;
      }
      const code = SOCKET_PROBLEMS[error.code ?? ''] ?? 'bad-request';
      metrics.counter('refused_total', { problem: code }).add(1);
      socket.end(rawAnswer(code, randomUUID()), () => socket.destroy());
    },
  };
}

const SOCKET_PROBLEMS: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
};

function rawAnswer(code: ProblemCode, id: string): string {
  const body = JSON.stringify(problemBody(code, id));
  const { status, title } = PROBLEMS[code];
  const headers = {
    ...FIXED_HEADERS,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    'x-request-id': id,
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${title}\r\n${lines.join('')}\r\n${body}`;
}

const FASTIFY_PROBLEMS: Readonly<Record<string, readonly [ProblemCode, string?]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body-too-large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['bad-request', 'The body is not as long as Content-Length says'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid-body', 'The body is not valid JSON, or has a key __proto__ or constructor.prototype'],
  FST_ERR_BAD_URL: ['bad-request', 'The path has an invalid percent-encoding'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri-too-long'],
};

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (!(error instanceof Error)) return new Problem('internal-error');
  const { code, validation, validationContext, statusCode } = error as Partial<FastifyError>;
  if (validation !== undefined) return invalid(validation[0], validationContext);
  const [known, detail] = FASTIFY_PROBLEMS[code ?? ''] ?? [];
  if (known !== undefined) return new Problem(known, detail);
  // Fastify and its plugins mark what is the caller's fault; their words are not ours to pass on.
  const isCallers = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  return new Problem(isCallers ? 'bad-request' : 'internal-error');
}

type Complaint = NonNullable<FastifyError['validation']>[number];

/** Names the field first, so that a caller who reads one word knows where to look. The value is not repeated. */
function invalid(complaint: Complaint | undefined, part: string | undefined): Problem {
  const code: ProblemCode = part === 'body' ? 'invalid-body' : part === 'querystring' ? 'invalid-query' : 'bad-request';
  if (complaint === undefined) return new Problem(code);
  const { keyword, params, instancePath, message = 'is not valid' } = complaint;
  const at = instancePath.slice(1).replaceAll('/', '.');
  const field = (name: unknown): string => (at === '' ? String(name) : `${at}.${String(name)}`);
  if (keyword === 'required') return new Problem(code, `${field(params['missingProperty'])}: is missing`);
  if (keyword === 'additionalProperties') {
    return new Problem(code, `${field(params['additionalProperty']).slice(0, 100)}: is not known here`);
  }
  if (keyword === 'enum') return new Problem(code, `${at}: must be one of ${(params['allowedValues'] as string[]).join(', ')}`);
  return new Problem(code, `${at === '' ? 'The body' : `${at}:`} ${message}`);
}

/** Without the query, which is the caller's own. */
/** Never the query string: whoever calls may have put a secret there. */
export const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '';

/** Whether the head announces a body (RFC 9112 section 6.3). */
export function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}
