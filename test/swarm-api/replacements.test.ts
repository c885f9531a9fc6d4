import { beforeEach, describe, expect, it } from 'vitest';
import type { ApiTask } from '../../src/swarm/api.ts';
import { Replacements } from '../../src/swarm/replacements.ts';
import { knowledge, task } from './listing.ts';

/** Restarts, counted from one listing to the next. */
let replacements: Replacements;
beforeEach(() => {
  replacements = new Replacements();
});

const count = (...tasks: readonly ApiTask[]): number => replacements.count(tasks, knowledge());
const running = (id: string, slot = 1): ApiTask => task({ id, slot });
const fallen = (id: string, slot = 1, desired = 'shutdown'): ApiTask => task({ id, slot, state: 'failed', desired });

describe('a replacement is counted', () => {
  it('once, when a task runs in the slot of one that ended by itself', () => {
    count(running('a'));
    expect(count(fallen('a'))).toBe(0);
    expect(count(fallen('a'), running('b'))).toBe(1);
    expect(count(fallen('a'), running('b'))).toBe(0);
  });

  it('also when both are seen in the same look', () => {
    count(running('a'));
    expect(count(fallen('a'), running('b'))).toBe(1);
  });

  it('not before it is wanted to run: a restart waits for its delay as a task that is to be ready', () => {
    count(running('a'));
    expect(count(fallen('a'), task({ id: 'b', desired: 'ready', state: 'ready' }))).toBe(0);
    expect(count(fallen('a'), running('b'))).toBe(1);
  });

  it('for each slot by itself', () => {
    count(running('a', 1), running('b', 2));
    expect(count(fallen('a', 1), fallen('b', 2), running('c', 2))).toBe(1);
    expect(count(fallen('a', 1), fallen('b', 2), running('c', 2), running('d', 1))).toBe(1);
  });

  it('for a task that came and fell between two looks, which only the later one has seen', () => {
    count(running('a'));
    expect(count(fallen('a'), fallen('b'), running('c'))).toBe(1);
  });

  it('where Swarm has entered the end long after its container had died', () => {
    count(running('a'));
    const died = knowledge({ died: new Map([['a', '7']]) });
    expect(replacements.count([running('a')], died)).toBe(0);
    expect(replacements.count([fallen('a'), running('b')], died)).toBe(1);
  });
});

describe('no replacement is counted', () => {
  it('for what had ended before anybody looked', () => {
    expect(count(fallen('a'), running('b'))).toBe(0);
    expect(count(fallen('a'), running('b'))).toBe(0);
  });

  it('for one that was told to end: a rolling update brings others too', () => {
    count(running('a'));
    expect(count(task({ id: 'a', state: 'shutdown', desired: 'shutdown' }), running('b'))).toBe(0);
  });

  it('for one that we ended', () => {
    const victims = knowledge({ victims: new Set(['a']) });
    replacements.count([running('a')], knowledge());
    expect(replacements.count([fallen('a'), running('b')], victims)).toBe(0);
  });

  it('for tasks that an order brings, after what fell before it', () => {
    count(running('a'));
    count(fallen('a'));
    replacements.reset();
    expect(count(fallen('a'), running('b'))).toBe(0);
  });
});
