import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type Millis, after, millisOf } from '../std/time.ts';
import { Ending } from './ending.ts';
import { ownerMark } from './environment.ts';
import { type ProcessFacts, bootId, carries, listProcesses, procIsThere, readProcess } from './proc.ts';
import type { ProcessRecord, RecordedTask } from './record.ts';

/**
 * Ends what an earlier daemon of this state_dir left running, and nothing else (promise K). Two proofs count: a recorded
 * leader with the same pid, start time and boot id, which vouches for its whole group; and the owner mark in a process's
 * own environment, which vouches for that process alone. A pid by itself proves nothing. Adopting was rejected: of a process
 * that is not our child nobody tells us the exit, and its log pipes are gone.
 */
const FORCE_MS = 5000;

export async function sweep(record: ProcessRecord, clock: Clock, log: Log, grace: Millis): Promise<void> {
  const recorded = record.list();
  if (!procIsThere()) {
    log.warn('no /proc here: what a killed daemon leaves behind is ended by its guardian only', { recorded: recorded.length });
    drop(record, recorded);
    return;
  }
  const boot = bootId();
  const groups = new Map(recorded.flatMap((entry) => (isSameProcess(entry, boot) ? [[entry.pid ?? 0, entry] as const] : [])));
  const spared = ourselves();
  const find = (): readonly ProcessFacts[] =>
    listProcesses().filter(
      ({ pid, group, live }) => live && !spared.has(pid) && (groups.has(group) || carries(pid, [ownerMark(record.owner)])),
    );
  const leftovers = find();
  for (const { pid, group } of leftovers) {
    const entry = groups.get(group);
    log.warn('ending what an earlier daemon left running', { pid, agent: entry?.agent ?? null, task: entry?.task ?? null });
  }
  if (leftovers.length > 0) await end(find, (group) => groups.has(group), clock, log, grace);
  // Who would not end is kept on record, for the start after this one.
  const stubborn = new Set(find().map(({ group }) => group));
  drop(
    record,
    recorded.filter(({ pid }) => pid === null || !stubborn.has(pid)),
  );
}

function isSameProcess({ pid, start, boot }: RecordedTask, now: string | null): boolean {
  if (pid === null || start === null || boot === null || boot !== now) return false;
  const found = readProcess(pid);
  // A zombie counts: as long as it is there its pid is its own, and so is the group it led.
  return found?.start === start && found.group === pid;
}

/** Settles when all are gone, or some time after the last of them should have been: a start is not held up for ever. */
function end(find: () => readonly ProcessFacts[], ownsGroup: (group: number) => boolean, clock: Clock, log: Log, grace: Millis) {
  return new Promise<void>((resolve) => {
    let over = false;
    const ending = new Ending(clock, {
      // Once given up nothing is looked for any more: by then the new daemon's own tasks carry the same mark.
      find: () => (over ? [] : find()),
      ownsGroup,
      gone: () => {
        over = true;
        limit.cancel();
        resolve();
      },
      stubborn: () => undefined,
    });
    const limit = clock.alarm(after(clock.now(), millisOf(grace + FORCE_MS)), () => {
      over = true;
      log.error('what an earlier daemon left running does not end; end it by hand', { pids: find().map(({ pid }) => pid) });
      resolve();
    });
    ending.begin(grace);
  });
}

/** This process and its ancestors: a daemon that was started from within an agent carries that agent's mark. */
function ourselves(): ReadonlySet<number> {
  const line = new Set<number>();
  for (let each = readProcess(process.pid); each !== null && !line.has(each.pid); each = readProcess(each.parent))
    line.add(each.pid);
  return line.add(process.pid);
}

function drop(record: ProcessRecord, tasks: readonly RecordedTask[]): void {
  for (const { task } of tasks) record.drop(task);
}
