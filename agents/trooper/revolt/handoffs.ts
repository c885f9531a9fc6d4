import { BusError } from '../../world/bus-error.ts';
import type { Bus } from '../../world/bus.ts';
import { KEYS } from '../../world/keys.ts';
import { parseList } from '../../world/lists.ts';
import { Handoff, isClosed } from './handoff.ts';
import { valueIn } from '../../world/value-in.ts';

/** Handoffs on the bus, changed by compare-and-set only: whoever drives one may meet another who does. */
const ATTEMPTS_MAX = 20;
/** Kept until evicted: a rack may be away for as long as it likes. */
const OPEN_TTL_SECONDS = 0;
/** Long enough for a client to ask again, and for whatever the network still holds of it. */
const CLOSED_TTL_SECONDS = 7 * 86_400;

/** Null: there is none, or none that can be read. Rejects with a BusError. */
export async function readHandoff(bus: Bus, id: string): Promise<Handoff | null> {
  return handoffIn(await bus.get(KEYS.revolt(id)));
}

/** All that are not closed, in the order in which they began. Rejects with a BusError. */
export async function readOpenHandoffs(bus: Bus): Promise<readonly Handoff[]> {
  const ids = await readOpenIds(bus);
  const found = await bus.getMany(ids.map((id) => KEYS.revolt(id)));
  return ids.flatMap((id) => handoffIn(found.get(KEYS.revolt(id)) ?? null) ?? []);
}

/**
 * Puts what `change` makes of the handoff in its place, and resolves to what lies there then. `change` is called again with
 * what others stored meanwhile; null leaves everything as it is. Rejects with a BusError.
 */
export async function changeHandoff(
  bus: Bus,
  id: string,
  change: (handoff: Handoff | null) => Handoff | null,
): Promise<Handoff | null> {
  const key = KEYS.revolt(id);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const found = await bus.gets(key);
    const before = handoffIn(found?.value ?? null);
    const changed = change(before);
    if (changed === null) return before;
    const after = { ...changed, revision: before === null ? changed.revision : before.revision + 1 };
    const text = JSON.stringify(after);
    const ttl = isClosed(after) ? CLOSED_TTL_SECONDS : OPEN_TTL_SECONDS;
    const stored = found === null ? await bus.add(key, text, ttl) : await bus.cas(key, text, ttl, found.version);
    if (stored) return after;
  }
  throw new BusError(`${key} was changed by others ${ATTEMPTS_MAX} times in a row`);
}

/** Lists the id among the open ones, or takes it away. Rejects with a BusError. */
export async function listOpen(bus: Bus, id: string, open: boolean): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const found = await bus.gets(KEYS.revoltOpen);
    const ids = idsIn(found?.value ?? null);
    if (ids.includes(id) === open) return;
    const text = JSON.stringify(open ? [...ids, id] : ids.filter((other) => other !== id));
    const stored =
      found === null
        ? await bus.add(KEYS.revoltOpen, text, OPEN_TTL_SECONDS)
        : await bus.cas(KEYS.revoltOpen, text, OPEN_TTL_SECONDS, found.version);
    if (stored) return;
  }
  throw new BusError(`${KEYS.revoltOpen} was changed by others ${ATTEMPTS_MAX} times in a row`);
}

export const readOpenIds = async (bus: Bus): Promise<readonly string[]> => idsIn(await bus.get(KEYS.revoltOpen));

const idsIn = (text: string | null): readonly string[] =>
  (parseList(text) ?? []).filter((id): id is string => typeof id === 'string');

/** Null where it is not one. */
export const handoffIn = (text: string | null): Handoff | null => valueIn(Handoff, text);
