import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { Check } from 'typebox/value';
import type { Bus } from '../world/bus.ts';
import { KEYS } from '../world/keys.ts';
import { readList } from '../world/lists.ts';
import { ArmEvent } from '../world/values.ts';
import { Scoreboard, boardOf } from './board.ts';
import { POLICY, pageOf } from './page.ts';

/** The routes of the aggregator: the board for scripts, the board for people, and whether this process lives. */
export function serveScoreboard(http: FastifyInstance, bus: Bus): void {
  const read = async (): Promise<Scoreboard> => {
    const events = await readList(bus, KEYS.armEvents, isEvent);
    return {
      events: events.length,
      scoreboard: [...boardOf(events)],
      scoring: 'score = +1 for ARM ON, -1 for ARM OFF',
      state_rule: 'current_on_state = the newest event of the task says ON',
      source: 'memcached',
    };
  };
  const health = Type.Object({ ok: Type.Literal(true) });
  http.get('/healthz', { schema: { response: { 200: health } } }, async () => ({ ok: true as const }));
  http.get('/api/scoreboard', { schema: { response: { 200: Scoreboard } } }, read);
  http.get('/', { schema: { response: { 200: Type.String() } } }, async (_request, reply) => {
    const board = await read();
    return reply.header('content-type', 'text/html; charset=utf-8').header('content-security-policy', POLICY).send(pageOf(board));
  });
}

const isEvent = (value: unknown): value is ArmEvent => Check(ArmEvent, value);
