import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Outcome, done, failed } from '../std/outcome.ts';

/**
 * Which processes this state_dir has running, on disk, so that the next daemon can end what this one leaves behind. It is
 * written before a task is started and again once its pid is known; the moment between is covered by the owner mark in the
 * child's environment. Written whole to a second file and renamed, so that a reader never meets half of it. Not flushed to
 * the disk: what loses unflushed files is a crash of the machine, and that ends every process in here too.
 */
export interface RecordedTask {
  readonly agent: string;
  readonly task: string;
  /** Also the process group. Null: about to be started. */
  readonly pid: number | null;
  /** Start time as in /proc/PID/stat; null where there is no /proc. */
  readonly start: string | null;
  /** Boot id of the machine. */
  readonly boot: string | null;
}

export const RECORD_FILE = 'processes.json';

export class ProcessRecord {
  /** Random and for ever the same in one state_dir: the mark that children carry. Never derived from the path, which a copy shares. */
  readonly owner: string;
  private readonly file: string;
  private tasks: readonly RecordedTask[];

  private constructor(file: string, owner: string, tasks: readonly RecordedTask[]) {
    this.file = file;
    this.owner = owner;
    this.tasks = tasks;
  }

  /** Reads what is there, or begins anew where nothing is or where it cannot be read. Fails when it cannot be written. */
  static open(stateDir: string): Outcome<ProcessRecord, string> {
    const file = join(stateDir, RECORD_FILE);
    const kept = readRecord(file);
    const record = new ProcessRecord(file, kept?.owner ?? randomBytes(16).toString('hex'), kept?.tasks ?? []);
    try {
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    } catch (error) {
      return failed(`${stateDir} cannot be made: ${(error as Error).message}`);
    }
    const written = record.write(record.tasks);
    return written.ok ? done(record) : written;
  }

  /** Whether it can be written at this moment. */
  check(): Outcome<null, string> {
    return this.write(this.tasks);
  }

  list(): readonly RecordedTask[] {
    return this.tasks;
  }

  /** Adds the task or replaces what is known of it. On failure nothing was changed. */
  put(task: RecordedTask): Outcome<null, string> {
    return this.write([...this.tasks.filter((each) => each.task !== task.task), task]);
  }

  /** A failure leaves a stale entry on disk. It harms nobody: its start time fits no other process. */
  drop(taskId: string): Outcome<null, string> {
    const left = this.tasks.filter((each) => each.task !== taskId);
    const written = this.write(left);
    this.tasks = left;
    return written;
  }

  private write(tasks: readonly RecordedTask[]): Outcome<null, string> {
    const beside = `${this.file}.new`;
    try {
      writeFileSync(beside, `${JSON.stringify({ version: 1, owner: this.owner, tasks }, null, 1)}\n`, { mode: 0o600 });
      renameSync(beside, this.file);
    } catch (error) {
      discard(beside);
      return failed(`${this.file} cannot be written: ${(error as Error).message}`);
    }
    this.tasks = tasks;
    return done(null);
  }
}

function discard(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The directory may be read-only; the next write begins the file anew.
  }
}

/** Null where there is none, or none that makes sense. Entries are taken one by one: each names a process to be ended. */
function readRecord(file: string): { readonly owner: string; readonly tasks: readonly RecordedTask[] } | null {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { version, owner, tasks } = value as Readonly<Record<string, unknown>>;
  if (version !== 1 || typeof owner !== 'string' || !/^[0-9a-f]{32}$/.test(owner) || !Array.isArray(tasks)) return null;
  return { owner, tasks: tasks.filter(isRecordedTask) };
}

function isRecordedTask(value: unknown): value is RecordedTask {
  if (typeof value !== 'object' || value === null) return false;
  const { agent, task, pid, start, boot } = value as Readonly<Record<string, unknown>>;
  // Pid 1 and below would mean init, our own group or everybody.
  const pidFits = pid === null || (typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 1);
  const textOrNull = (each: unknown): boolean => each === null || typeof each === 'string';
  return typeof agent === 'string' && typeof task === 'string' && pidFits && textOrNull(start) && textOrNull(boot);
}
