import { randomUUID } from 'node:crypto';
import Type, { type Static } from 'typebox';
import { Check } from 'typebox/value';
import type { SelfView } from '../../src/contract/api.ts';
import { DaemonError } from '../kit/daemon-error.ts';
import { BusError } from '../world/bus-error.ts';
import type { Bus } from '../world/bus.ts';
import { KEYS, TTL } from '../world/keys.ts';
import { WorldSize } from '../world/values.ts';
import { reach } from './squad.ts';
import type { Trooper } from './trooper.ts';
import { isLive } from './who-manages.ts';
import { valueIn } from '../world/value-in.ts';

/**
 * How many troopers a service is to have. It outlives sleep, and the daemon does not remember it: a wake starts as many as the
 * config says. So whoever manages asks for the size again after a wake, and when somebody has written another one. At other
 * times an operator who scales by hand is left alone.
 */

/**
 * What is carried out: the newest size, or the one before it while the newest is being written. And the tasks that were there:
 * as long as one of them lives, the world has not slept.
 */
const KeptSize = Type.Object({ sizes: Type.Array(Type.String()), tasks: Type.Array(Type.String()) });
type KeptSize = Static<typeof KeptSize>;

const EVERY_MS = 500;
/** While another one manages. Each look is a question to the daemon, of every trooper. */
const LOOK_AGAIN_MS = 2000;
const ATTEMPTS_MAX = 20;

/** Null: nobody has said, or not in a form that can be read. Rejects with a BusError. */
export const readSize = async (bus: Bus, service: string): Promise<WorldSize | null> =>
  valueIn(WorldSize, await bus.get(KEYS.size(service)));

/** For whoever manages the service to carry out. `replicas`: 1 to 20. Rejects with a BusError. */
export async function writeSize(bus: Bus, service: string, replicas: number): Promise<void> {
  await bus.set(KEYS.size(service), JSON.stringify(sizeOf(replicas)), TTL.size);
}

/** Remembers as the world's size what the daemon wants now, for whoever has just changed that. Rejects as `squad.refresh`. */
export async function rememberSize({ bus, squad, settings: { service } }: Trooper): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const before = await bus.gets(KEYS.size(service));
    // Asked for after that: then of two who change it at once, the later one to write knows of both.
    const self = await squad.refresh();
    const size = { ...sizeOf(self.replicas.wanted), carried: true };
    if (!Check(WorldSize, size)) return;
    const last = valueIn(WorldSize, before?.value ?? null);
    await keep(bus, service, { sizes: last === null ? [size.id] : [size.id, last.id], tasks: idsOf(self) });
    if (await store(bus, service, size, before)) return;
  }
  throw new BusError(`the size of ${service} was changed by others ${ATTEMPTS_MAX} times in a row`);
}

/**
 * The world is to be larger; whoever raises it asks the daemon as well. False: the size is not `found` any more, as
 * `bus.gets` had it. Rejects with a BusError or a DaemonError.
 */
export async function raiseSize(
  { bus, squad, settings: { service } }: Trooper,
  replicas: number,
  found: Found,
): Promise<boolean> {
  const size = { ...sizeOf(replicas), carried: true };
  const last = valueIn(WorldSize, found?.value ?? null);
  await keep(bus, service, { sizes: last === null ? [size.id] : [size.id, last.id], tasks: idsOf(await squad.view()) });
  return store(bus, service, size, found);
}

/** What is to be done about the size: nothing, to remember who is there, or to ask the daemon. Told by whoever manages. */
export function sizeStep(size: WorldSize, kept: KeptSize | null, self: SelfView): 'nothing' | 'keep' | 'scale' {
  const ids = idsOf(self);
  const hasSlept = !ids.some((id) => kept?.tasks.includes(id));
  // Of several who write at once, only one is in what is kept; and later one may have left again.
  const isCarried = size.carried === true || kept?.sizes.includes(size.id);
  if (kept === null || hasSlept || !isCarried) {
    return Math.min(size.replicas, self.replicas.max) === self.replicas.wanted ? 'keep' : 'scale';
  }
  return ids.length === kept.tasks.length && ids.every((id) => kept.tasks.includes(id)) ? 'nothing' : 'keep';
}

export function startKeepingSize(trooper: Trooper): void {
  const { bus, squad, taskId, log } = trooper;
  const { service } = trooper.settings;
  let known: WorldSize | null = null;
  let said: string | null = null;
  trooper.keepDoing('size', EVERY_MS, async () => {
    const { self, manager } = await squad.look();
    if (manager !== taskId) return LOOK_AGAIN_MS;
    const size = await readSize(bus, service);
    if (size === null) {
      // A memcached that was restarted has forgotten it.
      if (known !== null) await bus.add(KEYS.size(service), JSON.stringify(known), TTL.size);
      return EVERY_MS;
    }
    known = size;
    const kept = valueIn(KeptSize, await bus.get(KEYS.sizeKept(service)));
    const step = sizeStep(size, kept, self);
    if (step === 'nothing') return EVERY_MS;
    // What was seen may be older than the size.
    if (step === 'scale' && sizeStep(size, kept, await squad.refresh()) === 'scale') {
      const refused = await ask(trooper, Math.min(size.replicas, self.replicas.max));
      if (refused !== null && said !== size.id)
        log.warn({ err: refused, replicas: size.replicas }, 'the daemon refuses the size');
      said = refused === null ? said : size.id;
    }
    if (size.replicas > self.replicas.max && said !== size.id) {
      log.warn({ replicas: size.replicas, max: self.replicas.max }, 'the world is to be larger than the daemon allows');
      said = size.id;
    }
    await keep(bus, service, { sizes: [size.id], tasks: idsOf(await squad.refresh()) });
    return EVERY_MS;
  });
}

/** Resolves to why the daemon will not, for good; what may pass is thrown. */
async function ask({ daemon }: Trooper, replicas: number): Promise<DaemonError | null> {
  try {
    await reach(daemon).scale(replicas);
    return null;
  } catch (error) {
    if (error instanceof DaemonError && !error.passing) return error;
    throw error;
  }
}

type Found = Awaited<ReturnType<Bus['gets']>>;

const store = (bus: Bus, service: string, size: WorldSize, found: Found): Promise<boolean> =>
  found === null
    ? bus.add(KEYS.size(service), JSON.stringify(size), TTL.size)
    : bus.cas(KEYS.size(service), JSON.stringify(size), TTL.size, found.version);

const sizeOf = (replicas: number): WorldSize => ({ replicas, id: randomUUID(), at: new Date().toISOString() });

const idsOf = (self: SelfView): readonly string[] => self.tasks.filter(isLive).map(({ id }) => id);

const keep = (
  bus: Bus,
  service: string,
  kept: { readonly sizes: readonly string[]; readonly tasks: readonly string[] },
): Promise<void> => bus.set(KEYS.sizeKept(service), JSON.stringify(kept), TTL.size);
