import { Check } from 'typebox/value';
import type { Bus } from '../../world/bus.ts';
import { KEYS, TTL } from '../../world/keys.ts';
import { WorldSize } from '../../world/values.ts';
import { readSize } from '../size.ts';
import type { Trooper } from '../trooper.ts';
import type { SizePlan } from './handoff.ts';

/** The world grows or shrinks by one with a trooper. A plan is made first and carried out at most once (see handoff.ts). */
const SIZE_MAX = 20;

type Plan = NonNullable<SizePlan>;

/** Rejects with a BusError or a DaemonError. */
export async function planSize({ bus, settings, squad }: Trooper, by: 1 | -1): Promise<Plan> {
  const size = await readSize(bus, settings.service);
  const { replicas } = await squad.view();
  const wanted = (size?.replicas ?? replicas.wanted) + by;
  return { after: size?.id ?? null, replicas: Math.min(Math.max(1, wanted), SIZE_MAX, replicas.max), at: Date.now() };
}

/** Does nothing where somebody has said another size since the plan was made, or where it is carried out. Rejects with a BusError. */
export async function applySize(bus: Bus, service: string, id: string, { after, replicas }: Plan): Promise<void> {
  const key = KEYS.size(service);
  const found = await bus.gets(key);
  const size = sizeIn(found?.value ?? null);
  if ((size?.id ?? null) !== after) return;
  const changed: WorldSize = { replicas, id, at: new Date().toISOString() };
  const text = JSON.stringify(changed);
  if (found === null) await bus.add(key, text, TTL.size);
  else await bus.cas(key, text, TTL.size, found.version);
}

function sizeIn(text: string | null): WorldSize | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return Check(WorldSize, value) ? value : null;
  } catch {
    return null;
  }
}
