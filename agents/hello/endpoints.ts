import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import type { Agent } from '../kit/agent.ts';

/** What can be asked of hello with curl, one kind of work each. The page uses them too. */
export function serveEndpoints(agent: Agent): void {
  serveEcho(agent);
  serveSlow(agent);
  serveClock(agent);
  agent.webSocket('/ws', (socket) => {
    socket.on('message', (message, binary) => socket.send(message, { binary }));
  });

  const startedAt = new Date().toISOString();
  agent.http.get('/whoami', async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({
      agent: agent.environment.agent,
      task: agent.environment.task,
      pid: process.pid,
      started_at: startedAt,
    }),
  );
  // Only for tests: anybody who can reach the page could end the process with it.
  if (process.env['HELLO_TEST'] === '1') agent.http.all('/crash', () => process.exit(1));
}

/** Whatever was sent, as it arrived: for looking at what a proxy does to a request. Bodies up to 1 MiB. */
function serveEcho(agent: Agent): void {
  // A plugin of its own, so that only here the body is left unparsed whatever its type.
  agent.http.register(async (http) => {
    http.removeAllContentTypeParsers();
    http.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    http.all('/echo', async (request, reply) => reply.header('cache-control', 'no-store').send(echoOf(request)));
  });
}

function echoOf(request: FastifyRequest) {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  return {
    method: request.method,
    url: request.url,
    http_version: request.raw.httpVersion,
    headers: request.headers,
    // Name, value, name, value: order, case and repeats as on the wire, which `headers` does not keep.
    raw_headers: request.raw.rawHeaders,
    body_bytes: body.byteLength,
    ...(isUtf8(body) ? { body: body.toString('utf8') } : { body_base64: body.toString('base64') }),
  };
}

const SlowQuery = Type.Object({ seconds: Type.Number({ minimum: 0.1, maximum: 3600, default: 30 }) });
const LINES_PER_SECOND = 10;
const LINE_BYTES = 64;

/** A download that takes `seconds`. Its length is said beforehand, so that one that was cut short is known for what it is. */
function serveSlow(agent: Agent): void {
  agent.http.get<{ Querystring: Static<typeof SlowQuery> }>(
    '/slow',
    { schema: { querystring: SlowQuery }, exposeHeadRoute: false },
    (request, reply) => {
      const lines = Math.ceil(request.query.seconds * LINES_PER_SECOND);
      return reply
        .header('content-type', 'text/plain; charset=utf-8')
        .header('content-length', lines * LINE_BYTES)
        .header('cache-control', 'no-store')
        .header('content-disposition', 'inline; filename="slow.txt"')
        .send(Readable.from(slowLines(lines), { objectMode: false }));
    },
  );
}

async function* slowLines(lines: number): AsyncGenerator<string> {
  for (let line = 1; line <= lines; line += 1) {
    yield `line ${line} of ${lines}, still awake`.padEnd(LINE_BYTES - 1) + '\n';
    await sleep(1000 / LINES_PER_SECOND);
  }
}

/** The time, once a second, as server-sent events. */
function serveClock(agent: Agent): void {
  agent.http.get('/sse', { exposeHeadRoute: false }, (_request, reply) => {
    const stream = agent.streams.start(reply);
    if (stream === null) return;
    let ticks = 0;
    const tick = (): void => stream.send('tick', { now: new Date().toISOString(), tick: (ticks += 1) });
    tick();
    const timer = setInterval(tick, 1000);
    stream.onClose(() => clearInterval(timer));
  });
}
