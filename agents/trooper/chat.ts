import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { Check } from 'typebox/value';
import type { Bus } from '../world/bus.ts';
import { KEPT, KEYS, TTL } from '../world/keys.ts';
import { appendTo, readList } from '../world/lists.ts';
import { Message } from '../world/values.ts';
import { Refusal } from '../world/http.ts';
import type { Trooper } from './trooper.ts';

/** What people say to the troopers: one list for all of them, and whoever is asked writes into it. */
const TEXT_CHARACTERS_MAX = 280;
const BODY_BYTES_MAX = 16_384;
const REFUSAL = 'text is required';

const Body = Type.Object({ text: Type.String() }, { refusal: REFUSAL });
const List = Type.Object({ messages: Type.Array(Message), source: Type.Literal('memcached') });
const Posted = Type.Object({ ok: Type.Literal(true), message: Message });

/** Oldest first. Rejects with a BusError. */
export const readChat = (bus: Bus): Promise<Message[]> =>
  readList(bus, KEYS.chat, (value): value is Message => Check(Message, value));

export function serveChat(http: FastifyInstance, { bus, taskName }: Trooper): void {
  http.get('/api/chat', { schema: { response: { 200: List } } }, async () => ({
    messages: await readChat(bus),
    source: 'memcached',
  }));

  http.post<{ Body: Static<typeof Body> }>(
    '/api/chat',
    { schema: { body: Body, response: { 201: Posted } }, bodyLimit: BODY_BYTES_MAX },
    async (request, reply) => {
      const text = cut(request.body.text);
      if (text === '') throw new Refusal(400, REFUSAL);
      const at = new Date().toISOString();
      const message: Message = { id: randomBytes(6).toString('hex'), from: taskName, host: hostname(), text, at };
      await appendTo(bus, KEYS.chat, message, KEPT.chat, TTL.list);
      return reply.code(201).send({ ok: true, message });
    },
  );
}

/** By whole characters, and without halves of them: JSON brings lone surrogates, which no reader could be given again. */
export const cut = (text: string): string => Array.from(text.toWellFormed().trim()).slice(0, TEXT_CHARACTERS_MAX).join('');
