import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../ports/clock.ts';
import type { Address } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import { type Outcome, done, failed } from '../std/outcome.ts';
import { type Millis, after, millisOf } from '../std/time.ts';
import { Ending } from './ending.ts';
import type { Program } from './environment.ts';
import { Output } from './output.ts';
import { type Holder, holderOf } from './listener.ts';
import { type ProcessFacts, carries, groupExists, listProcesses, procIsThere, readProcess, signal } from './proc.ts';

/**
 * One process of an agent and everything it has started. It leads a group of its own; descendants that have left the group
 * are known by the marks in their environment. It is gone when all of them are, not when the first one is: a port or a file
 * may still be held by a grandchild.
 */
export interface Launch {
  readonly program: Program;
  readonly env: Readonly<Record<string, string>>;
  /** `NAME=value` pairs in `env` that no process carries unless it descends from this one. */
  readonly marks: readonly string[];
  /** Must not be written to the log. */
  readonly secret: string;
}

export interface ChildWatcher {
  /** The leader ended, for this reason. Called once, before `gone`; the rest of its group is being ended by then. */
  exited(reason: string): void;
  /** Nothing of it is left. Called once. */
  gone(): void;
}

/** How long a descendant that keeps the pipes open may hold up the news that the leader has ended. */
const LAST_WORDS_MS = 200;
/** A stop is seen after a tenth of a millisecond; who waits for its disk is stopped once that has answered. */
const STOP_LOOK_FIRST_MS = 1;
const STOP_LOOK_MAX_MS = 20;
/** A process stops as soon as it is given a processor, which on a crowded machine takes a while. */
const STOP_WITHIN_MS = 5000;

export class Child {
  readonly pid: number;
  /** Start time, the second half of its identity. Null without /proc. */
  readonly start: string | null;
  private readonly clock: Clock;
  private readonly marks: readonly string[];
  private readonly watcher: ChildWatcher;
  private readonly ending: Ending;
  private readonly output: Output;
  private readonly grace: Millis;
  /** How the leader ended; null while it lives. */
  private reason: string | null = null;
  private told = false;

  private constructor(
    process: ChildProcessByStdio<null, Readable, Readable>,
    pid: number,
    launch: Launch,
    clock: Clock,
    log: Log,
    grace: Millis,
    watcher: ChildWatcher,
  ) {
    this.pid = pid;
    this.start = readProcess(pid)?.start ?? null;
    this.clock = clock;
    this.marks = launch.marks;
    this.watcher = watcher;
    this.grace = grace;
    this.output = new Output(clock, log, launch.secret);
    this.output.read('stdout', process.stdout);
    this.output.read('stderr', process.stderr);
    this.ending = new Ending(clock, {
      find: () => this.left(),
      ownsGroup: (group) => group === pid,
      gone: () => {
        this.tell();
        this.output.end();
        // Whoever still holds the pipes is not one of ours: let go of them, or they keep descriptors open for ever.
        process.stdout.destroy();
        process.stderr.destroy();
        this.watcher.gone();
      },
      stubborn: (pids) => {
        log.error('task does not end, not even by SIGKILL; end it by hand', { pids });
      },
    });
    this.hear(process);
  }

  /** Fails with words for an operator; then nothing was started. */
  static async launch(
    launch: Launch,
    clock: Clock,
    log: Log,
    grace: Millis,
    watcher: ChildWatcher,
  ): Promise<Outcome<Child, string>> {
    const { program } = launch;
    let process: ChildProcessByStdio<null, Readable, Readable>;
    try {
      process = spawn(program.file, program.args, {
        argv0: program.name,
        cwd: program.cwd,
        env: { ...program.env, ...launch.env },
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      return failed((error as Error).message);
    }
    // ENOENT, EACCES, EAGAIN (no more processes) and EMFILE come as an event on the next tick. That there is no pid is known
    // at once, and where there is one it is watched before anything else can happen.
    const failure = new Promise<Error>((resolve) => process.on('error', resolve));
    if (process.pid === undefined) return failed((await failure).message);
    return done(new Child(process, process.pid, launch, clock, log, grace, watcher));
  }

  /** SIGTERM now, SIGKILL after `grace`. Called again, the shorter grace counts. */
  end(grace: Millis): void {
    this.ending.begin(grace);
  }

  /**
   * SIGSTOP to the whole group, in one signal: a member that is just forking is caught with its child. Resolves once the leader
   * has stopped or ended, with null; or with why it has not, though it may still. What has left the group goes on.
   */
  async stop(): Promise<string | null> {
    // Nobody else may have the group of a leader that has ended, but nothing of it is to be kept either.
    if (this.reason !== null) return null;
    signal(-this.pid, 'SIGSTOP');
    if (!procIsThere()) return null;
    let lookMs = STOP_LOOK_FIRST_MS;
    for (const limit = after(this.clock.now(), millisOf(STOP_WITHIN_MS)); !this.isStopped();) {
      const next = after(this.clock.now(), millisOf(lookMs));
      if (next > limit) return `process ${this.pid} does not stop: it waits for its disk, or is not ours to signal`;
      await new Promise<void>((resolve) => void this.clock.alarm(next, resolve));
      lookMs = Math.min(lookMs * 2, STOP_LOOK_MAX_MS);
    }
    return null;
  }

  /** Takes back {@link stop}. */
  goOn(): void {
    if (this.reason === null) signal(-this.pid, 'SIGCONT');
  }

  /** Whether it is this process, or one that it has started, that would take a connection to this address. */
  holds({ host, port }: Address): Holder {
    return holderOf(host, port, () => this.family());
  }

  /** The leader first: most agents listen themselves, and then no other process has to be looked at. */
  private *family(): Iterable<number> {
    yield this.pid;
    for (const { pid } of this.relatives()) if (pid !== this.pid) yield pid;
  }

  private hear(process: ChildProcessByStdio<null, Readable, Readable>): void {
    process.once('exit', (code, signal) => {
      this.reason = signal === null ? `exit code ${String(code)}` : `signal ${signal}`;
      // Its last words may still be in the pipe: 'close' says that all of them were read.
      const alarm = this.clock.alarm(after(this.clock.now(), millisOf(LAST_WORDS_MS)), () => {
        this.tell();
      });
      process.once('close', () => {
        alarm.cancel();
        this.tell();
      });
      this.ending.look();
    });
  }

  private isStopped(): boolean {
    if (this.reason !== null) return true;
    const leader = readProcess(this.pid);
    return leader === null || leader.stopped || !leader.live;
  }

  private tell(): void {
    if (this.told || this.reason === null) return;
    this.told = true;
    const words = this.output.lastError;
    this.watcher.exited(words === null ? this.reason : `${this.reason}: ${words}`);
    // What it has left behind must go too.
    this.ending.begin(this.grace);
  }

  private left(): readonly Pick<ProcessFacts, 'pid' | 'group'>[] {
    if (this.reason === null) return [{ pid: this.pid, group: this.pid }];
    if (!procIsThere()) return groupExists(this.pid) ? [{ pid: this.pid, group: this.pid }] : [];
    return this.relatives();
  }

  private relatives(): readonly ProcessFacts[] {
    const all = listProcesses().filter((each) => each.live);
    return all.filter((each) => each.group === this.pid || (this.isYounger(each) && carries(each.pid, this.marks)));
  }

  /** Saves reading the environment of everything that was there before. */
  private isYounger(other: ProcessFacts): boolean {
    return this.start !== null && BigInt(other.start) >= BigInt(this.start);
  }
}
