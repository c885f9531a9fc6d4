import { createHash, randomUUID } from 'node:crypto';
import { BusError } from '../world/bus-error.ts';
import { appendTo } from '../world/lists.ts';
import { KEPT, KEYS, TTL } from '../world/keys.ts';
import { generatedName } from '../world/names.ts';
import type { ArmEvent, TrooperRecord } from '../world/values.ts';
import { changeRecord, readRecord, readRecords, readSeat, storeRecord, writeViews } from './memory.ts';
import { beginMove, finishMove } from './moves.ts';
import { SEATS_MAX, type Seats, type Step, nextStep } from './seats.ts';
import { readSize } from './size.ts';
import type { Trooper } from './trooper.ts';
import { isLive } from './who-manages.ts';

/**
 * A task takes its seat: it goes on with the trooper that sits there, or takes in one who came from another rack, or one whose
 * seat the world has lost, or is a recruit. What happens is decided in seats.ts and carried out here, a step at a time, until
 * the record of the seat bears this task's id; from then on the task alone changes it. Afterwards it looks after its record,
 * which a memcached that was restarted has forgotten.
 */
export type Enlisting = Pick<Trooper, 'bus' | 'squad' | 'settings' | 'slot' | 'taskId' | 'taskName'>;

/** The record of who is to have this task's seat, coming from another rack; null: nobody waits. Asked again, it says the same. */
export type TakeArrival<T = Trooper> = (trooper: T) => Promise<TrooperRecord | null>;

const LOOK_AGAIN_MS = 400;
const LOOK_AFTER_MS = 2000;
/** How long one beyond the world's size waits to be ended, before it takes the operator to have wanted more. */
const PATIENCE_MS = 15_000;
const STEPS_MAX = 100;

export function startEnlisting(trooper: Trooper, takeArrival: TakeArrival): void {
  let known: TrooperRecord | null = null;
  let seated = false;
  const enlist = async (): Promise<number> => {
    const patient = Date.now() - trooper.startedAt.getTime() >= PATIENCE_MS;
    known = await takeSeat(trooper, takeArrival, patient);
    if (known === null) return LOOK_AGAIN_MS;
    await announce(trooper, known);
    seated = true;
    trooper.log.info({ trooper: known.trooper, slot: trooper.slot, score: known.score }, 'seat taken');
    return LOOK_AFTER_MS;
  };
  trooper.keepDoing('enlist', 1000, async () => {
    if (!seated) return enlist();
    const found = await readRecord(trooper.bus, trooper.settings.service, trooper.slot);
    if (found === null) await writeBack(trooper, known);
    else if (isOwn(found.record, trooper.taskId)) known = found.record;
    else {
      known = null;
      seated = !(await isToEnlistAgain(trooper, found.record));
    }
    return LOOK_AFTER_MS;
  });
}

/** Seats that hold something, of a service and this trooper's own one among them. Rejects with a BusError. */
export async function readSeats({ bus, settings, slot }: Place, service = settings.service): Promise<Seats> {
  const seats = Array.from({ length: SEATS_MAX }, (_, index) => index + 1);
  return readRecords(bus, service, slot > SEATS_MAX && service === settings.service ? [...seats, slot] : seats);
}

type Place = Pick<Trooper, 'bus' | 'settings' | 'slot'>;

/**
 * Resolves to the record of the seat once it is this task's; null while the task is one too many, unless it is `patient`
 * enough. Rejects with a BusError or a DaemonError, and may be called again after that.
 */
export async function takeSeat<T extends Enlisting>(
  trooper: T,
  takeArrival: TakeArrival<T>,
  patient: boolean,
): Promise<TrooperRecord | null> {
  const { bus, squad, settings, slot, taskId } = trooper;
  for (let steps = 0; steps < STEPS_MAX; steps += 1) {
    // Before an arrival is asked for: whoever takes it from this task again, stores the seat anew and so has the last word.
    const { version } = await readSeat(bus, settings.service, slot);
    const self = await squad.refresh();
    const size = (await readSize(bus, settings.service))?.replicas ?? self.replicas.wanted;
    const seats = await readSeats(trooper);
    const seen = { slot, taskId, seats, tasks: self.tasks, size, patient };
    // A new one each time: whoever was taken on under the last one may be on another rack by now.
    const recruitId = randomUUID();
    let step = nextStep({ ...seen, arrival: null }, recruitId);
    // Asked only when nothing else is to be done first: whoever asks is given somebody.
    if (step.do === 'seat' || (step.do === 'move' && step.move.to === slot)) {
      step = nextStep({ ...seen, arrival: await takeArrival(trooper) }, recruitId);
    }
    if (step.do === 'sit') return step.record;
    if (step.do === 'wait') return null;
    await carryOut(trooper, step, version);
  }
  throw new BusError(`no seat after ${STEPS_MAX} steps`);
}

async function carryOut(
  { bus, settings: { service }, slot, taskId }: Enlisting,
  step: Step,
  version: string | null,
): Promise<void> {
  switch (step.do) {
    case 'finish':
      return finishMove(bus, service, step.move);
    case 'move':
      return beginMove(bus, service, step.move, step.record);
    case 'resume':
      await changeRecord(bus, service, slot, (record) => {
        const same = record?.trooper === step.record.trooper && record.task_id === step.record.task_id;
        return same && record.move === undefined ? { ...record, task_id: taskId } : null;
      });
      return;
    case 'seat':
      await storeRecord(bus, service, slot, step.record, version);
      return;
    case 'sit':
    case 'wait':
      return;
  }
}

/** Whoever asks by task asks by this one from now on. */
async function announce(trooper: Trooper, record: TrooperRecord): Promise<void> {
  const { bus, taskId, taskName } = trooper;
  await writeViews(bus, record);
  if (record.arm === 'off') return;
  const event: ArmEvent = {
    // Always the same, so that a second attempt is no second event.
    id: createHash('sha256').update(`enlist ${taskId}`).digest('hex').slice(0, 12),
    task_id: taskId,
    bot: generatedName(taskId),
    state: 'on',
    at: new Date().toISOString(),
    source: taskName,
  };
  await appendTo(bus, KEYS.armEvents, event, KEPT.armEvents, TTL.list);
}

/** The record is gone, as after a restart of memcached. */
async function writeBack({ bus, settings, slot }: Enlisting, known: TrooperRecord | null): Promise<void> {
  // One that was leaving may have arrived elsewhere by now; its snapshot remembers it.
  if (known?.departing !== null || known.trooper === null) return;
  await changeRecord(bus, settings.service, slot, (record) => (record === null ? known : null));
  await writeViews(bus, known);
}

const isOwn = ({ trooper, task_id }: TrooperRecord, taskId: string): boolean => trooper !== null && task_id === taskId;

/**
 * Its trooper has left and the task stays, as where the daemon could not end it; or a task that no longer lives has taken the
 * seat at the last moment.
 */
async function isToEnlistAgain({ squad, taskId }: Enlisting, { trooper, task_id }: TrooperRecord): Promise<boolean> {
  const live = (await squad.refresh()).tasks.filter(isLive).map(({ id }) => id);
  return live.includes(taskId) && (trooper === null || !live.includes(task_id));
}
