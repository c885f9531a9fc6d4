import { createHash } from 'node:crypto';
import fc from 'fast-check';
import Fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { boardOf } from '../../agents/aggregator/board.ts';
import { serveScoreboard } from '../../agents/aggregator/scoreboard.ts';
import { BusError } from '../../agents/world/bus-error.ts';
import type { Bus } from '../../agents/world/bus.ts';
import { serveWorld } from '../../agents/world/http.ts';
import type { ArmEvent } from '../../agents/world/values.ts';

let count = 0;
function event(task_id: string, state: 'on' | 'off', more: Partial<ArmEvent> = {}): ArmEvent {
  count += 1;
  const at = new Date(count * 1000).toISOString();
  return { id: String(count), task_id, bot: `Bot${task_id}`, state, at, source: 'world.1', ...more };
}

const arbitraryEvents = fc.array(fc.record({ task: fc.constantFrom('a', 'b', 'c', 'd'), state: fc.constantFrom('on', 'off') }));

/** The routes, over a bus on which nothing but this lies. */
async function serving(get: () => Promise<string | null>): Promise<FastifyInstance> {
  const http = Fastify();
  serveWorld(http, (world) => serveScoreboard(world, { get } as unknown as Bus));
  await http.ready();
  return http;
}

describe('the board', () => {
  it('counts ON and then OFF as two toggles, a score of 0 and off', () => {
    const [on, off] = [event('t', 'on'), event('t', 'off')];
    expect(boardOf([on, off])).toEqual([
      {
        ...{ bot: 'Bott', task_id: 't', on: 1, off: 1, toggles: 2, score: 0 },
        ...{ current_on_state: false, last_state: 'off', last_event_at: off.at },
      },
    ]);
  });

  it('puts whoever is ON first, then the higher score, then the more toggles', () => {
    const events = [
      ...[event('far-down', 'on'), event('far-down', 'on'), event('far-down', 'off')],
      ...[event('twice', 'on'), event('twice', 'on')],
      ...[event('wavers', 'on'), event('wavers', 'off'), event('wavers', 'on')],
      event('once', 'on'),
      event('minus', 'off'),
    ];
    expect(boardOf(events).map(({ task_id }) => task_id)).toEqual(['twice', 'wavers', 'once', 'far-down', 'minus']);
  });

  it('adds up to the events whatever they are, with the newest state of each, in one order for every reader', () => {
    fc.assert(
      fc.property(arbitraryEvents, (drawn) => {
        const events = drawn.map(({ task, state }) => event(task, state));
        const board = boardOf(events);
        expect(board.reduce((sum, { toggles }) => sum + toggles, 0)).toBe(events.length);
        expect(new Set(board.map(({ task_id }) => task_id)).size).toBe(board.length);
        for (const row of board) {
          const newest = events.findLast(({ task_id }) => task_id === row.task_id);
          expect([row.last_state, row.last_event_at, row.score]).toEqual([newest?.state, newest?.at, row.on - row.off]);
        }
        // Who came first in the list does not matter, since an old event may have dropped out of it.
        const byTask = ['d', 'c', 'b', 'a'].flatMap((task) => events.filter(({ task_id }) => task_id === task));
        expect(boardOf(byTask)).toEqual(board);
      }),
    );
  });

  it('keeps events that name no task by their bot', () => {
    const board = boardOf([event('', 'on', { bot: 'x' }), event('', 'on', { bot: 'y' }), event('', 'off', { bot: 'x' })]);
    expect(board.map(({ bot, score }) => [bot, score])).toEqual([
      ['y', 1],
      ['x', 0],
    ]);
  });
});

describe('the aggregator', () => {
  it('answers with the board, how it is made, and nothing that is no event', async () => {
    const http = await serving(async () => JSON.stringify([event('t', 'on'), { id: 'x' }, 'nonsense', null]));
    const reply = await http.inject('/api/scoreboard');
    expect(reply.statusCode).toBe(200);
    expect(reply.json()).toEqual({
      events: 1,
      scoreboard: [expect.objectContaining({ task_id: 't', current_on_state: true })],
      scoring: 'score = +1 for ARM ON, -1 for ARM OFF',
      state_rule: expect.any(String),
      source: 'memcached',
    });
  });

  it('says 503 while memcached is away, and lives', async () => {
    const http = await serving(() => Promise.reject(new BusError('gone')));
    for (const path of ['/api/scoreboard', '/']) {
      const reply = await http.inject(path);
      expect([reply.statusCode, reply.json()]).toEqual([503, { error: 'memcached unavailable' }]);
    }
    expect((await http.inject('/healthz')).json()).toEqual({ ok: true });
    expect((await http.inject('/nonesuch')).json()).toEqual({ error: 'not found' });
  });

  it('shows people a table in which a name is text, whatever it holds', async () => {
    const hostile = `<script>alert("1")</script>&'`;
    const http = await serving(async () => JSON.stringify([event(`"${hostile}`, 'on', { bot: hostile })]));
    const { body, headers } = await http.inject('/');
    expect(body).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;');
    expect(body).not.toContain('<script');
    expect(body).toContain('title="&quot;&lt;');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    const style = createHash('sha256')
      .update(/<style>([^]*?)<\/style>/.exec(body)![1]!)
      .digest('base64');
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; /);
    expect(headers['content-security-policy']).toContain(`style-src 'sha256-${style}';`);
    expect((await (await serving(async () => null)).inject('/')).body).toContain('Nobody has been armed yet');
  });
});
