import type { AgentEffect } from '../../src/core/agent/event.ts';
import type { AgentState } from '../../src/core/agent/state.ts';
import { servesTraffic } from '../../src/core/agent/tasks.ts';
import type { AgentRunner } from '../../src/runtime/agent-runner.ts';
import { type Instant, after } from '../../src/std/time.ts';
import type { House } from './harness.ts';
import type { SimCaller } from './together-callers.ts';
import { RouteClocks } from './together-routes.ts';
import type { StepSeen, Witness } from './together-watch.ts';

/** What the promises are checked against, besides the runtime itself. */
export interface Scene {
  readonly house: House;
  readonly callers: readonly SimCaller[];
  /** Who was scaled by somebody else, or found awake, since it was last asleep. */
  readonly notOurs: ReadonlySet<string>;
}

/** Whatever holds a place. Not the daemon's own words: those are to be proven. */
export const takesPlace = ({ state }: AgentRunner): boolean =>
  state.policy === 'on-demand' && state.name !== 'sleeping' && state.name !== 'degraded';
const seeks = ({ state }: AgentRunner): boolean => 'seeking' in state && state.seeking !== null;

/** The promises of docs/lifecycle.md, looked at in every step of every agent. */
export class Promises implements Witness {
  /** The last of it, for whoever has to understand what went wrong. */
  readonly story: string[] = [];
  private readonly scene: () => Scene;
  private readonly up = new WeakSet<AgentRunner>();
  private readonly thawedAt = new Map<AgentRunner, Instant>();
  private readonly evictedAt = new Map<AgentRunner, Instant>();
  private readonly freezes = new Map<string, number>();
  /** Runners of agents that were removed: their work is cut after drain_timeout by nobody's step. */
  private step: StepSeen | null = null;
  readonly routes = new RouteClocks((promise) => this.broken(promise));
  failure: Error | null = null;
  evictions = 0;
  frozen = 0;

  constructor(scene: () => Scene) {
    this.scene = scene;
  }

  /** Kept too: much happens in promises and alarms, where nobody would see it thrown. */
  broken(promise: string): never {
    const told = this.story.length > 200 ? [...this.story.slice(0, 120), '...', ...this.story.slice(-80)] : this.story;
    this.failure ??= new Error(`${promise}\n${told.join('\n')}`);
    throw this.failure;
  }

  tell(line: string): void {
    this.story.push(line);
  }

  ordered(step: StepSeen, effect: AgentEffect): void {
    const { runner } = step;
    this.step = step;
    if (effect.type !== 'announce') this.tell(`      ${runner.name} orders ${JSON.stringify(effect)}`);
    if (effect.type === 'cut' || (effect.type === 'scale' && effect.replicas === 0)) this.mayEnd(step);
    if (effect.type === 'scale' && effect.replicas > 0) this.mayStart(step);
    if (effect.type === 'freeze') this.mayFreeze(runner);
    if (effect.type === 'thaw' && runner.state.name !== 'frozen' && runner.state.name !== 'starting')
      this.broken(`O: a thaw is ordered in ${runner.state.name}`);
  }

  stepped(step: StepSeen, state: AgentState): void {
    const { runner, before, event } = step;
    const now = runner.now();
    if (state.policy === 'on-demand' || state.name !== before.name)
      this.tell(`${now - 1_000_000} ${runner.name} ${wordOf(before)} --${JSON.stringify(event)}--> ${wordOf(state)}`);
    if (['stopping', 'sleeping', 'degraded'].includes(state.name)) this.up.delete(runner);
    this.routes.moved(runner, now);
    if (before.name === 'frozen' && state.name !== 'frozen') this.thawedAt.set(runner, now);
    const limited = ['starting', 'frozen', 'draining', 'stopping'].includes(state.name);
    if (state.policy === 'on-demand' && limited && runner.met && runner['deadline']() === null)
      this.broken(`D: ${runner.name} is ${state.name} and has a deadline`);
    if (state.name === 'ready' && !state.tasks.some(servesTraffic)) this.broken('H: a ready agent has passed its check');
    if (state.name === 'frozen' && state.busy && state.then === null) this.broken('O: whoever calls the frozen has it thawed');
    if (event.type === 'evict' && state !== before) this.mayEvict(step);
    if (state.name === 'stopping' && state.reason === 'evicted' && before.name !== 'stopping') this.wasEvicted(runner);
    if (event.type === 'placed' && state.name === 'starting') this.mayTakePlace(step);
    this.step = null;
  }

  /** Open work was cut. */
  cut(caller: SimCaller): void {
    const { step } = this;
    const { runner } = caller;
    this.tell(`      cut ${caller.kind} ${caller.id} of ${runner.name}`);
    if (!caller.surelyHolds || runner.closed) return;
    if (step?.runner !== runner || !sanctioned(step)) this.broken('B: nothing is cut that holds the agent awake');
  }

  private mayEnd(step: StepSeen): void {
    const { runner } = step;
    const working = this.scene().callers.filter((caller) => caller.runner === runner && caller.surelyHolds);
    if (working.length > 0 && !sanctioned(step)) this.broken(`B: ${runner.name} is not put to sleep under work`);
    if (runner.leases.list().length > 0 && !sanctioned(step)) this.broken(`B: ${runner.name} is not put to sleep under a lease`);
  }

  private mayStart({ runner, before }: StepSeen): void {
    if (runner.state.policy !== 'on-demand') this.broken('an always-on agent is never scaled');
    if (this.up.has(runner)) this.broken(`A: one wake of ${runner.name} orders one start`);
    this.up.add(runner);
    if (runner.policy.keep === 'asleep') this.broken(`Q: ${runner.name} is kept asleep and not started`);
    const { max } = this.scene().house.fleet.capacity;
    if (max === 0 || before.name === 'stopping') return;
    const ours = this.seated().filter(({ name }) => !this.scene().notOurs.has(name));
    if (ours.length > max) this.broken(`P: ${ours.map(({ name }) => name).join(', ')} are awake, and ${max} may be`);
  }

  private mayFreeze(runner: AgentRunner): void {
    this.frozen += 1;
    const now = runner.now();
    const { freezeAfter } = runner.policy;
    if (freezeAfter === null) return this.broken('N: what is not to be frozen is not');
    this.freezes.set(runner.name, (this.freezes.get(runner.name) ?? 0) + 1);
    const open = this.scene().callers.filter((caller) => caller.runner === runner && (caller.isOpen || caller.is === 'held'));
    if (open.length > 0) this.broken(`N: ${runner.name} is frozen with ${open.length} open`);
    if (runner.activity.busy || runner.activity.lingering) this.broken('N: nothing is frozen under work');
    if (runner.leases.list().length > 0) this.broken('N: nothing is frozen under a lease');
    const thawed = this.thawedAt.get(runner);
    if (thawed !== undefined && now < after(thawed, freezeAfter)) this.broken(`O: ${runner.name} is frozen again at once`);
    const { lastActivity } = runner.activity;
    if (lastActivity !== null && now < after(lastActivity, freezeAfter)) this.broken('N: frozen before freeze_after');
  }

  /** N: what was ordered was also carried out in the right order. Looked at when all is quiet. */
  disconnected(house: House): void {
    for (const [name, count] of this.freezes) {
      const ended = house.disconnected.filter((other) => other === name).length;
      if (ended !== count) this.broken(`N: connections to ${name} end with each freeze`);
    }
  }

  forgetDaemon(): void {
    this.freezes.clear();
    this.routes.forget();
  }

  private mayEvict({ runner, before }: StepSeen): void {
    this.evictions += 1;
    if (before.name !== 'ready' && before.name !== 'frozen') return this.broken(`P: evicted while ${before.name}`);
    const now = runner.now();
    const runners = this.scene().house.fleet.all();
    if (runner.activity.busy) this.broken('P: nobody at work is evicted');
    if (runner.policy.pinned || runner.policy.keep === 'awake') this.broken('P: nobody who is to stay is evicted');
    if (now < after(before.awakeSince, runner.policy.minAwake)) this.broken('P: nobody is evicted before min_awake');
    const seekers = runners.filter(seeks);
    if (seekers.length === 0) this.broken('P: nobody is evicted for nobody');
    const better = runners.find((other) => other !== runner && this.goesBefore(other, runner, before));
    if (better !== undefined) this.broken(`P: ${runner.name} is evicted, and ${better.name} should be`);
  }

  /** One that was called off by a call does not count: it has cost nobody anything. */
  private wasEvicted(runner: AgentRunner): void {
    const last = this.evictedAt.get(runner);
    if (last !== undefined && runner.now() < after(last, runner.policy.minAwake))
      this.broken('P: evicted twice within min_awake');
    this.evictedAt.set(runner, runner.now());
  }

  /** Whether `other` could go too, and should have been the first to. */
  private goesBefore(other: AgentRunner, runner: AgentRunner, before: AgentState): boolean {
    const { state, policy } = other;
    if (state.name !== 'ready' && !(state.name === 'frozen' && state.then === null)) return false;
    if (state.busy || policy.pinned || policy.keep === 'awake') return false;
    if (other.now() < after(state.awakeSince, policy.minAwake)) return false;
    if (state.name !== before.name) return state.name === 'frozen';
    return other.lastUsed < runner.lastUsed;
  }

  private mayTakePlace({ runner, before }: StepSeen): void {
    const { house } = this.scene();
    const { max } = house.fleet.capacity;
    if (max === 0) return;
    if (this.seated().length > max) this.broken(`P: ${runner.name} is placed as number ${this.seated().length} of ${max}`);
    const since = 'seeking' in before ? before.seeking?.since : undefined;
    for (const { name, state } of house.fleet.all())
      if (since !== undefined && 'seeking' in state && state.seeking !== null && state.seeking.since < since)
        this.broken(`P: ${name} has sought a place for longer than ${runner.name}`);
  }

  private seated(): readonly AgentRunner[] {
    return this.scene().house.fleet.all().filter(takesPlace);
  }
}

const wordOf = (state: AgentState): string => {
  const { name } = state;
  if (name === 'frozen') return `${name}(${state.phase}, then ${state.then})`;
  if (name === 'draining') return `${name}(${state.reason}${state.busy ? ', busy' : ''})`;
  if (name === 'stopping') return `${name}(next ${state.next}, wake ${state.wake})`;
  if ('seeking' in state) return `${name}(wake ${state.wake}${state.seeking === null ? '' : ', seeks'})`;
  return 'busy' in state && state.busy ? `${name}(busy)` : name;
};

/** What may end work: docs/lifecycle.md, below the promises. */
const sanctioned = ({ before, event }: StepSeen): boolean =>
  before.name === 'starting' ||
  before.name === 'stopping' ||
  event.type === 'observed' ||
  (event.type === 'sleep-ordered' && event.force) ||
  (event.type === 'order-failed' && event.order === 'thaw') ||
  (before.name === 'draining' && before.reason === 'restart');
