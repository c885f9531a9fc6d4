import type { IncomingMessage } from 'node:http';
import type { FastifyError, FastifyInstance, FastifySchema } from 'fastify';
import { Check } from 'typebox/value';
import type { TSchema } from 'typebox';
import { DaemonError } from '../kit/daemon-error.ts';
import { BusError } from './bus-error.ts';

/**
 * How the world speaks HTTP: every refusal is `{"error": text}`, with the original's text where it has one. Bodies are
 * checked as they are; nothing is coerced, so that "3" and true are no numbers.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  /** Beside the error in the body. */
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(status: number, text: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(text);
    this.status = status;
    this.facts = facts;
  }
}

/** The refusal of a body is an annotation of its schema, beside what is asked of it. */
export interface Refused {
  readonly refusal: string;
}

const OUTAGE_SAID_EVERY_MS = 60_000;
/** What is read, and for how long, of a body that is refused for its length. */
const REST_BYTES_MAX = 8 * 1024 * 1024;
const REST_MS = 2000;

/** Routes that `add` brings speak as above; those of the kit beside them stay as they are. */
export function serveWorld(http: FastifyInstance, add: (http: FastifyInstance) => void): void {
  http.register(async (world) => {
    world.setValidatorCompiler<FastifySchema & Partial<Refused>>(({ schema }) => (value) => {
      if (Check(schema as TSchema, value)) return { value };
      return {
        error: new Refusal(400, (schema as Partial<Refused>).refusal ?? 'the request is not of the form that is asked for'),
      };
    });
    let saidMs = Number.NEGATIVE_INFINITY;
    world.setErrorHandler(async (error: FastifyError, request, reply) => {
      const { status, text, facts } = refusalOf(error);
      // Whoever keeps asking while memcached is away must not fill the disk with it.
      if (status === 500 || (status > 500 && performance.now() - saidMs >= OUTAGE_SAID_EVERY_MS)) {
        if (status > 500) saidMs = performance.now();
        request.log.error({ err: error, method: request.method, url: request.url }, 'request failed');
      }
      if (status === 413) await readAway(request.raw);
      return reply.code(status).send({ error: text, ...facts });
    });
    world.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found' }));
    // What is no JSON is no body: the schema says what should have come instead.
    const parse = world.getDefaultJsonParser('error', 'error');
    world.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, text, done) => {
      void parse(request, text, (error, value: unknown) => done(null, error === null ? value : undefined));
    });
    world.addContentTypeParser('*', { parseAs: 'string' }, (_request, _text, done) => done(null));
    world.addHook('onRequest', async (_request, reply) => {
      reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    });
    add(world);
  });
}

/**
 * A connection that is closed while bytes still come in is reset, and takes the answer with it. So the caller is let finish,
 * within bounds; who goes on beyond them has no answer.
 */
function readAway(body: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (body.readableEnded || body.destroyed) return resolve();
    let bytes = 0;
    const late = setTimeout(resolve, REST_MS);
    body.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > REST_BYTES_MAX) resolve();
    });
    body.once('close', () => {
      clearTimeout(late);
      resolve();
    });
    body.once('end', resolve);
    body.resume();
  });
}

function refusalOf(error: FastifyError): { status: number; text: string; facts: Readonly<Record<string, unknown>> } {
  // Fastify wraps what a validator reports only by adding fields to it.
  if (error instanceof Refusal) return { status: error.status, text: error.message, facts: error.facts };
  if (error instanceof BusError) return { status: 503, text: 'memcached unavailable', facts: {} };
  // The original asks Docker where this one asks the daemon. What clients look for in the text stays.
  if (error instanceof DaemonError) return { status: 503, text: `Docker API unavailable: ${error.message}`, facts: {} };
  const status = error.statusCode ?? 500;
  return { status, text: status < 500 ? error.message : 'this part of the world made a mistake', facts: {} };
}
