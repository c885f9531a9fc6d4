import { EVENT_TYPES, type EventBody, EventBody as EventSchema } from '../../src/contract/events.ts';
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
line goes out every 15 s. A reader who is too slow is told so and dropped.`;

const EXAMPLE: EventBody = { id: 7, type: 'agent.ready', agent: 'kai', at: '2026-01-01T12:00:00.000Z', from: 'starting', to: 'ready' };

const MEMBERS: Readonly<Record<keyof (typeof EventSchema)['properties'], string>> = {
  id: 'Rises by one from event to event, from 1 at the start of the daemon.',
  type: 'One of the types above.',
  agent: 'The agent it is about; absent where it is about none.',
  at: 'When, in UTC (RFC 3339).',
  from: 'The state before, where the event is a transition.',
  to: 'The state after it.',
};
