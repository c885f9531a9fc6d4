import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, retryAfterMs } from '../../../agents/trooper/page/src/backoff.ts';
import { createEventReader } from '../../../agents/trooper/page/src/event-stream.ts';
import { arrange } from '../../../agents/trooper/page/src/order.ts';
import { withEvent } from '../../../agents/trooper/page/src/picture.ts';
import type { LiveView, ReplicaView } from '../../../agents/world/views.ts';

describe('how the page reads the stream', () => {
  it('comes to the same events however the bytes are cut', () => {
    const event = fc.record({ event: fc.constantFrom('world', 'other'), data: fc.json() });
    fc.assert(
      fc.property(fc.array(event), fc.array(fc.nat(30)), (events, cuts) => {
        const text = events.map(({ event: name, data }) => `event: ${name}\ndata: ${data}\n\n:\n\n`).join('');
        const read = createEventReader();
        const seen = [];
        let from = 0;
        for (const cut of cuts) {
          seen.push(...read(text.slice(from, from + cut)));
          from += cut;
        }
        seen.push(...read(text.slice(from)));
        expect(seen).toEqual(events);
      }),
    );
  });

  it('gives up on a stream whose event never ends', () => {
    const read = createEventReader();
    expect(() => {
      for (let piece = 0; piece < 100; piece += 1) read('x'.repeat(100_000));
    }).toThrow('too long');
  });

  it('waits longer each time, up to a limit, and never the same for all', () => {
    const longest = [1, 2, 3, 4, 50].map((failures) => backoffMs(failures, 1));
    expect(longest).toEqual([800, 1600, 3200, 6400, 15_000]);
    expect(backoffMs(3, 0)).toBe(1600);
  });

  it('believes what a 503 asks for within bounds', () => {
    expect([null, '3', '0', '3600', 'soon'].map(retryAfterMs)).toEqual([1000, 3000, 250, 5000, 1000]);
  });
});

describe('the picture of the world', () => {
  const whole = { at: '1', label: 'Rack', replicas_max: 20, peer: null, swarms: [], chat: [], arm_events: [] };
  const first = { ...whole, rps: null, haiku: null, revolt_events: [] } as LiveView;

  it('keeps what was last seen of a part that cannot be read, and says so', () => {
    const seen = withEvent(withEvent(null, { ...first, chat: [{ id: '1' }] as never }), { at: '2', chat: null });
    expect(seen.chat).toEqual([{ id: '1' }]);
    expect(seen.unread).toEqual(['chat', 'rps', 'haiku']);
    expect(withEvent(seen, { at: '3', chat: [] })).toMatchObject({ at: '3', chat: [], unread: ['rps', 'haiku'] });
  });

  it('has no peer any more when it is told so, and keeps one that is not mentioned', () => {
    const linked = withEvent(null, { ...first, peer: 'http://other' });
    expect(withEvent(linked, { at: '2' }).peer).toBe('http://other');
    expect(withEvent(linked, { at: '2', peer: null }).peer).toBeNull();
  });
});

describe('the order of tiles', () => {
  const replica = (id: string, slot: number, score: number, is_manager = false): ReplicaView =>
    ({ id, slot, score, is_manager }) as ReplicaView;
  const ids = (replicas: readonly ReplicaView[]): string => replicas.map(({ id }) => id).join('');

  it('is who manages, whatever its score, then by score, then by slot', () => {
    const others = [replica('c', 3, 0), replica('a', 1, -1), replica('b', 2, 0), replica('d', 4, 5)];
    expect(ids(arrange([...others, replica('m', 5, -7, true)], null))).toBe('mdbca');
  });

  it('stays as it was while it is held; who is new stands last', () => {
    const replicas = [replica('a', 1, 9), replica('b', 2, 0), replica('n', 3, 10)];
    expect(ids(arrange(replicas, ['b', 'x', 'a']))).toBe('ban');
  });
});
