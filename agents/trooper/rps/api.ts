import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { Bus } from '../../world/bus.ts';
import { KEYS, TTL } from '../../world/keys.ts';
import type { RpsState } from '../../world/values.ts';
import { RpsView } from '../../world/views.ts';
import type { Trooper } from '../trooper.ts';
import { type Round, bookIn, newestOf } from './book.ts';
import { choiceOf } from './game.ts';
import { clampInterval, intervalIn, roundTtl } from './interval.ts';

/** What a visitor sees of the rounds, and how far apart they are to be. */
const ConfigBody = Type.Object({ interval_seconds: Type.Integer() }, { refusal: 'interval_seconds must be an integer' });
const ConfigReply = Type.Object({ ok: Type.Literal(true), interval_seconds: Type.Integer() });

/** Rejects with a BusError. */
export async function readRps(bus: Bus): Promise<RpsView> {
  const found = await bus.getMany([KEYS.rpsState, KEYS.rpsInterval]);
  const interval = intervalIn(found.get(KEYS.rpsInterval) ?? null);
  const newest = newestOf(bookIn(found.get(KEYS.rpsState) ?? null));
  return { state: newest === null ? null : stateOf(newest), interval_seconds: interval, ttl_seconds: roundTtl(interval) };
}

const stateOf = ({ choice, from, at }: Round): RpsState => ({
  choice: choiceOf(choice),
  from,
  at,
  publisher: 'leader-manager',
});

export function serveRps(http: FastifyInstance, { bus }: Pick<Trooper, 'bus'>): void {
  http.get('/api/rps', { schema: { response: { 200: RpsView } } }, () => readRps(bus));

  http.post<{ Body: { interval_seconds: number } }>(
    '/api/rps/config',
    { schema: { body: ConfigBody, response: { 200: ConfigReply } } },
    async ({ body }) => {
      const interval = clampInterval(body.interval_seconds);
      await bus.set(KEYS.rpsInterval, String(interval), TTL.interval);
      return { ok: true, interval_seconds: interval };
    },
  );
}
