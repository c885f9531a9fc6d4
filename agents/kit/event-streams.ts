import type { FastifyReply } from 'fastify';

/**
 * Server-sent events (WHATWG HTML section 9.2). An open stream is an open request: it keeps the agent awake, and a stop
 * would wait for it for ever. So the kit knows them all and ends them.
 */
export interface EventStreams {
  readonly open: number;
  /** Turns this reply into a stream; null, and the reply is a 503, when too many are open or the agent is stopping. */
  start(reply: FastifyReply): EventStream | null;
  /** Ends every stream and takes no new one. */
  close(): void;
}

export interface EventStream {
  /** `data` goes out as JSON. A reader that does not keep up is cut instead of buffered for. Does nothing once closed. */
  send(event: string, data: unknown): void;
  /** Called once, whoever ended it. */
  onClose(closed: () => void): void;
  end(): void;
}

const STREAMS_MAX = 1000;
const BUFFERED_BYTES_MAX = 256 * 1024;
/** So that proxies in between do not take a silent stream for a dead one. */
const COMMENT_EVERY_MS = 15_000;

export function createEventStreams(): EventStreams {
  const streams = new Set<EventStream>();
  let closing = false;

  return {
    get open() {
      return streams.size;
    },
    start: (reply) => {
      if (closing || streams.size >= STREAMS_MAX) {
        void reply.code(503).header('retry-after', '1').send({ error: 'too many event streams are open' });
        return null;
      }
      const stream = begin(reply, () => streams.delete(stream));
      streams.add(stream);
      return stream;
    },
    close: () => {
      closing = true;
      for (const stream of streams) stream.end();
    },
  };
}

function begin(reply: FastifyReply, forget: () => void): EventStream {
  reply.hijack();
  const response = reply.raw;
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  const write = (text: string): void => {
    if (response.writableEnded || response.destroyed) return;
    if (response.writableLength > BUFFERED_BYTES_MAX) response.destroy();
    else response.write(text);
  };
  const comments = setInterval(() => write(':\n\n'), COMMENT_EVERY_MS);
  response.on('error', () => undefined);
  response.once('close', () => {
    clearInterval(comments);
    forget();
  });
  return {
    send: (event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    onClose: (closed) => void response.once('close', closed),
    end: () => void response.end(),
  };
}
