import type { Bus } from '../world/bus.ts';
import type { TrooperRecord } from '../world/values.ts';
import { changeRecord, readSeat, storeRecord, vacant } from './memory.ts';
import type { Move } from './seats.ts';

/**
 * How a trooper changes its seat, with a bus that changes one value at a time. It goes in four steps, and whoever comes by may
 * do the next one, so it does not matter who dies:
 *
 *     seat `from`                  seat `to`
 *     trooper                      vacant                        it sits in `from`
 *     trooper, move                vacant               begin
 *     trooper, move                trooper, move        copy
 *     vacant                       trooper, move        leave    from here on it sits in `to`
 *     vacant                       trooper              settle
 *
 * When somebody else has taken the seat `to` before the copy, the move is called off. A copy that meets a move called off is
 * void, and is taken away again. A record with `move` has no task, so no task changes it meanwhile.
 *
 * In what order the two seats are read matters: the one that is to be written first, so that compare-and-set notices
 * whatever happened to it since. Rejected: to vacate first and copy then, which loses the trooper with the process.
 */

/** Does nothing where the record is no longer what was seen. Rejects with a BusError. */
export async function beginMove(bus: Bus, service: string, move: Move, seen: TrooperRecord): Promise<void> {
  await changeRecord(bus, service, move.from, (record) => {
    const same = record?.trooper === seen.trooper && record.task_id === seen.task_id;
    return same && record.departing === null && record.move === undefined ? { ...record, task_id: '', move } : null;
  });
}

/** One step further; nothing where another was faster. Rejects with a BusError. */
export async function finishMove(bus: Bus, service: string, move: Move): Promise<void> {
  const to = await readSeat(bus, service, move.to);
  const from = await readSeat(bus, service, move.from);
  if (from.record !== null && isOf(move, from.record)) {
    if (isVacant(to.record)) await storeRecord(bus, service, move.to, from.record, to.version);
    else await leaveOrCallOff(bus, service, move);
  } else if (to.record !== null && isOf(move, to.record)) {
    const isVoid = from.record?.trooper === to.record.trooper;
    await storeRecord(bus, service, move.to, isVoid ? vacant('') : staying(to.record), to.version);
  }
}

async function leaveOrCallOff(bus: Bus, service: string, move: Move): Promise<void> {
  const from = await readSeat(bus, service, move.from);
  const to = await readSeat(bus, service, move.to);
  if (from.record === null || !isOf(move, from.record) || isVacant(to.record)) return;
  const arrived = to.record?.trooper === from.record.trooper;
  await storeRecord(bus, service, move.from, arrived ? vacant('') : staying(from.record), from.version);
}

const isOf = (move: Move, record: TrooperRecord): boolean => record.move?.from === move.from && record.move.to === move.to;

const isVacant = (record: TrooperRecord | null): boolean => (record?.trooper ?? null) === null;

function staying(record: TrooperRecord): TrooperRecord {
  const rest = { ...record };
  delete rest.move;
  return rest;
}
