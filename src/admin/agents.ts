import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import { AgentView, CreateAgentBody, StatusReply } from '../contract/api.ts';
import { Problem } from '../contract/problems.ts';
import { parseDuration } from '../contract/units.ts';
import type { Control } from '../runtime/control.ts';
import type { Millis } from '../std/time.ts';
import type { Closing } from './closing.ts';
import { type App, call } from './openapi.ts';
import { valueOf } from './problems.ts';

/** The agents, as the operator sees them, and the two orders that may be given about one: wake and sleep. */
const Name = Type.Object({ name: Type.String() });
const WakeQuery = Type.Object(
  { wait: Type.Optional(Type.String({ description: 'Answer when it is ready, at most after this long: `30s`; up to 10m' })) },
  { additionalProperties: false },
);
const SleepQuery = Type.Object(
  {
    force: Type.Optional(
      Type.Unsafe<'true' | 'false'>({ type: 'string', enum: ['true', 'false'], description: 'Cut what is under way' }),
    ),
  },
  { additionalProperties: false },
);

/** Longer than any start that is worth waiting for; longer waits are asked for again. */
const WAIT_MAX = '10m';

export function agentRoutes(app: App, control: Control, closing: Closing): void {
  app.get(
    '/admin/agents',
    call({
      access: 'admin',
      id: 'listAgents',
      tag: 'agents',
      summary: 'All agents, by name',
      replies: { 200: Type.Array(AgentView) },
    }),
    () => control.agents(),
  );

  app.get(
    '/admin/agents/:name',
    call({
      access: 'admin',
      id: 'getAgent',
      tag: 'agents',
      summary: 'One agent',
      params: Name,
      replies: { 200: AgentView },
      problems: ['unknown-agent'],
    }),
    ({ params }) => valueOf(control.agent(params.name)),
  );

  app.post(
    '/admin/agents',
    call({
      access: 'admin',
      id: 'createAgent',
      tag: 'agents',
      summary: 'Make an agent that outlives restarts of the daemon',
      description: 'The config file is left alone. On the process engine it must be unmanaged.',
      body: CreateAgentBody,
      replies: { 201: Type.Object({ status: Type.String(), name: Type.String() }) },
      problems: ['invalid-hostname', 'invalid-target', 'agent-exists', 'hostname-taken', 'state-failed'],
    }),
    ({ body }, reply) => {
      const { name } = valueOf(control.createAgent(body));
      return reply.code(201).send({ status: 'ok', name });
    },
  );

  app.delete(
    '/admin/agents/:name',
    call({
      access: 'admin',
      id: 'deleteAgent',
      tag: 'agents',
      summary: 'Remove an agent that was made by the API',
      params: Name,
      replies: { 200: StatusReply },
      problems: ['unknown-agent', 'agent-from-file', 'state-failed'],
    }),
    ({ params }) => {
      valueOf(control.deleteAgent(params.name));
      return { status: 'ok' };
    },
  );

  app.post(
    '/admin/agents/:name/wake',
    call({
      access: 'admin',
      id: 'wakeAgent',
      tag: 'agents',
      summary: 'Wake an agent',
      description:
        '202 once it is ordered; 503 where there is no place for it (max_ready_agents). With `wait`: 200 once the agent is ready, a place included. Giving up the wait does not call the wake off.',
      params: Name,
      query: WakeQuery,
      replies: { 200: StatusReply, 202: StatusReply },
      problems: ['unknown-agent', 'not-on-demand', 'override-in-place', 'engine-unavailable', 'capacity', 'wake-timeout'],
    }),
    async ({ params, query }, reply) => {
      if (query.wait === undefined) {
        valueOf(control.wake(params.name));
        return reply.code(202).send({ status: 'waking' });
      }
      await wakeAndWait(control, closing, params.name, waitOf(query.wait), reply);
      return reply.code(200).send({ status: 'ready' });
    },
  );

  app.post(
    '/admin/agents/:name/sleep',
    call({
      access: 'admin',
      id: 'sleepAgent',
      tag: 'agents',
      summary: 'Put an agent to sleep',
      description:
        'Drains first: open work may hold it up for idle.drain_timeout, and then it stays awake. `force` does not ask.',
      params: Name,
      query: SleepQuery,
      replies: { 202: StatusReply },
      problems: ['unknown-agent', 'not-on-demand', 'override-in-place', 'engine-unavailable'],
    }),
    ({ params, query }, reply) => {
      valueOf(control.sleep(params.name, { force: query.force === 'true' }));
      return reply.code(202).send({ status: 'sleeping' });
    },
  );
}

function waitOf(text: string): Millis {
  const wait = parseDuration(text);
  const longest = parseDuration(WAIT_MAX);
  if (wait === null) throw new Problem('invalid-query', 'wait: must be a length of time such as 30s');
  if (longest !== null && wait > longest) throw new Problem('invalid-query', `wait: must be at most ${WAIT_MAX}`);
  return wait;
}

/** Ends when the agent is ready, the time is over, the caller has gone or the daemon closes, whichever is first. */
async function wakeAndWait(control: Control, closing: Closing, name: string, wait: Millis, reply: FastifyReply): Promise<void> {
  const gaveUp = new AbortController();
  const giveUp = (): void => gaveUp.abort();
  const forget = closing.whenBegun(giveUp);
  // The answer's own `close`: the request's comes as soon as its body has been read.
  reply.raw.once('close', giveUp);
  const answer = await control.wakeAndWait(name, wait, gaveUp.signal);
  forget();
  reply.raw.off('close', giveUp);
  if (closing.hasBegun && !answer.ok) throw new Problem('draining');
  valueOf(answer);
}
