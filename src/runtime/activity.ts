import type { Alarm, Clock } from '../ports/clock.ts';
import { assert } from '../std/assert.ts';
import { Bag, type Member } from '../std/bag.ts';
import { type Instant, type Millis, after, latest } from '../std/time.ts';
import type { Target, Work } from './traffic.ts';

/**
 * The ledger of what keeps one agent awake: requests, WebSockets and busy leases. Only the edges (first in, last out) become
 * events for the core; everything between is a counter here. The only writer of every count is this file.
 */
export interface ActivityRules {
  readonly websocket: 'open' | 'data';
  readonly idleTimeout: Millis;
}

/** Told of the first and the last piece of work. */
export interface Edges {
  busy(): void;
  quiet(lastActivity: Instant): void;
  /** Told when something that does not hold it is open for the first time, and when nothing is any more. */
  lingers(open: boolean): void;
}

export class Activity {
  inFlight = 0;
  sockets = 0;
  /** Requests that do not count ({@link pass}). */
  passing = 0;
  /** When work last ended, or a WebSocket that counts by data last carried some. */
  lastActivity: Instant | null = null;
  private holds = 0;
  /** Pieces of work that are open, not cut, and hold nobody awake. */
  private loose = 0;
  private readonly open = new Bag<LiveWork>();
  private readonly perTask = new Map<string, number>();
  private readonly taskQuiet = new Map<string, () => void>();
  private onQuiet: (() => void) | null = null;
  private silence: Alarm | null = null;
  private judgedBy: ActivityRules['websocket'];
  private closed = false;
  private readonly clock: Clock;
  private rules: () => ActivityRules;
  private edges: Edges;

  constructor(clock: Clock, rules: () => ActivityRules, edges: Edges) {
    this.clock = clock;
    this.rules = rules;
    this.edges = edges;
    this.judgedBy = rules().websocket;
  }

  /** Whose work this is from now on. */
  serve(rules: () => ActivityRules, edges: Edges): void {
    this.rules = rules;
    this.edges = edges;
    this.rulesChanged();
  }

  get busy(): boolean {
    return this.holds > 0;
  }

  /** Calls `then` once nothing holds the agent any more; one waiter at most. */
  whenQuiet(then: () => void): void {
    this.onQuiet = then;
  }

  inFlightOf(taskId: string): number {
    return this.perTask.get(taskId) ?? 0;
  }

  admit(target: Target, taskId: string, cut: () => void): Work {
    const work = this.begin(new LiveWork(this, target, taskId, true, cut));
    this.inFlight += 1;
    this.hold();
    return work;
  }

  /** Work that does not count: it holds nobody awake, and its end is no activity. Only a freeze waits for it. */
  pass(target: Target, taskId: string, cut: () => void): Work {
    const work = this.begin(new LiveWork(this, target, taskId, false, cut));
    this.setLoose(work, true);
    this.passing += 1;
    return work;
  }

  private begin(work: LiveWork): LiveWork {
    this.open.add(work);
    this.perTask.set(work.taskId, this.inFlightOf(work.taskId) + 1);
    return work;
  }

  private setLoose(work: LiveWork, loose: boolean): void {
    if (work.loose === loose) return;
    work.loose = loose;
    const before = this.loose;
    this.loose += loose ? 1 : -1;
    if (before === 0 || this.loose === 0) this.edges.lingers(this.loose > 0);
  }

  /** Something is open that does not hold it awake. */
  get lingering(): boolean {
    return this.loose > 0;
  }

  /** Something other than traffic keeps the agent awake: a busy lease. */
  hold(): void {
    this.holds += 1;
    if (this.holds === 1) this.edges.busy();
  }

  unhold(at: Instant = this.clock.now()): void {
    this.holds -= 1;
    assert(this.holds >= 0, 'every hold is ended once');
    this.lastActivity = latest(this.lastActivity ?? at, at);
    if (this.holds > 0) return;
    this.edges.quiet(this.lastActivity);
    this.onQuiet?.();
  }

  /** Ends everything that is open. Each piece reports its end in its own time, but holds nobody awake from now on. */
  cut(): void {
    for (const work of [...this.open]) {
      this.setLoose(work, false);
      work.cutNow();
      this.letGo(work);
    }
  }

  /** Resolves once no work is on this task. One waiter a task: the engine asks once for each task it ends. */
  taskIsQuiet(taskId: string): Promise<void> {
    if (this.inFlightOf(taskId) === 0) return Promise.resolve();
    return new Promise((resolve) => this.taskQuiet.set(taskId, resolve));
  }

  ended(work: LiveWork): void {
    this.open.delete(work);
    if (work.socket) this.sockets -= 1;
    else if (work.counts) this.inFlight -= 1;
    else this.passing -= 1;
    this.setLoose(work, false);
    const left = this.inFlightOf(work.taskId) - 1;
    if (left > 0) this.perTask.set(work.taskId, left);
    else {
      this.perTask.delete(work.taskId);
      this.taskQuiet.get(work.taskId)?.();
      this.taskQuiet.delete(work.taskId);
    }
    this.letGo(work);
  }

  upgraded(work: LiveWork): void {
    if (work.counts) this.inFlight -= 1;
    else this.passing -= 1;
    this.sockets += 1;
    work.lastData = this.clock.now();
    this.watchSilence();
  }

  /** With `websocket: data` only. */
  data(work: LiveWork): void {
    if (this.rules().websocket === 'open' || work.isCut) return;
    work.lastData = this.clock.now();
    this.holdAgain(work);
    this.watchSilence();
  }

  private holdAgain(work: LiveWork): void {
    if (work.holding || work.isCut || !work.counts) return;
    work.holding = true;
    this.hold();
    this.setLoose(work, false);
  }

  /**
   * The config has changed, and the rules with it. Sockets that were let go of hold again where an open one is activity, and
   * open ones are watched where only data is: in neither case may it depend on when a socket was opened.
   */
  rulesChanged(): void {
    this.silence?.cancel();
    this.silence = null;
    const { websocket } = this.rules();
    if (websocket === 'open') for (const work of this.open) this.holdAgain(work);
    else {
      // With `open` nobody noted their frames; the silence of each begins now.
      if (this.judgedBy === 'open') for (const work of this.open) work.lastData = this.clock.now();
      this.releaseSilent();
    }
    this.judgedBy = websocket;
  }

  /** Once for each piece of work, whatever comes first: its end, its cut (which may end it at once) or its silence. */
  private letGo(work: LiveWork, at?: Instant): void {
    if (!work.holding) return;
    work.holding = false;
    // Before the last hold ends: what is let go of must not be frozen for that instant.
    if (this.open.has(work) && !work.isCut) this.setLoose(work, true);
    this.unhold(at);
  }

  /**
   * Lets go of sockets that were silent for the idle timeout. One alarm an agent and not one a socket: thousands of idle
   * sockets must cost nothing, and being late by one look is no harm, since a frame in between is seen at that look.
   */
  private watchSilence(): void {
    if (this.closed || this.silence !== null || this.rules().websocket === 'open') return;
    let next: Instant | null = null;
    for (const work of this.open) {
      if (!work.socket || !work.holding) continue;
      const end = after(work.lastData, this.rules().idleTimeout);
      if (next === null || end < next) next = end;
    }
    if (next === null) return;
    this.silence = this.clock.alarm(next, () => {
      this.silence = null;
      this.releaseSilent();
    });
  }

  private releaseSilent(): void {
    const now = this.clock.now();
    for (const work of [...this.open]) {
      if (work.socket && after(work.lastData, this.rules().idleTimeout) <= now) this.letGo(work, work.lastData);
    }
    this.watchSilence();
  }

  /** Takes the alarm back, and sets none any more: the agent is gone. */
  close(): void {
    this.closed = true;
    this.silence?.cancel();
    this.silence = null;
  }
}

class LiveWork implements Work, Member {
  place = -1;
  readonly target: Target;
  readonly taskId: string;
  holding: boolean;
  /** False: it neither keeps the agent awake nor is activity. */
  readonly counts: boolean;
  /** Open, not cut, and holding nobody awake. */
  loose = false;
  socket = false;
  lastData = 0 as Instant;
  private over = false;
  private cutter: (() => void) | null;
  private readonly activity: Activity;

  constructor(activity: Activity, target: Target, taskId: string, counts: boolean, cut: () => void) {
    this.activity = activity;
    this.counts = counts;
    this.holding = counts;
    this.target = target;
    this.taskId = taskId;
    this.cutter = cut;
  }

  upgraded(cut?: () => void): void {
    if (this.over || this.socket) return;
    if (cut !== undefined && !this.isCut) this.cutter = cut;
    this.socket = true;
    this.activity.upgraded(this);
  }

  touch(): void {
    if (!this.over) this.activity.data(this);
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    this.cutter = null;
    this.activity.ended(this);
  }

  get isCut(): boolean {
    return this.cutter === null;
  }

  cutNow(): void {
    const cut = this.cutter;
    this.cutter = null;
    cut?.();
  }
}
