import { randomUUID } from 'node:crypto';
import { Check } from 'typebox/value';
import type { Bus } from '../world/bus.ts';
import { KEYS, TTL } from '../world/keys.ts';
import { WorldSize } from '../world/values.ts';

/** How many troopers a service is to have. It outlives sleep, and the daemon does not remember it. */

/** Null: nobody has said, or not in a form that can be read. Rejects with a BusError. */
export async function readSize(bus: Bus, service: string): Promise<WorldSize | null> {
  const text = await bus.get(KEYS.size(service));
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return Check(WorldSize, value) ? value : null;
  } catch {
    return null;
  }
}

/** `replicas`: 1 to 20. Rejects with a BusError. */
export async function writeSize(bus: Bus, service: string, replicas: number): Promise<void> {
  const size: WorldSize = { replicas, id: randomUUID(), at: new Date().toISOString() };
  await bus.set(KEYS.size(service), JSON.stringify(size), TTL.size);
}
