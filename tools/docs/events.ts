import { EVENT_TYPES, type EventBody, EventBody as EventSchema } from '../../src/contract/events.ts';
import { EVENTS_KEPT } from '../../src/ports/store.ts';
import { type Page, code, madeFrom, paragraphs, table } from './page.ts';

/** docs/events.md: what the event stream says. */
export const eventsPage: Page = {
  file: 'events.md',
  render: () =>
    paragraphs(
      '# Events',
      madeFrom('src/contract/events.ts'),
      INTRODUCTION,
      `\`\`\`\nid: ${EXAMPLE.id}\nevent: ${EXAMPLE.type}\ndata: ${JSON.stringify(EXAMPLE)}\n\`\`\``,
      '## Coming back',
      COMING_BACK,
      '## Types',
      table(
        ['type', 'what it means'],
        Object.entries(EVENT_TYPES).map(([type, meaning]) => [code(type), meaning]),
      ),
      '## Members of every event',
      table(
        ['member', 'what it is'],
        Object.keys(EventSchema.properties).map((member) => [code(member), MEMBERS[member as keyof typeof MEMBERS]]),
      ),
    ),
};

const INTRODUCTION = `\`GET /admin/events\` on the internal port is a stream of server-sent events, and \`reveille events\` prints it. A comment
line goes out every 15 s. A reader who is too slow is told so (\`event: dropped\`) and cut off.`;

const COMING_BACK = `The daemon keeps the newest ${EVENTS_KEPT.toLocaleString('en')} events in state_dir. A reader who sends \`Last-Event-ID\`, as an EventSource does by itself when
it connects again, and \`reveille events --since ID\`, are first told what came after that event and then go on, without a hole or
a double. It makes no difference whether the daemon was restarted or killed in between: ids go on. \`Last-Event-ID: 0\` asks for all that is
kept. Without it the stream begins with what happens next, after a lone \`id\` line by which a client can come back even if nothing
has happened yet.

Where events are not kept any more, the stream says so in their place, with the id of the last one that is missing:

\`\`\`
id: 120
event: missing
data: {"type":"missing","from":6,"to":120,"detail":"These events are not kept any more."}
\`\`\`

Whoever draws conclusions from events should then look at \`GET /admin/agents\` and go on from there. An id that is newer than any
event gets the same notice for all events so far, and only what happens from now on: the numbers were begun anew, because state_dir is
another one. One case cannot be told: while state_dir cannot be written to (the log says \`events cannot be kept\`), events are told
but not kept, and a daemon that ends in that time is followed by one that gives their numbers again.`;

const EXAMPLE: EventBody = { id: 7, type: 'agent.ready', agent: 'kai', at: '2026-01-01T12:00:00.000Z', from: 'starting', to: 'ready' };

const MEMBERS: Readonly<Record<keyof (typeof EventSchema)['properties'], string>> = {
  id: 'Rises by one from event to event, from 1 at the first start of the daemon on.',
  type: 'One of the types above.',
  agent: 'The agent it is about; absent where it is about none.',
  at: 'When, in UTC (RFC 3339).',
  from: 'The state before, where the event is a transition.',
  to: 'The state after it.',
};
