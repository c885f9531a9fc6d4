import Type from 'typebox';
import { Problem } from '../contract/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Control } from '../runtime/control.ts';
import { addressOf } from './auth.ts';
import type { Closing } from './closing.ts';
import { EventFeed } from './event-feed.ts';
import { EventStream } from './event-stream.ts';
import { type App, call } from './openapi.ts';
import { FIXED_HEADERS } from './problems.ts';

/** The event stream: what happens, and on request what has happened since the reader was last there. */
const Headers = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ pattern: '^[0-9]{0,15}$', description: 'Id of the last event the reader has: those after it come first' }),
  ),
});

export function eventRoutes(app: App, control: Control, clock: Clock, log: Log, closing: Closing): void {
  app.get(
    '/admin/events',
    {
      ...call({
        access: 'admin',
        id: 'readEvents',
        tag: 'operation',
        summary: 'Everything that happens, from now on or from an event on',
        description:
          'Server-Sent Events: `id`, `event: agent.ready`, `data: {...}` as in the schema Event, and a comment every 15 s. ' +
          'With `Last-Event-ID` the events after that one come first, also those of an earlier daemon; where some of them are ' +
          'not kept any more, `event: missing` says which. ' +
          'A reader for which 256 KiB wait is sent `event: dropped` as far as it will take it and is cut off after 5 s; ' +
          'so is, without that event, the stream at a shutdown of the daemon.',
        headers: Headers,
        replies: { 200: Type.String() },
        mediaType: 'text/event-stream',
        problems: ['reader-limit'],
      }),
      exposeHeadRoute: false,
    },
    (request, reply) => {
      const since = request.headers['last-event-id'] ?? '';
      const stream = new EventStream(reply.raw, clock);
      const feed = new EventFeed(control, stream, since === '' ? null : Number(since));
      const unsubscribe = control.subscribe((event) => feed.tell(event));
      if (unsubscribe === null) throw new Problem('reader-limit');
      const forget = closing.whenBegun(() => stream.end(''));
      stream.whenDropped = () => log.info('a slow event reader was dropped', { from: addressOf(request) });
      stream.whenOver = () => {
        unsubscribe();
        forget();
      };
      reply.hijack();
      stream.open({ ...FIXED_HEADERS, 'x-request-id': request.id });
      feed.begin();
    },
  );
}
