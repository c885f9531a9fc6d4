import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SelfView } from '../../../src/contract/api.ts';
import { cut } from '../../../agents/trooper/chat.ts';
import { serviceNamed } from '../../../agents/trooper/orders.ts';
import type { Turn } from '../../../agents/trooper/loop.ts';
import { sizeStep, startKeepingSize } from '../../../agents/trooper/size.ts';
import type { Trooper } from '../../../agents/trooper/trooper.ts';

const selfOf = (ids: readonly string[], wanted: number, max = 20): SelfView =>
  ({ tasks: ids.map((id) => ({ id, state: 'running' })), replicas: { wanted, running: ids.length, max } }) as unknown as SelfView;

const size = (replicas: number, id = 'now') => ({ replicas, id, at: '' });

describe('the size of the world', () => {
  it('is asked for again after a wake, and when somebody has written another one', () => {
    const kept = { sizes: ['now'], tasks: ['a', 'b'] };
    expect(sizeStep(size(5), kept, selfOf(['c', 'd', 'e'], 3))).toBe('scale');
    expect(sizeStep(size(5, 'later'), kept, selfOf(['a', 'b'], 2))).toBe('scale');
    expect(sizeStep(size(5), null, selfOf(['a', 'b'], 2))).toBe('scale');
  });

  it('leaves an operator alone who scales by hand, through crashes and other managers', () => {
    const kept = { sizes: ['now'], tasks: ['a', 'b'] };
    expect(sizeStep(size(2), kept, selfOf(['a', 'b', 'c', 'd'], 4))).toBe('keep');
    expect(sizeStep(size(2), { ...kept, tasks: ['a', 'b', 'c', 'd'] }, selfOf(['x', 'b', 'c', 'd'], 4))).toBe('keep');
    expect(sizeStep(size(2), kept, selfOf(['a', 'b'], 4))).toBe('nothing');
  });

  it('is not asked for while another one is being written, by whichever of the two ids it is seen', () => {
    const kept = { sizes: ['new', 'old'], tasks: ['a', 'b'] };
    expect(sizeStep(size(3, 'old'), kept, selfOf(['a', 'b'], 2))).toBe('nothing');
    expect(sizeStep(size(2, 'new'), kept, selfOf(['a', 'b'], 2))).toBe('nothing');
  });

  it('is not asked for where its writer has done so, though another wrote over what was kept; after a sleep it is', () => {
    const carried = { ...size(3, 'mine'), carried: true };
    const kept = { sizes: ['another'], tasks: ['a', 'b'] };
    expect(sizeStep(carried, kept, selfOf(['a', 'b'], 2))).toBe('nothing');
    expect(sizeStep(size(3, 'mine'), kept, selfOf(['a', 'b'], 2))).toBe('scale');
    expect(sizeStep(carried, kept, selfOf(['x', 'y'], 2))).toBe('scale');
  });

  it('never asks for more than the daemon allows, nor for what there is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), (replicas, max) => {
        expect(sizeStep(size(replicas), null, selfOf(['a'], Math.min(replicas, max), max))).toBe('keep');
      }),
    );
  });
});

describe('names of services', () => {
  it('are whole, or what stands after the first underscore', () => {
    const settings = { services: ['bob_a', 'bob_a_b', 'plain'] };
    expect(serviceNamed(settings, 'bob_a')).toBe('bob_a');
    expect(serviceNamed(settings, 'a')).toBe('bob_a');
    expect(serviceNamed(settings, 'a_b')).toBe('bob_a_b');
    expect(serviceNamed(settings, 'plain')).toBe('plain');
    for (const name of ['b', '', null, 7, {}]) {
      expect(() => serviceNamed(settings, name)).toThrow('service must be one of: bob_a, bob_a_b, plain');
    }
  });
});

describe('what is said', () => {
  it('is cut to 280 characters without halves of any, and stays the same when it is said again', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', ' ', 'é', '💥', '\ud800', '\udc00'), { maxLength: 600 }), (characters) => {
        const text = cut(characters.join(''));
        expect(Array.from(text).length).toBeLessThanOrEqual(280);
        expect(text.isWellFormed()).toBe(true);
        expect(cut(text)).toBe(text.trim());
      }),
    );
  });
});

it('who does not manage asks the daemon for its size less than once a second, and nothing of the bus', async () => {
  let turn: Turn = () => Promise.reject(new Error('not started'));
  startKeepingSize({
    ...{ taskId: 'me', settings: { service: 'world' } },
    squad: { look: async () => ({ self: null, manager: 'other' }) },
    keepDoing: (_name: string, _restMs: number, each: Turn) => void (turn = each),
  } as unknown as Trooper);
  expect(await turn(new AbortController().signal)).toBeGreaterThan(1000);
});
