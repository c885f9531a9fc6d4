import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import type { Agent } from '../kit/agent.ts';
import type { Hold } from '../kit/busy.ts';
import { DaemonError } from '../kit/daemon-error.ts';
import type { Life } from './life.ts';
import type { Preview } from './preview.ts';

/**
 * The buttons of the page: what changes something, as opposed to what is looked at. Only the page itself may press them; a
 * page of another site could otherwise keep the agent awake through its visitors.
 */
const BusyBody = Type.Object(
  { seconds: Type.Number({ minimum: 1, maximum: 600, default: 30 }) },
  { additionalProperties: false },
);

export function serveActions(agent: Agent, life: Life, preview: Preview): void {
  agent.http.register(async (http) => {
    http.addHook('onRequest', refuseForeignPages);
    http.setErrorHandler(answerDaemonError);

    const busy = new BusyForAWhile(agent);
    http.post<{ Body: Static<typeof BusyBody> }>('/busy', { schema: { body: BusyBody } }, async (request, reply) => {
      if (agent.daemon === null) return reply.code(409).send({ error: 'I run alone: there is no daemon to tell.' });
      const until = await busy.extend(request.body.seconds * 1000);
      return reply.code(202).send({ until: until.toISOString() });
    });
    http.delete('/busy', async (_request, reply) => {
      await busy.end();
      return reply.code(204).send();
    });

    http.post('/preview', async (_request, reply) => {
      const { hostname } = (await life.view()).preview;
      if (hostname === null) return reply.code(409).send({ error: 'I may register no hostname: my domains have no wildcard.' });
      return { hostname: await preview.open(hostname) };
    });
    http.delete('/preview', async (_request, reply) => {
      await preview.close();
      return reply.code(204).send();
    });
  });
}

/** Browsers say where a request comes from (Fetch Metadata); a page of somebody else has no business here. curl says nothing. */
async function refuseForeignPages(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const site = request.headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  await reply.code(403).send({ error: 'Only my own page may ask for that.' });
}

function answerDaemonError(error: unknown, _request: FastifyRequest, reply: FastifyReply): unknown {
  if (!(error instanceof DaemonError)) throw error;
  return reply.code(error.kind === 'unreachable' ? 503 : 502).send({ error: error.message, code: error.code });
}

/** One hold on the busy lease, with an end that can be put off. */
class BusyForAWhile {
  private readonly agent: Agent;
  private hold: Promise<Hold> | null = null;
  private timer: NodeJS.Timeout | undefined;

  constructor(agent: Agent) {
    this.agent = agent;
  }

  async extend(ms: number): Promise<Date> {
    clearTimeout(this.timer);
    const hold = (this.hold ??= this.take());
    await hold;
    this.timer = setTimeout(
      () => void this.end().catch((error: unknown) => this.agent.http.log.warn({ err: error }, 'release failed')),
      ms,
    );
    return new Date(Date.now() + ms);
  }

  async end(): Promise<void> {
    clearTimeout(this.timer);
    const { hold } = this;
    this.hold = null;
    await (await hold)?.release();
  }

  private async take(): Promise<Hold> {
    try {
      if (this.agent.daemon === null) throw new Error('a lease needs a daemon');
      return await this.agent.daemon.busy.hold('somebody pressed the button on the page');
    } catch (error) {
      this.hold = null;
      throw error;
    }
  }
}
