import { KEYS, TTL } from '../world/keys.ts';
import type { Trooper } from './trooper.ts';

/** A sign of life on the bus, as the original gives it. It is gone within its time to live once the task is. */
const EVERY_MS = 10_000;
const AFTER_FAILURE_MS = 1000;

export function startHeartbeat({ bus, taskName, keepDoing }: Pick<Trooper, 'bus' | 'taskName' | 'keepDoing'>): void {
  keepDoing('heartbeat', AFTER_FAILURE_MS, async () => {
    await bus.set(KEYS.heartbeat(taskName), `Ping from ${taskName} at ${new Date().toISOString()}`, TTL.heartbeat);
    return EVERY_MS;
  });
}
