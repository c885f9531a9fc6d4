import { setTimeout as pause } from 'node:timers/promises';
import { BusError } from '../../agents/world/bus-error.ts';
import type { Bus } from '../../agents/world/bus.ts';

/**
 * The bus as a test looks at it: a call without an answer in time is made again, where twice is as good as once. Troopers give up
 * within a second, because somebody waits for them; a test on a crowded machine would judge by how fast that is.
 */
const PAUSE_MS = 50;
const ATTEMPTS = 200;

export function patient(bus: Bus): Bus {
  let closed = false;
  const again = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof BusError) || closed || attempt === ATTEMPTS) throw error;
      }
      await pause(PAUSE_MS);
    }
  };
  return {
    ...bus,
    get: (key) => again(() => bus.get(key)),
    getMany: (keys) => again(() => bus.getMany(keys)),
    gets: (key) => again(() => bus.gets(key)),
    set: (key, value, ttlSeconds) => again(() => bus.set(key, value, ttlSeconds)),
    close: () => {
      closed = true;
      bus.close();
    },
  };
}
