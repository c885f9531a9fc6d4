import fc from 'fast-check';
import type { Loose } from './harness.ts';

/** What may happen to a few agents that share the places, and how often it does. */
export const ACTS = {
  call: 14,
  wait: 16,
  uncounted: 4,
  upgrade: 4,
  end: 14,
  leave: 5,
  frame: 3,
  'take lease': 2,
  'drop lease': 2,
  register: 2,
  soon: 16,
  later: 8,
  'much later': 3,
  wake: 3,
  sleep: 2,
  force: 1,
  keep: 2,
  lift: 2,
  'engine fails': 3,
  'engine hangs': 1,
  'task ends': 2,
  'task is ill': 1,
  'start fails': 2,
  'by hand': 1,
  'thawed by hand': 1,
  'news is lost': 1,
  'engine goes': 1,
  'engine is back': 3,
  'other limit': 2,
  'other rules': 2,
  'agent comes or goes': 1,
  'daemon dies': 1,
} as const;

export interface Act {
  readonly act: keyof typeof ACTS;
  /** Which agent. */
  readonly a: number;
  readonly n: number;
}

export interface Plot {
  readonly swarm: boolean;
  /** How long the engine takes for an order, a freeze or a thaw. */
  readonly slow: number;
  readonly max: number;
  readonly acts: readonly Act[];
}

const act: fc.Arbitrary<Act> = fc.record({
  act: fc.oneof(...Object.entries(ACTS).map(([name, weight]) => ({ weight, arbitrary: fc.constant(name as Act['act']) }))),
  a: fc.nat(4),
  n: fc.nat(999),
});

export const plot: fc.Arbitrary<Plot> = fc.record({
  swarm: fc.boolean(),
  slow: fc.constantFrom(0, 0, 7, 300),
  max: fc.constantFrom(0, 1, 2, 2, 3),
  acts: fc.array(act, { minLength: 5, maxLength: 110, size: 'max' }),
});

/** They differ in all that matters here. `variant` is what a reload changes. */
export function agentsOf(variant: number, gone: ReadonlySet<string>): Readonly<Record<string, Loose>> {
  const freezes = variant % 3 !== 1;
  const all: Record<string, Loose> = {
    ada: {
      idle: { timeout: '8s', freeze_after: freezes ? '3s' : null, min_awake: '2s', drain_timeout: '2s' },
      hold: { max_wait: '6s', max_requests: 3 },
      domains: ['*.ada.test'],
    },
    bob: {
      idle: { timeout: variant % 2 === 0 ? '5s' : '9s', min_awake: '1s', drain_timeout: '2s', wake_cooldown: '500ms' },
      hold: { max_wait: '4s' },
      health: { max_restart_attempts: 2, startup_timeout: '5s', check_interval: '2s', max_failures: 2 },
    },
    cyd: {
      pin: variant % 4 !== 3,
      idle: { timeout: '10s', freeze_after: freezes ? '4s' : null, drain_timeout: '2s' },
      hold: { max_wait: '9s' },
      health: { startup_timeout: '5s' },
    },
    dan: {
      replicas: 2,
      idle: {
        timeout: '6s',
        freeze_after: '2s',
        min_awake: '3s',
        drain_timeout: '2s',
        websocket: variant % 2 === 0 ? 'data' : 'open',
      },
      hold: { max_wait: '20s', max_requests: 2 },
      domains: ['*.dan.test'],
      health: { check_interval: '1s', max_failures: 2, startup_timeout: '5s' },
    },
    eve: {
      policy: variant % 5 < 3 ? 'always-on' : 'on-demand',
      idle: { timeout: '7s', freeze_after: '3s', min_awake: '0s', drain_timeout: '2s' },
    },
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => !gone.has(name)));
}

export const NAMES = ['ada', 'bob', 'cyd', 'dan', 'eve'] as const;
