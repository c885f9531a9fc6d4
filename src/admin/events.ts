import type { ServerResponse } from 'node:http';
import Type from 'typebox';
import { Problem } from '../contract/problems.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Control } from '../runtime/control.ts';
import { after, millisOf } from '../std/time.ts';
import { addressOf } from './auth.ts';
import type { Closing } from './closing.ts';
import { type App, call } from './openapi.ts';
import { FIXED_HEADERS } from './problems.ts';

/**
 * The event stream (Server-Sent Events, WHATWG HTML section 9.2). A reader is bounded by the bytes that wait for it in the
 * socket, not by a queue of events beside it: those bytes are the memory it costs us. Skipping events for a slow reader was
 * rejected, since a stream with holes looks like a whole one.
 */
const COMMENT_EVERY = millisOf(15_000);
/** About a thousand events. A reader that is this far behind is not reading. */
const WAITING_BYTES_MAX = 256 * 1024;
/** How long a dropped reader has to take what already waits, and the notice after it. */
const FAREWELL = millisOf(5_000);

export function eventRoutes(app: App, control: Control, clock: Clock, log: Log, closing: Closing): void {
  app.get(
    '/admin/events',
    {
      ...call({
        access: 'admin',
        id: 'readEvents',
        tag: 'operation',
        summary: 'Everything that happens, from now on',
        description:
          'Server-Sent Events: `id`, `event: agent.ready`, `data: {...}` as in the schema Event, and a comment every 15 s. ' +
          'A reader for which 256 KiB wait is sent `event: dropped` as far as it will take it and is cut off after 5 s; ' +
          'so is, without that event, the stream at a shutdown of the daemon.',
        replies: { 200: Type.String() },
        mediaType: 'text/event-stream',
        problems: ['reader-limit'],
      }),
      exposeHeadRoute: false,
    },
    (request, reply) => {
      const stream = new EventStream(reply.raw, clock);
      const unsubscribe = control.subscribe((event) => {
        stream.send(`id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      });
      if (unsubscribe === null) throw new Problem('reader-limit');
      const forget = closing.whenBegun(() => stream.end(''));
      stream.whenDropped = () => log.info('a slow event reader was dropped', { from: addressOf(request) });
      stream.whenOver = () => {
        unsubscribe();
        forget();
      };
      reply.hijack();
      stream.open({ ...FIXED_HEADERS, 'x-request-id': request.id });
    },
  );
}

/** One reader. Ends once, for whichever reason comes first. */
class EventStream {
  whenDropped: () => void = () => undefined;
  /** No more is sent from here on. */
  whenOver: () => void = () => undefined;
  private readonly response: ServerResponse;
  private readonly clock: Clock;
  private alarm: Alarm | null = null;
  private over = false;

  constructor(response: ServerResponse, clock: Clock) {
    this.response = response;
    this.clock = clock;
    // A write may come between the reset of the connection and its `close`.
    response.on('error', () => undefined);
    response.on('close', () => {
      this.stop();
      this.alarm?.cancel();
    });
  }

  /** Sends the head at once: a client that has it misses nothing that happens afterwards. */
  open(headers: Readonly<Record<string, string>>): void {
    this.response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
      connection: 'close',
    });
    this.response.flushHeaders();
    this.armComment();
  }

  send(text: string): void {
    if (this.over) return;
    this.response.write(text);
    if (this.response.writableLength <= WAITING_BYTES_MAX) return;
    this.whenDropped();
    this.end('event: dropped\ndata: {"type":"dropped","detail":"You read too slowly; events were lost from here on."}\n\n');
  }

  /** Sends `last` and closes; what is not taken within the farewell is thrown away with the connection. */
  end(last: string): void {
    if (this.over) return;
    this.stop();
    this.response.end(last);
    this.alarm?.cancel();
    this.alarm = this.clock.alarm(after(this.clock.now(), FAREWELL), () => this.response.destroy());
  }

  private stop(): void {
    if (this.over) return;
    this.over = true;
    this.whenOver();
  }

  private armComment(): void {
    this.alarm = this.clock.alarm(after(this.clock.now(), COMMENT_EVERY), () => {
      // Armed first: sending may end the stream, which sets the alarm for something else.
      this.armComment();
      this.send(': still here\n\n');
    });
  }
}
