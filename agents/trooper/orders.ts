import type { FastifyReply } from 'fastify';
import Type, { type Static } from 'typebox';
import { bodyText } from '../kit/body-text.ts';
import { Refusal } from '../world/http.ts';
import { readRosters } from './roster.ts';
import type { Settings } from './settings.ts';
import type { Trooper } from './trooper.ts';

/** What orders to a task have in common: how they name it, and how they reach a task of another service. */
const Name = Type.String({ minLength: 1, maxLength: 100 });
export const TaskOrder = Type.Object({ service: Name, task_id: Name }, { refusal: 'service and task_id are required' });
export type TaskOrder = Static<typeof TaskOrder>;

const ANSWER_MS = 5000;
const ANSWER_BYTES_MAX = 65_536;

/** The whole name of a service of this world; what stands after its first underscore does too. Throws a Refusal. */
export function serviceNamed({ services }: Pick<Settings, 'services'>, name: unknown): string {
  const found = services.find((each) => each === name) ?? services.find((each) => each.replace(/^[^_]*_/, '') === name);
  if (found === undefined) throw new Refusal(400, `service must be one of: ${services.join(', ')}`);
  return found;
}

/**
 * Has a task of another service carry the order out, since the daemon lets no agent end tasks but its own, and passes its
 * answer on. It is not tried again: the order may have been carried out. Rejects with a Refusal or a BusError.
 */
export async function orderElsewhere(
  { bus, log }: Pick<Trooper, 'bus' | 'log'>,
  path: string,
  order: TaskOrder,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const address = (await readRosters(bus, [order.service])).get(order.service)?.addresses[0];
  if (address === undefined) throw new Refusal(503, `Docker API unavailable: nothing has been heard of ${order.service}`);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ANSWER_MS);
  try {
    const answer = await fetch(`http://${address}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
      redirect: 'error',
      signal: late.signal,
    });
    const text = await bodyText(answer, ANSWER_BYTES_MAX);
    if (text === null) throw new Error('the answer is too long');
    return await reply.code(answer.status).type('application/json').send(text);
  } catch (error) {
    log.warn({ err: error, service: order.service, path }, 'another service could not be ordered');
    throw new Refusal(503, `Docker API unavailable: ${order.service} does not answer`);
  } finally {
    clearTimeout(timer);
  }
}
