import { beforeEach, describe, expect, it } from 'vitest';
import { EngineError } from '../../src/ports/engine.ts';
import { ApiFailure } from '../../src/swarm/api-failure.ts';
import { OrderQueue } from '../../src/swarm/order-queue.ts';

/** Orders to one service: one after the other, a conflict once more, and every failure in the words of the port. */
let told: string[];
let isReachable: boolean;
let queue: OrderQueue;

beforeEach(() => {
  told = [];
  isReachable = true;
  queue = new OrderQueue({
    service: 'kai',
    reachable: () => {
      if (!isReachable) throw new EngineError('unavailable', 'not connected yet');
    },
    conflicted: () => told.push('conflict'),
    away: ({ message }) => told.push(`away: ${message}`),
    ended: () => told.push('ended'),
  });
});

const conflict = new ApiFailure('conflict', 'update out of sequence');
/** Fails with each of these in turn, and then no more. */
function failing(...failures: readonly Error[]): { readonly order: () => Promise<void>; runs: number } {
  const state = {
    runs: 0,
    order: async () => {
      const failure = failures[state.runs];
      state.runs += 1;
      if (failure !== undefined) throw failure;
    },
  };
  return state;
}

describe('orders', () => {
  it('go out one after the other, in the order in which they came', async () => {
    const steps: string[] = [];
    let go = (): void => undefined;
    const first = queue.add(async () => {
      steps.push('first begins');
      await new Promise<void>((resolve) => (go = resolve));
      steps.push('first ends');
    });
    const second = queue.add(async () => void steps.push('second'));
    await Promise.resolve();
    expect(queue.isUnderWay).toBe(true);
    go();
    await Promise.all([first, second, queue.settled]);
    expect(steps).toEqual(['first begins', 'first ends', 'second']);
    expect(queue.isUnderWay).toBe(false);
  });

  it('that fail hold up nobody', async () => {
    const first = queue.add(failing(new ApiFailure('failed', 'boom')).order);
    const second = queue.add(failing().order);
    await expect(first).rejects.toBeInstanceOf(EngineError);
    await second;
    expect(told).toEqual(['ended', 'ended']);
  });

  it('show at both of their ends that a look begun before is out of date', async () => {
    let during = 0;
    await queue.add(async () => void (during = queue.epoch));
    expect([during, queue.epoch]).toEqual([1, 2]);
    await queue.add(failing(new ApiFailure('failed', 'boom')).order).catch(() => undefined);
    expect(queue.epoch).toBe(4);
  });

  it('are not begun while the engine cannot be asked', async () => {
    isReachable = false;
    const order = failing();
    await expect(queue.add(order.order)).rejects.toMatchObject({ code: 'unavailable', message: 'not connected yet' });
    expect(order.runs).toBe(0);
    expect(told).toEqual([]);
    expect(queue.isUnderWay).toBe(false);
  });
});

describe('G: an order that somebody else was quicker than', () => {
  it('is carried out once more, from the beginning', async () => {
    const order = failing(conflict);
    await queue.add(order.order);
    expect(order.runs).toBe(2);
    expect(told).toEqual(['conflict', 'ended']);
  });

  it('twice is given up: who keeps writing is named', async () => {
    const order = failing(conflict, conflict);
    await expect(queue.add(order.order)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'service kai is being changed by somebody else: a second daemon?',
    });
    expect(order.runs).toBe(2);
    expect(told).toEqual(['conflict', 'conflict', 'ended']);
  });

  it('and fails for another reason the second time, fails for that reason', async () => {
    const order = failing(conflict, new ApiFailure('missing', 'no such service'));
    await expect(queue.add(order.order)).rejects.toMatchObject({ code: 'refused', message: 'no such service' });
    expect(order.runs).toBe(2);
  });
});

describe('a failure', () => {
  it.each([
    ['missing', 'refused'],
    ['refused', 'refused'],
    ['failed', 'unavailable'],
    ['away', 'unavailable'],
  ] as const)('of the kind %s is %s in the words of the port, and is not tried again', async (kind, code) => {
    const order = failing(new ApiFailure(kind, 'why'));
    await expect(queue.add(order.order)).rejects.toMatchObject({ name: 'EngineError', code, message: 'why' });
    expect(order.runs).toBe(1);
    expect(told).toEqual([...(kind === 'away' ? ['away: why'] : []), 'ended']);
  });

  it('that is an answer of the port already stays as it is', async () => {
    const order = failing(new EngineError('last-task', 'the last one'));
    await expect(queue.add(order.order)).rejects.toMatchObject({ code: 'last-task' });
  });

  it('of a question is told like that of an order, and orders nothing', async () => {
    const question = queue.ask(() => Promise.reject(new ApiFailure('away', 'gone')));
    await expect(question).rejects.toMatchObject({ code: 'unavailable', message: 'gone' });
    expect(told).toEqual(['away: gone']);
    expect(queue.epoch).toBe(0);
  });
});
