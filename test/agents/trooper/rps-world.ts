import { setImmediate as settle } from 'node:timers/promises';
import { bookIn, newestOf } from '../../../agents/trooper/rps/book.ts';
import type { Round } from '../../../agents/trooper/rps/book.ts';
import { Turns } from '../../../agents/trooper/rps/turn.ts';
import { BusError } from '../../../agents/world/bus-error.ts';
import type { Bus, Versioned } from '../../../agents/world/bus.ts';
import { KEYS } from '../../../agents/world/keys.ts';

/**
 * Several troopers of two services at one memcached, on a simulated clock, with the code that they really run. Each call to
 * the bus takes its time on the way there and on the way back, and a fault may strike any of them.
 */
export const FAULTS = [
  'stall before',
  'stall after',
  'lose request',
  'lose answer',
  'late effect',
  'die before',
  'die after',
] as const;
export const TARGETS = ['any', 'book', 'lease', 'term', 'mark'] as const;

/** Strikes the `nth` call (writes only, but for `any`) to its target, whoever makes it. */
export interface Fault {
  readonly target: (typeof TARGETS)[number];
  readonly nth: number;
  readonly kind: (typeof FAULTS)[number];
  readonly ms: number;
}

export interface Plan {
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly intervalSeconds: number;
  /** How far off the wall clocks of tasks may be. */
  readonly skewMs: number;
}

export interface Publication extends Round {
  readonly seenMs: number;
}

interface Stored extends Versioned {
  readonly endsAt: number | null;
}

interface Task {
  readonly id: string;
  readonly service: string;
  readonly slot: number;
  readonly skewMs: number;
  upSinceMs: number | null;
  alive: boolean;
  /** Times at which a fault began or ended for it. */
  readonly troubles: (readonly [fromMs: number, untilMs: number])[];
}

const CLIENT_TIMEOUT_MS = 500;
const START_MS = 1_700_000_000_000;
const SQUAD_LAG_MS = 600;

export class RpsWorld {
  readonly publications: Publication[] = [];
  readonly tasks: Task[] = [];
  now = 0;
  private readonly plan: Plan;
  private readonly values = new Map<string, Stored>();
  private readonly counts = new Map<string, number>();
  private readonly queue: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  /** Who managed since when, for each service. */
  private readonly reigns = new Map<string, { readonly sinceMs: number; readonly id: string | null }[]>();
  private order = 0;
  private stores = 0;
  private random: number;

  constructor(plan: Plan, troopers: number) {
    this.plan = plan;
    this.random = plan.seed >>> 0;
    this.values.set(KEYS.rpsInterval, { value: String(plan.intervalSeconds), version: '0', endsAt: null });
    for (const service of ['a', 'b']) for (let slot = 1; slot <= troopers; slot += 1) this.start(service, slot, 50 * slot);
  }

  /** Lets so much time pass. */
  async run(ms: number): Promise<void> {
    const endMs = this.now + ms;
    for (;;) {
      await settle();
      let first = 0;
      for (const [index, { at, order }] of this.queue.entries()) {
        const best = this.queue[first]!;
        if (at < best.at || (at === best.at && order < best.order)) first = index;
      }
      const next = this.queue[first];
      if (next === undefined || next.at > endMs) break;
      this.queue.splice(first, 1);
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = endMs;
  }

  /** Whether somebody was up, managed its service and met no fault all the time from the first moment to the second. */
  hadHealthyManager(fromMs: number, untilMs: number): boolean {
    return this.tasks.some((task) => {
      if (!task.alive || task.upSinceMs === null || task.upSinceMs > fromMs) return false;
      if (task.troubles.some(([from, until]) => from <= untilMs && until >= fromMs)) return false;
      const reign = (this.reigns.get(task.service) ?? []).at(-1);
      return reign?.id === task.id && reign.sinceMs + SQUAD_LAG_MS <= fromMs;
    });
  }

  /** Faults that struck between the first moment and the second. */
  faultsBetween(fromMs: number, untilMs: number): number {
    return this.tasks.flatMap(({ troubles }) => troubles).filter(([at]) => at >= fromMs && at <= untilMs).length;
  }

  private start(service: string, slot: number, bootMs: number): void {
    const skewMs = Math.round((this.chance() * 2 - 1) * this.plan.skewMs);
    const id = `${service}.${slot}.${this.tasks.length}`;
    const task: Task = { id, service, slot, skewMs, upSinceMs: null, alive: true, troubles: [] };
    this.tasks.push(task);
    this.crown(service);
    this.later(bootMs, () => {
      if (!task.alive) return;
      task.upSinceMs = this.now;
      void this.live(task);
    });
  }

  private kill(task: Task): void {
    if (!task.alive) return;
    task.alive = false;
    this.crown(task.service);
    this.later(1000, () => this.start(task.service, task.slot, 300 + this.chance() * 2500));
  }

  private crown(service: string): void {
    const reigns = this.reigns.get(service) ?? [];
    this.reigns.set(service, reigns);
    const live = this.tasks.filter((task) => task.alive && task.service === service);
    const id = live.toSorted((one, other) => one.slot - other.slot)[0]?.id ?? null;
    if (reigns.at(-1)?.id !== id) reigns.push({ sinceMs: this.now, id });
  }

  private async live(task: Task): Promise<void> {
    const desk = { bus: this.busOf(task), taskId: task.id, taskName: task.id, service: task.service };
    const turns = new Turns({
      desk,
      player: { isBehind: () => true, turn: async () => undefined },
      // Each task sees the list of tasks as it was a moment ago, and not each as of the same moment.
      manages: async () => {
        const asOf = this.now - this.chance() * SQUAD_LAG_MS;
        const reign = (this.reigns.get(task.service) ?? []).findLast(({ sinceMs }) => sinceMs <= asOf);
        return this.chance() < 0.01 ? null : reign?.id === task.id;
      },
      choose: () => 'rock',
      nowMs: () => this.now,
      wallMs: () => START_MS + this.now + task.skewMs,
    });
    while (task.alive) {
      const rest = await turns.turn().catch((error: unknown) => {
        if (!(error instanceof BusError)) throw error;
        return 250;
      });
      await new Promise<void>((resolve) => this.later(rest, resolve));
    }
  }

  private busOf(task: Task): Bus {
    const ask = <T>(target: string, effect: () => T): Promise<T> => this.call(task, target, effect);
    const write = <T>(key: string, effect: () => T): Promise<T> => ask(targetOf(key), effect);
    const unused = (): never => {
      throw new Error('not part of this world');
    };
    return {
      get: (key) => ask('any', () => this.read(key)?.value ?? null),
      gets: (key) => ask('any', () => this.read(key)),
      getMany: (keys) =>
        ask('any', () => {
          const found = keys.map((key) => [key, this.read(key)?.value] as const);
          return new Map(found.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])));
        }),
      add: (key, value, ttl) => write(key, () => this.read(key) === null && this.store(key, value, ttl)),
      cas: (key, value, ttl, version) => write(key, () => this.read(key)?.version === version && this.store(key, value, ttl)),
      increment: (key, by, first) =>
        write(key, () => {
          const found = this.read(key);
          const sum = found === null ? first : Number(found.value) + by;
          this.store(key, String(sum), 0);
          return sum;
        }),
      set: (key, value, ttl) => write(key, () => void this.store(key, value, ttl)),
      delete: unused,
      close: unused,
    };
  }

  private call<T>(task: Task, target: string, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const there = 1 + this.chance() * 15;
      const back = 1 + this.chance() * 15;
      const fault = this.faultAt(target);
      const ms = fault?.ms ?? 0;
      const answer = (at: number, result: T): void => this.later(at, () => task.alive && resolve(result));
      const lose = (): void =>
        this.later(CLIENT_TIMEOUT_MS, () => task.alive && reject(new BusError('memcached does not answer')));
      if (fault !== null) task.troubles.push([this.now, this.now + CLIENT_TIMEOUT_MS + ms]);
      switch (fault?.kind) {
        case undefined:
          return this.later(there, () => answer(back, effect()));
        case 'stall before':
          return this.later(there + ms, () => task.alive && answer(back, effect()));
        case 'stall after':
          return this.later(there, () => answer(back + ms, effect()));
        case 'lose request':
          return lose();
        case 'lose answer':
          this.later(there, effect);
          return lose();
        case 'late effect':
          this.later(CLIENT_TIMEOUT_MS + ms, effect);
          return lose();
        case 'die before':
          return this.kill(task);
        case 'die after':
          return this.later(there, () => {
            effect();
            this.kill(task);
          });
      }
    });
  }

  private faultAt(target: string): Fault | null {
    const count = (name: string): number => {
      const next = (this.counts.get(name) ?? 0) + 1;
      this.counts.set(name, next);
      return next;
    };
    const at = new Map([['any', count('any')]]);
    if (target !== 'any') at.set(target, count(target));
    return this.plan.faults.find((fault) => at.get(fault.target) === fault.nth) ?? null;
  }

  private read(key: string): Stored | null {
    const found = this.values.get(key) ?? null;
    // As memcached: its clock has whole seconds.
    if (found?.endsAt !== undefined && found.endsAt !== null && Math.floor(this.now / 1000) >= found.endsAt) {
      this.values.delete(key);
      return null;
    }
    return found;
  }

  private store(key: string, value: string, ttlSeconds: number): true {
    const before = key === KEYS.rpsState ? newestOf(bookIn(this.read(key)?.value ?? null)) : null;
    const endsAt = ttlSeconds === 0 ? null : Math.floor(this.now / 1000) + ttlSeconds;
    this.values.set(key, { value, version: String((this.stores += 1)), endsAt });
    const after = key === KEYS.rpsState ? newestOf(bookIn(value)) : null;
    if (after !== null && JSON.stringify(after) !== JSON.stringify(before))
      this.publications.push({ ...after, seenMs: this.now });
    return true;
  }

  private later(ms: number, run: () => void): void {
    this.queue.push({ at: this.now + ms, order: (this.order += 1), run });
  }

  /** From 0 to 1, the same for the same seed. */
  private chance(): number {
    this.random = (Math.imul(this.random, 1_664_525) + 1_013_904_223) >>> 0;
    return this.random / 2 ** 32;
  }
}

function targetOf(key: string): string {
  const targets: Readonly<Record<string, string>> = {
    [KEYS.rpsState]: 'book',
    [KEYS.rpsLease]: 'lease',
    [KEYS.rpsTerm]: 'term',
    [KEYS.rpsMark]: 'mark',
  };
  return targets[key] ?? 'any';
}
