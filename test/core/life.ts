import fc from 'fast-check';
import type { AgentEffect, AgentEvent } from '../../src/core/agent/event.ts';
import { type AgentState, tasksOf } from '../../src/core/agent/state.ts';
import { initialState, nextDeadline, step } from '../../src/core/agent/step.ts';
import { type SeenTask, servesTraffic } from '../../src/core/agent/tasks.ts';
import { type Instant, instantOf, millisOf } from '../../src/std/time.ts';
import { unreachable } from '../../src/std/assert.ts';
import type { Policy } from '../../src/core/agent/policy.ts';
import { POLICY } from './lifecycle-parts.ts';
import type { StateKey } from './lifecycle-rows.ts';

/**
 * Whole lives instead of single steps: random callers, operators and engines, with news that is dropped, doubled and
 * overtaken. After every step the promises are checked that no single cell can show.
 */
export const POLICIES = {
  'on-demand': {
    ...POLICY,
    replicas: 2,
    wakeCooldown: millisOf(500),
    maxRestartAttempts: 2,
    maxFailures: 2,
    freezeAfter: millisOf(3000),
    minAwake: millisOf(2000),
    seekTimeout: millisOf(5000),
  },
  'always-on': { ...POLICY, kind: 'always-on' as const, maxFailures: 2 },
};
export type Kind = keyof typeof POLICIES;

/** What may happen, and how often it does. */
const ACTS = {
  wanted: 4,
  'admin-wake': 1,
  begin: 7,
  end: 7,
  sleep: 2,
  force: 1,
  start: 4,
  exit: 1,
  gone: 4,
  'by-hand': 1,
  obstruct: 1,
  tell: 6,
  repeat: 2,
  lose: 1,
  pass: 4,
  fail: 3,
  refuse: 1,
  wait: 3,
  noise: 11,
  'comes up': 6,
  'fails to start': 14,
  crowd: 3,
  answer: 8,
  unanswered: 1,
  linger: 4,
  evict: 4,
  place: 4,
  desert: 3,
  cap: 1,
  keep: 1,
  'goes to ice': 6,
  drains: 6,
} as const;
export interface Action {
  readonly act: keyof typeof ACTS;
  readonly n: number;
}
export const action: fc.Arbitrary<Action> = fc.record({
  act: fc.oneof(...Object.entries(ACTS).map(([act, weight]) => ({ weight, arbitrary: fc.constant(act as Action['act']) }))),
  n: fc.nat(40),
});

/** How often each cell of the table was met. */
export const coverage = new Map<string, number>();
const keyOf = (state: AgentState): StateKey =>
  state.policy !== 'on-demand' && state.name === 'degraded' ? 'running-degraded' : state.name;

/** One agent, its engine and its callers. Throws, with the whole story, when a promise is broken. */
export class Life {
  state: AgentState;
  private now: Instant = instantOf(1_000_000);
  private readonly kind: Kind;
  /** Put into words only when a promise was broken: that is what takes the time. */
  private readonly story: (readonly [Instant, AgentState, AgentEvent, AgentState, readonly AgentEffect[]])[] = [];
  private wanted = 0;
  private tasks: SeenTask[] = [];
  private exited = false;
  private obstacle: string | null = null;
  private work = 0;
  private nextId = 1;
  /** What the engine has told and has not arrived. */
  private mail: AgentEvent[] = [];
  private last: AgentEvent | null = null;
  private policy: Policy;
  /** Orders to freeze or thaw that the engine has not answered. */
  private icing: ('freeze' | 'thaw')[] = [];
  private lingering = false;
  /** A start was ordered and no stop since. */
  private up = false;
  /** Somebody called while it was stopping and nothing has taken that back. */
  private owed = false;

  constructor(kind: Kind) {
    this.kind = kind;
    this.policy = POLICIES[kind];
    this.state = initialState(this.now, POLICIES[kind]);
    if (kind === 'always-on') this.wanted = 1;
  }

  do({ act, n }: Action): void {
    switch (act) {
      case 'wanted':
        return this.send({ type: 'wanted', cause: 'request', admin: false });
      case 'admin-wake':
        return this.send({ type: 'wanted', cause: 'api', admin: true });
      case 'begin':
        // The runtime lets nobody in elsewhere; what was let in before may still be there in any state.
        if (!['ready', 'running'].includes(this.state.name) && n % 2 > 0) return;
        this.work += 1;
        if (this.work === 1) this.send({ type: 'busy' });
        return;
      case 'end':
        if (this.work === 0) return;
        this.work -= 1;
        if (this.work === 0) this.send({ type: 'quiet', lastActivity: this.now });
        return;
      case 'sleep':
      case 'force':
        return this.send({ type: 'sleep-ordered', force: act === 'force' });
      case 'start': {
        const waiting = this.tasks.find((task) => task.state === 'starting');
        if (waiting !== undefined)
          this.tasks = this.tasks.map((task) => (task === waiting ? { ...task, state: 'running' } : task));
        else if (this.tasks.length < this.wanted && !this.exited)
          this.tasks = [...this.tasks, { id: `t${this.nextId++}`, state: 'starting', frozen: false }];
        return this.post();
      }
      case 'exit':
        if (this.tasks.length === 0) return;
        this.tasks = this.tasks.filter((_, index) => index !== n % this.tasks.length);
        this.exited = n % 3 !== 0 && this.tasks.length === 0;
        return this.post();
      case 'gone':
        this.tasks = this.wanted === 0 ? [] : this.tasks.filter((task) => task.state !== 'ending');
        return this.post();
      case 'by-hand':
        this.wanted = n % 3;
        this.exited = false;
        if (this.wanted === 0) this.tasks = this.tasks.map((task) => ({ ...task, state: 'ending' }));
        return this.post();
      case 'obstruct':
        this.obstacle = this.obstacle === null ? 'the service is not there' : null;
        return this.post();
      case 'tell': {
        const [news] = this.mail.splice(n % 4 === 0 ? n % Math.max(1, this.mail.length) : 0, 1);
        if (news !== undefined) this.send(news);
        return;
      }
      case 'repeat':
        if (this.last !== null) this.send(this.last);
        return;
      case 'lose':
        this.mail = this.mail.slice(1);
        return;
      case 'pass':
      case 'fail':
        return this.send({ type: 'probed', task: this.checked(n), healthy: act === 'pass', detail: 'status 503' });
      case 'refuse':
        return this.send({ type: 'order-failed', order: 'scale', refused: n % 2 === 0, detail: 'refused' });
      case 'wait':
        this.now = instantOf(this.now + n * n * 20);
        return this.settle();
      case 'noise':
        return this.noise(n % 6);
      case 'crowd':
        return this.crowd(n);
      case 'answer':
      case 'unanswered':
        return this.answer(act === 'answer' && n % 8 > 0 ? 'done' : n % 2 === 0 ? 'refused' : 'unavailable');
      case 'linger':
        // Nobody is let in elsewhere; what was cut may take a while to close.
        if (!this.lingering && !['ready', 'running'].includes(this.state.name) && n % 3 > 0) return;
        this.lingering = !this.lingering;
        return this.send({ type: 'lingers', open: this.lingering });
      case 'evict':
        return this.send({ type: 'evict' });
      case 'place':
        return this.send({ type: 'placed' });
      case 'desert':
        return this.send({ type: 'unwanted' });
      case 'cap':
        this.policy = { ...this.policy, capped: n % 3 === 0 };
        return this.settle();
      case 'keep':
        this.policy = { ...this.policy, keep: n % 5 === 0 ? 'asleep' : n % 5 === 1 ? 'awake' : null };
        return this.settle();
      case 'goes to ice':
        if (this.state.name !== 'ready' || this.work > 0) return;
        this.now = instantOf(this.now + 3000);
        this.settle();
        if (n % 4 === 1) for (const act of ['linger', 'linger', 'begin', 'end'] as const) this.do({ act, n: 0 });
        return n % 3 === 0 ? undefined : this.answer('done');
      case 'drains':
        if (this.state.name !== 'ready') return;
        for (const act of ['begin', 'sleep', 'noise', 'linger', 'noise'] as const) this.do({ act, n: act === 'noise' ? n : 0 });
        return;
      case 'comes up':
        for (const act of ['wanted', 'gone', 'tell', 'start', 'start', 'tell', 'tell', 'tell', 'pass'] as const)
          this.do({ act, n: 1 });
        return;
      case 'fails to start':
        for (const act of ['wanted', 'tell', 'tell', 'start', 'tell', 'exit', 'tell', 'tell', 'gone', 'tell', 'tell'] as const)
          this.do({ act, n: 1 });
        return;
      default:
        return unreachable(act);
    }
  }

  /** The engine answers an order to freeze or to thaw. */
  private answer(how: 'done' | 'refused' | 'unavailable'): void {
    const order = this.icing.shift();
    if (order === undefined) return;
    const frozen = order === 'freeze';
    // One that could not be asked may have done it all the same.
    if (how !== 'refused') this.tasks = this.tasks.map((task) => ({ ...task, frozen: task.state === 'running' && frozen }));
    if (how === 'done') this.send({ type: frozen ? 'froze' : 'thawed' });
    else this.send({ type: 'order-failed', order, refused: how === 'refused', detail: how });
    this.post();
  }

  /** What is too late or too early: a check of a task long gone, the answer to a freeze that something else has overtaken, an alarm that rings for nothing, an edge of no work. */
  private noise(n: number): void {
    if (n === 0) return this.one({ type: 'due' });
    if (n === 1) return this.send({ type: 'probed', task: 'nobody', healthy: true, detail: '' });
    if (n > 3) return this.state.name === 'frozen' ? undefined : this.send({ type: n === 4 ? 'froze' : 'thawed' });
    this.one({ type: 'order-failed', order: 'scale', refused: n === 2, detail: 'overtaken' });
  }

  /** Things that are in the inbox together, so that the second meets what the first has just begun. */
  private crowd(n: number): void {
    if (this.state.name !== 'ready' || this.work > 0) return;
    if (n % 2 === 0) this.one({ type: 'sleep-ordered', force: false });
    else {
      this.now = instantOf(this.now + POLICY.idleTimeout);
      this.one({ type: 'due' });
    }
    if (n % 3 === 0) return this.send({ type: 'wanted', cause: 'request', admin: false });
    this.work += 1;
    this.send({ type: 'busy' });
  }

  private checked(n: number): string {
    const known = tasksOf(this.state).filter((task) => task.state === 'running');
    return known.length === 0 ? 'nobody' : (known[n % known.length]?.id ?? 'nobody');
  }

  private post(): void {
    this.mail.push({
      type: 'observed',
      wanted: this.wanted,
      tasks: this.tasks,
      converging: !this.exited && this.tasks.length < this.wanted,
      lastExit: this.exited ? 'exit code 1' : null,
      obstacle: this.obstacle,
    });
  }

  private settle(): void {
    for (let turns = 0; turns < 50; turns += 1) {
      const deadline = nextDeadline(this.state, this.policy);
      if (deadline === null || deadline > this.now) return;
      this.one({ type: 'due' });
    }
    this.broken('an agent comes to rest');
  }

  private send(event: AgentEvent): void {
    this.one(event);
    this.settle();
  }

  private one(event: AgentEvent): void {
    const before = this.state;
    if (event.type === 'observed') this.last = event;
    const cell = `${keyOf(before)} ${event.type}`;
    coverage.set(cell, (coverage.get(cell) ?? 0) + 1);
    const { state, effects } = step(before, event, this.now, this.policy);
    this.state = state;
    this.story.push([this.now, before, event, state, effects]);
    for (const effect of effects) this.check(effect, before, event);
    this.invariants(before, event);
    for (const effect of effects) {
      if (effect.type === 'scale') this.obey(effect.replicas);
      if (effect.type === 'freeze' || effect.type === 'thaw') this.icing.push(effect.type);
    }
    if (effects.some((effect) => effect.type === 'cut') && this.lingering) {
      this.lingering = false;
      this.one({ type: 'lingers', open: false });
    }
    if (effects.some((effect) => effect.type === 'cut') && this.work > 0) {
      this.work = 0;
      this.one({ type: 'quiet', lastActivity: this.now });
    }
  }

  /** The engine takes the order; the runtime drops what was told before and asks anew. */
  private obey(replicas: number): void {
    this.wanted = replicas;
    this.exited = false;
    this.icing = [];
    if (replicas === 0) this.tasks = this.tasks.map((task) => ({ ...task, state: 'ending' }));
    this.mail = [];
    this.last = null;
    this.post();
  }

  private check(effect: AgentEffect, before: AgentState, event: AgentEvent): void {
    if (effect.type === 'freeze' && (this.work > 0 || this.lingering)) this.broken('N: nothing is frozen under work');
    if (effect.type !== 'scale') return;
    if (this.kind !== 'on-demand') this.broken('an always-on agent is never scaled');
    if (effect.replicas === 0) {
      this.up = false;
      const sanctioned =
        before.name === 'starting' ||
        before.name === 'stopping' ||
        event.type === 'observed' ||
        (event.type === 'sleep-ordered' && event.force) ||
        // What cannot be thawed serves nobody; those who wait for it are served by the next start.
        (event.type === 'order-failed' && event.order === 'thaw') ||
        (before.name === 'draining' && before.reason === 'restart');
      if (this.work > 0 && !sanctioned) this.broken('B: nothing is put to sleep under work');
      return;
    }
    if (this.policy.keep === 'asleep') this.broken('Q: what is kept asleep is not started');
    if (this.up) this.broken('A: one wake orders one start');
    this.up = true;
    const hasPlace = event.type === 'placed' || before.name === 'stopping';
    if (this.policy.capped && !hasPlace) this.broken('P: nothing starts without a place where places are limited');
    const seenGone =
      event.type === 'observed'
        ? event.tasks.length === 0
        : !['starting', 'ready', 'frozen', 'draining', 'stopping'].includes(before.name);
    if (!seenGone) this.broken('C: nothing starts beside an old copy');
  }

  private invariants(before: AgentState, event: AgentEvent): void {
    const { state } = this;
    const limited = ['starting', 'frozen', 'draining', 'stopping'].includes(state.name);
    if (limited && nextDeadline(state, this.policy) === null) this.broken(`D: ${state.name} has a deadline`);
    if (state.name === 'ready' && !state.tasks.some(servesTraffic)) {
      this.broken('H: a ready agent has a task that passed its check');
    }
    if (state.policy === 'on-demand' && state.busy !== this.work > 0) this.broken('B: the core knows whether there is work');
    if (state.name === 'starting' && before.name !== 'starting') this.up = true;
    if (['stopping', 'sleeping', 'degraded'].includes(state.name)) this.up = false;
    if (state.name === 'frozen' && state.phase === 'frozen' && (state.busy || state.then !== null))
      this.broken('O: whoever calls the frozen has it thawed');
    this.calls(before, event);
  }

  /** C: a call that met it stopping leads to a start, unless an operator sends it to sleep after it. */
  private calls(before: AgentState, event: AgentEvent): void {
    // An operator's word, or waiting in vain for a place, ends what is owed.
    const givenUp = event.type === 'sleep-ordered' || event.type === 'unwanted' || this.policy.keep === 'asleep';
    const soughtInVain = event.type === 'due' && 'seeking' in before && before.seeking !== null;
    if (givenUp || soughtInVain || this.state.name === 'starting') this.owed = false;
    else if (event.type === 'wanted' && before.name === 'stopping') this.owed = true;
    const remembered =
      (this.state.name === 'stopping' && (this.state.wake !== null || this.state.next === 'restart')) ||
      ((this.state.name === 'sleeping' || this.state.name === 'degraded') &&
        this.state.policy === 'on-demand' &&
        this.state.wake !== null);
    if (this.owed && !remembered) this.broken('C: no wake is lost');
  }

  private broken(promise: string): never {
    const told = this.story.map(
      ([now, before, event, state, effects]) =>
        `${now - 1_000_000} ${before.name} --${JSON.stringify(event)}--> ${state.name} [${effects.map((effect) => effect.type).join(' ')}]`,
    );
    throw new Error(`${promise}\n${told.join('\n')}`);
  }
}
