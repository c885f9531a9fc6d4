import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/core/agent/policy.ts';
import type { AgentState } from '../../src/core/agent/state.ts';
import { type Occupant, hasRoom, roomIn, seat } from '../../src/core/capacity.ts';
import { instantOf, millisOf } from '../../src/std/time.ts';
import { LATER, NOW, POLICY, draining, frozen, ready, running, sleeping, starting, stopping } from './lifecycle-parts.ts';

const policy: Policy = { ...POLICY, capped: true, minAwake: millisOf(30_000) };
const agent = (name: string, state: AgentState, lastUsed = 0, change: Partial<Policy> = {}): Occupant => ({
  name,
  state,
  lastUsed,
  policy: { ...policy, ...change },
});
const seeker = (name: string, since = NOW): Occupant =>
  agent(name, sleeping({ wake: 'request', seeking: { since, until: LATER } }));
const nobody = { placed: [], evicted: [], lookAgain: null };

describe('P: who is seated', () => {
  test('is whoever seeks a place that is free', () => {
    expect(seat([agent('a', ready()), seeker('b')], 2, NOW)).toEqual({ ...nobody, placed: ['b'] });
  });

  test('is whoever has sought for longest, and of two in the same instant the first to come', () => {
    const seekers = [seeker('c', instantOf(95_000)), seeker('a'), seeker('b'), seeker('d', instantOf(91_000))];
    expect(seat(seekers, 3, NOW).placed).toEqual(['d', 'c', 'a']);
  });

  test('is everybody where there is no limit any more', () => {
    expect(seat([agent('a', ready()), seeker('b'), seeker('c')], 0, NOW)).toEqual({ ...nobody, placed: ['b', 'c'] });
  });

  test('is nobody while those who start or stop have the places', () => {
    expect(seat([agent('a', starting()), agent('b', stopping()), seeker('c')], 2, NOW)).toEqual(nobody);
  });

  test('is not kept out by always-on and unmanaged agents, nor by those that are degraded', () => {
    const others = [agent('a', running()), agent('b', running({ policy: 'unmanaged' }))];
    expect(seat([...others, seeker('c')], 1, NOW).placed).toEqual(['c']);
  });
});

describe('P: who is evicted', () => {
  test('is the one whose last work is longest ago', () => {
    const up = [agent('a', ready(), 30), agent('b', ready(), 10), agent('c', ready(), 20)];
    expect(seat([...up, seeker('x')], 3, NOW).evicted).toEqual(['b']);
    expect(seat([...up, seeker('x'), seeker('y')], 3, NOW).evicted).toEqual(['b', 'c']);
  });

  test('is first of all one that is frozen, however short ago it worked', () => {
    expect(seat([agent('a', ready(), 1), agent('b', frozen(), 99), seeker('x')], 2, NOW).evicted).toEqual(['b']);
  });

  test('is nobody while somebody who goes anyway gives his place', () => {
    for (const going of [stopping(), draining(), frozen({ phase: 'thawing', then: 'idle' })])
      expect(seat([agent('a', going), agent('b', ready()), seeker('x')], 2, NOW)).toEqual(nobody);
  });

  test('is somebody after all where the one that stops is to start again', () => {
    const restarting = agent('a', stopping({ next: 'restart' }));
    expect(seat([restarting, agent('b', ready()), seeker('x')], 2, NOW).evicted).toEqual(['b']);
  });

  test('is nobody who is at work, pinned, kept awake, or up for less than min_awake', () => {
    const safe = [
      agent('a', ready({ busy: true })),
      agent('b', ready(), 0, { pinned: true }),
      agent('c', ready(), 0, { keep: 'awake' }),
      agent('d', ready({ awakeSince: instantOf(NOW - 29_999) })),
    ];
    expect(seat([...safe, seeker('x')], 4, NOW)).toEqual({ ...nobody, lookAgain: instantOf(NOW + 1) });
    expect(seat([...safe, seeker('x')], 4, instantOf(NOW + 1)).evicted).toEqual(['d']);
  });

  test('is nobody while nobody seeks, even where more are awake than may be', () => {
    expect(seat([agent('a', ready()), agent('b', ready())], 1, NOW)).toEqual(nobody);
  });

  test('is also whoever stands over the limit, where somebody scaled by hand', () => {
    const up = [agent('a', ready(), 1), agent('b', ready(), 2), agent('c', ready(), 3)];
    expect(seat([...up, seeker('x')], 2, NOW).evicted).toEqual(['a', 'b']);
  });
});

describe('P: whether there is room', () => {
  test('takes account of those who seek already', () => {
    expect(hasRoom([agent('a', ready())], 1, NOW)).toBe(true);
    expect(hasRoom([agent('a', ready()), seeker('b')], 1, NOW)).toBe(false);
    expect(hasRoom([agent('a', starting())], 1, NOW)).toBe(false);
    expect(hasRoom([agent('a', stopping())], 1, NOW)).toBe(true);
    expect(hasRoom([agent('a', starting())], 0, NOW)).toBe(true);
  });

  test('is told with the time after which somebody may go, and 10 s where nobody knows it', () => {
    const young = agent('a', ready({ awakeSince: instantOf(NOW - 10_000) }));
    expect(roomIn([young, agent('b', ready({ busy: true }))], NOW)).toBe(20_000);
    expect(roomIn([agent('b', ready({ busy: true }))], NOW)).toBe(10_000);
  });
});
