import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Turn } from '../../../agents/trooper/loop.ts';
import { bookIn } from '../../../agents/trooper/rps/book.ts';
import { startRps } from '../../../agents/trooper/rps/start.ts';
import type { Trooper } from '../../../agents/trooper/trooper.ts';
import { KEYS } from '../../../agents/world/keys.ts';
import { MemoryBus } from '../../support/memory-bus.ts';

it('who publishes goes on with it while the daemon takes its questions and says nothing', async () => {
  const bus = new MemoryBus();
  await bus.set(KEYS.rpsInterval, '2');
  let isSilent = false;
  let turn: Turn = () => Promise.reject(new Error('not started'));
  startRps({
    ...{ bus, taskId: 'me', taskName: 'world.1', slot: 1, settings: { service: 'world' } },
    squad: { manager: () => (isSilent ? new Promise(() => undefined) : Promise.resolve('me')) },
    keepDoing: (_name: string, _restMs: number, each: Turn) => void (turn = each),
  } as unknown as Trooper);

  const published = async () => bookIn(await bus.get(KEYS.rpsState))?.recent.length ?? 0;
  const turnUntil = async (rounds: number): Promise<void> => {
    while ((await published()) < rounds) await pause(await turn(new AbortController().signal));
  };
  await turnUntil(1);
  isSilent = true;
  await turnUntil(2);
  expect(await published()).toBe(2);
});
