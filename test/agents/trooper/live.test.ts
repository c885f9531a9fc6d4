import { setTimeout as pause } from 'node:timers/promises';
import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import type { EventStream, EventStreams } from '../../../agents/kit/event-streams.ts';
import { type LivePart, type LiveParts, serveLive } from '../../../agents/trooper/live.ts';

type Sent = Readonly<Record<string, unknown>>;

/** Somebody who watches: what was sent, and the end of it. */
class Watcher {
  readonly sent: Sent[] = [];
  private closed: () => void = () => undefined;

  readonly stream: EventStream = {
    send: (event, data) => {
      expect(event).toBe('world');
      this.sent.push(data as Sent);
    },
    onClose: (closed) => (this.closed = closed),
    end: () => undefined,
  };

  leave(): void {
    this.closed();
  }

  async until(count: number): Promise<readonly Sent[]> {
    while (this.sent.length < count) await pause(1);
    return this.sent;
  }
}

/** A world whose parts the test sets, and how often it was asked for each. */
function live(partMs = 1000) {
  const values: Record<string, unknown> = { label: 'Rack', replicas_max: 20, peer: null, chat: [], rps: null, haiku: null };
  for (const part of ['swarms', 'arm_events', 'revolt_events']) values[part] = [];
  const reads = new Map<string, number>();
  const parts = Object.fromEntries(
    Object.keys(values).map((name) => [
      name,
      {
        absent: null,
        read: async () => {
          reads.set(name, (reads.get(name) ?? 0) + 1);
          const value = values[name];
          return value instanceof Promise || !(value instanceof Error) ? value : Promise.reject(value);
        },
      },
    ]),
  ) as unknown as LiveParts;
  const http = Fastify();
  let next: EventStream | null = null;
  const streams = { start: (reply) => (void reply.hijack(), next) } as EventStreams;
  serveLive(http, streams, parts, { everyMs: 2, partMs });
  const watch = async (): Promise<Watcher> => {
    const watcher = new Watcher();
    next = watcher.stream;
    // Hijacked, so that no answer ever comes.
    void http.inject('/api/live');
    await watcher.until(1);
    return watcher;
  };
  const readsOf = (part: LivePart): number => reads.get(part) ?? 0;
  return { values, watch, readsOf };
}

describe('the live stream', () => {
  it('gives the whole world first and afterwards only what has changed', async () => {
    const { values, watch, readsOf } = live();
    const watcher = await watch();
    expect(watcher.sent[0]).toMatchObject({ at: expect.any(String), label: 'Rack', replicas_max: 20, peer: null, chat: [] });
    const before = readsOf('chat');
    while (readsOf('chat') < before + 5) await pause(1);
    expect(watcher.sent).toHaveLength(1);
    values['chat'] = [{ text: 'hi' }];
    const [, second] = await watcher.until(2);
    expect(second).toEqual({ at: expect.any(String), chat: [{ text: 'hi' }] });
    watcher.leave();
  });

  it('gives whoever comes later the whole world at once', async () => {
    const { values, watch } = live();
    const first = await watch();
    values['chat'] = [{ text: 'hi' }];
    await first.until(2);
    const second = await watch();
    expect(second.sent[0]).toMatchObject({ label: 'Rack', chat: [{ text: 'hi' }] });
    first.leave();
    second.leave();
  });

  it('reads nothing while nobody watches, however many have', async () => {
    const { watch, readsOf } = live();
    expect(readsOf('swarms')).toBe(0);
    const [one, other] = [await watch(), await watch()];
    const together = readsOf('swarms');
    one.leave();
    while (readsOf('swarms') < together + 3) await pause(1);
    other.leave();
    // Comes to an end only if the reading does.
    for (let before = -1; readsOf('swarms') !== before;) {
      before = readsOf('swarms');
      await pause(20);
    }
    const again = await watch();
    expect(again.sent[0]).toHaveProperty('swarms');
    again.leave();
  });

  it('sends a part that cannot be read, or does not come, as null and the others still', async () => {
    const { values, watch, readsOf } = live(5);
    values['rps'] = new Error('memcached unavailable');
    values['swarms'] = new Promise(() => undefined);
    const watcher = await watch();
    expect(watcher.sent[0]).toMatchObject({ rps: null, swarms: null, chat: [] });
    values['chat'] = [{ text: 'hi' }];
    expect((await watcher.until(2))[1]).toMatchObject({ chat: [{ text: 'hi' }] });
    // One that hangs is not asked again and again.
    expect(readsOf('swarms')).toBe(1);
    watcher.leave();
  });
});
