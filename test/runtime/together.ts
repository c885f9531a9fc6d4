import { parseHost } from '../../src/contract/hostname.ts';
import { seat } from '../../src/core/capacity.ts';
import type { AgentRunner } from '../../src/runtime/agent-runner.ts';
import { unreachable } from '../../src/std/assert.ts';
import { millisOf } from '../../src/std/time.ts';
import { House, type Loose, caller as speaker } from './harness.ts';
import { type Act, NAMES, type Plot, agentsOf } from './together-acts.ts';
import { engineActs } from './together-engine.ts';
import { SimCaller } from './together-callers.ts';
import { Promises, takesPlace } from './together-promises.ts';
import { lookOn } from './together-watch.ts';

/**
 * The whole runtime on a simulated clock and a fake engine: a few agents that share the places, callers, an operator, and an
 * engine that fails. After every act the promises are checked that only all of it together can break.
 */
export class Together {
  house: House;
  readonly promises: Promises;
  callers: SimCaller[] = [];
  /** Of the last run, for the report. */
  served = 0;
  readonly notOurs = new Set<string>();
  private readonly gone = new Set<string>();
  private readonly swarm: boolean;
  private max: number;
  private variant = 0;
  private nextId = 1;
  private lost = false;
  private scaledByHand = false;

  constructor({ swarm, slow, max }: Plot) {
    this.swarm = swarm;
    this.max = max;
    this.promises = new Promises(() => this);
    const name = swarm ? ('swarm' as const) : ('process' as const);
    this.house = new House({
      engine: { name, startMs: 400, stopMs: 1500, answerMs: slow, freezeMs: Math.max(7, slow), thawMs: Math.max(7, slow) },
      agents: agentsOf(0, this.gone),
      file: this.houseRules(),
    });
  }

  async open(): Promise<void> {
    lookOn(this.promises);
    await this.house.open();
  }

  async do(act: Act): Promise<void> {
    this.promises.tell(`-- ${JSON.stringify(act)}`);
    // Sockets that were cut before have closed by now.
    for (const caller of this.callers) if (caller.dying) caller.end();
    await this.perform(act);
    await this.house.clock.settle();
    this.look();
  }

  /** Everybody goes, the engine works again, and time passes: nothing may be left of it. */
  async settleDown(): Promise<void> {
    // What it tells when it is back is whole: no news that was dropped is missed for ever.
    if (!this.lost) this.house.engine.lose();
    await this.house.clock.settle();
    this.house.engine.news.reliable();
    this.restore();
    this.lift();
    this.house.probe.wellness = 'well';
    for (const caller of this.callers) {
      if (caller.isOpen) caller.end();
      else if (caller.is === 'held') caller.leave();
    }
    for (const { leases, tasks } of this.house.fleet.all()) for (const { id } of tasks) leases.drop(id);
    for (let minutes = 0; minutes < 12; minutes += 1) {
      await this.house.clock.advance(millisOf(60_000));
      this.look();
    }
    for (const runner of this.house.fleet.all()) this.atRest(runner);
    if (this.house.fleet.heldInAll.count !== 0) this.promises.broken('L: no held request is left in the count');
    // Somebody who scales down and up by hand while an order is on its way makes two copies without the daemon.
    if (this.house.engine.overlaps > 0 && !this.scaledByHand) this.promises.broken('C: nothing starts beside an old copy');
    await this.house.close();
    lookOn(null);
    await this.house.clock.advance(600_000);
    if (this.house.clock.pending > 0) this.promises.broken(`${this.house.clock.pending} alarms are left behind`);
  }

  private atRest(runner: AgentRunner): void {
    const { name, state, activity, holds } = runner;
    const counts = [activity.inFlight, activity.sockets, holds.size, Number(activity.busy), Number(activity.lingering)];
    if (counts.some((count) => count !== 0)) this.promises.broken(`${name} still counts ${counts.join(' ')}`);
    if (state.policy !== 'on-demand') return;
    const asleep = (state.name === 'sleeping' || state.name === 'degraded') && state.wake === null && state.seeking === null;
    if (!asleep) this.promises.broken(`D: ${name} comes to rest, and is ${JSON.stringify(state)}`);
    const { wanted, tasks } = this.house.engine.truth(name);
    if (wanted > 0 || tasks.length > 0) this.promises.broken(`D: ${name} sleeps, and the engine runs ${tasks.length}`);
  }

  private async perform({ act, a, n }: Act): Promise<void> {
    const { house } = this;
    const { engine, clock, control } = house;
    const name = NAMES[a % NAMES.length] ?? 'ada';
    const runner = house.fleet.runner(name);
    const known = engine.calls.some((call) => call.call === 'declare' && call.agent === name) && runner !== undefined;
    switch (act) {
      case 'call':
        this.call(this.hostOf(name, n), n % 7 === 0 ? 'upgrade' : 'request', false);
        return;
      case 'wait':
        for (let count = 0; count <= n % 4; count += 1)
          this.call(this.hostOf(name, n), n % 7 === 0 ? 'upgrade' : 'request', true);
        return;
      case 'uncounted':
        this.uncounted(this.hostOf(name, n));
        return;
      case 'upgrade':
        return this.pick(n, (caller) => caller.isOpen && caller.kind === 'upgrade' && !caller.socket)?.upgrade();
      case 'end':
        this.ends(n);
        return;
      case 'leave':
        return this.pick(n, (caller) => caller.is === 'held')?.leave();
      case 'frame':
        return this.pick(n, (caller) => caller.isOpen && caller.socket)?.work?.touch();
      case 'take lease': {
        const task = runner?.tasks.find(({ state }) => state === 'running');
        if (task !== undefined) runner?.leases.take(task.id, millisOf(n * 10 + 1), 'work');
        return;
      }
      case 'drop lease':
        for (const { task } of runner?.leases.list() ?? []) runner?.leases.drop(task);
        return;
      case 'register': {
        const task = runner?.tasks[0];
        if (task === undefined) return;
        const ttl = (n % 9) + 1;
        const body = { hostname: `${n % 3}.${name}.test`, target: ':3000', ttl: `${ttl}s` };
        const answer = control.register(speaker(name, { task: task.id, from: task.source ?? '127.0.0.1' }), body);
        if (answer.ok) this.promises.routes.registered(answer.value.hostname, name, ttl * 1000);
        return;
      }
      case 'soon':
        return clock.advance(n % 60);
      case 'later':
        return clock.advance(n * 4);
      case 'much later':
        return clock.advance(n * 30);
      case 'wake':
        control.wake(name);
        return;
      case 'sleep':
      case 'force':
        control.sleep(name, { force: act === 'force' });
        return;
      case 'keep':
        this.keep(runner, n % 2 === 0 ? 'asleep' : 'awake');
        return;
      case 'lift':
        this.lift();
        return;
      case 'by hand': {
        // Not beside a task that is ending: that would be two copies of somebody else's making.
        if (!known || runner.policy.kind !== 'on-demand' || engine.truth(name).tasks.some(({ state }) => state === 'ending'))
          return;
        this.notOurs.add(name);
        this.scaledByHand = true;
        engine.scaleByHand(name, n % 2);
        return;
      }
      case 'engine goes':
        if (this.lost) return;
        this.lost = true;
        engine.lose();
        return;
      case 'engine is back':
        if (this.lost) this.restore();
        return;
      case 'other limit':
        this.max = [0, 1, 2, 3][n % 4] ?? 0;
        return this.reload();
      case 'other rules':
        this.variant = n % 20;
        return this.reload();
      case 'agent comes or goes':
        if (this.gone.has(name)) this.gone.delete(name);
        else if (this.gone.size < 2) this.gone.add(name);
        return this.reload();
      case 'daemon dies':
        return this.swarm && !this.lost ? this.dies() : undefined;
      case 'engine fails':
      case 'engine hangs':
      case 'task ends':
      case 'task is ill':
      case 'start fails':
      case 'thawed by hand':
      case 'news is lost':
        engineActs(house, act, { name, isKnown: known, n });
        return;
      default:
        unreachable(act);
    }
  }

  /** After every act, when nothing is under way but time. */
  private look(): void {
    if (this.promises.failure !== null) throw this.promises.failure;
    const { fleet, clock } = this.house;
    const now = clock.now();
    const held = this.callers.filter((caller) => caller.is === 'held');
    let count = 0;
    for (const runner of fleet.all()) {
      const own = this.callers.filter((caller) => caller.runner === runner);
      const waiting = own.filter((caller) => caller.is === 'held').length;
      count += runner.holds.size;
      if (runner.holds.size !== waiting)
        this.promises.broken(`L: ${runner.name} holds ${runner.holds.size}, and ${waiting} wait`);
      const inFlight = own.filter((caller) => caller.isOpen && caller.kind !== 'uncounted' && !caller.socket).length;
      const sockets = own.filter((caller) => caller.isOpen && caller.socket).length;
      if (runner.activity.inFlight !== inFlight) this.promises.broken(`B: ${runner.name} counts ${inFlight} in flight`);
      if (runner.activity.sockets !== sockets) this.promises.broken(`B: ${runner.name} counts ${sockets} sockets`);
      if (!runner.activity.busy && (waiting > 0 || own.some((caller) => caller.surelyHolds)))
        this.promises.broken(`B: ${runner.name} is busy while there is work`);
      const { state } = runner;
      if (state.policy === 'on-demand' && state.busy !== runner.activity.busy)
        this.promises.broken(`B: the core knows of the work of ${runner.name}`);
      if (state.name === 'sleeping' || state.name === 'degraded') this.notOurs.delete(runner.name);
    }
    if (fleet.heldInAll.count !== count) this.promises.broken(`L: ${fleet.heldInAll.count} are counted, ${count} are held`);
    const late = held.find(({ heldUntil }) => heldUntil !== null && now >= heldUntil);
    if (late !== undefined) this.promises.broken(`L: ${late.runner.name} holds nobody for longer than max_wait`);
    const orphan = held.find(({ runner }) => runner.closed);
    if (orphan !== undefined) this.promises.broken(`L: nobody waits for ${orphan.runner.name}, which is gone`);
    this.promises.routes.look(this.house);
    this.places();
    if (this.house.probe.open < 0) this.promises.broken('checks end once');
  }

  /** P: whoever seeks a place and could have one has it, and whoever could go for him goes. */
  private places(): void {
    const { fleet, clock } = this.house;
    const runners = fleet.all();
    const seekers = runners.filter(({ state }) => 'seeking' in state && state.seeking !== null);
    if (seekers.length === 0) return;
    const { max } = fleet.capacity;
    const taken = runners.filter(takesPlace).length;
    if (max === 0 || taken < max) this.promises.broken(`P: ${seekers.map(({ name }) => name).join()} could have a place`);
    const { placed, evicted } = seat(runners, max, clock.now());
    if (placed.length + evicted.length > 0) this.promises.broken(`P: ${evicted.join()} could go for ${seekers[0]?.name}`);
    for (const { name, policy } of seekers)
      if (policy.keep === 'asleep') this.promises.broken(`Q: ${name} is kept asleep and seeks no place`);
  }

  private call(host: string, kind: 'request' | 'upgrade', waits: boolean): void {
    const found = this.find(host);
    if (found === null) return;
    const { destination, runner } = found;
    const caller = this.caller(runner, kind);
    const wasAsleep = runner.state;
    const { max_wait: maxWait } = runner.settings.config.hold;
    caller.call(destination, waits, maxWait, (settled) => this.settled(settled));
    if (caller.told?.kind === 'refused' && caller.told.problem === 'capacity' && runner.state !== wasAsleep)
      this.promises.broken('P: a wake that was refused is not remembered');
    if (caller.told?.kind === 'asleep' && !waits) this.remembered(caller);
    if (caller.is === 'held' && runner.holds.size > runner.settings.config.hold.max_requests)
      this.promises.broken('L: hold.max_requests holds');
    if (this.house.fleet.heldInAll.count > this.house.fleet.limits.held && caller.is === 'held')
      this.promises.broken('L: hold_max_requests holds');
  }

  /** C: whoever was told to come back finds it awake, or on its way. */
  private remembered({ runner, told }: SimCaller): void {
    const { state } = runner;
    const isComing =
      ['ready', 'starting'].includes(state.name) ||
      (state.name === 'stopping' && (state.wake !== null || state.next === 'restart')) ||
      (state.name === 'frozen' && (state.then === 'ready' || state.then === 'admin' || state.phase !== 'frozen')) ||
      ('wake' in state && state.wake !== null) ||
      (state.name === 'draining' && (state.reason === 'admin' || state.reason === 'restart'));
    if (!isComing) this.promises.broken(`C: ${runner.name} remembers a call, ${JSON.stringify([told, state])}`);
  }

  /** L: in order of arrival. */
  private settled(caller: SimCaller): void {
    if (!caller.isOpen) return;
    this.served += 1;
    const earlier = this.callers.find((other) => other.runner === caller.runner && other.is === 'held' && other.id < caller.id);
    if (earlier !== undefined) this.promises.broken(`L: ${caller.id} is served before ${earlier.id}, who came first`);
  }

  /** M: nothing moves. */
  private uncounted(host: string): void {
    const found = this.find(host);
    if (found === null) return;
    const { destination, runner } = found;
    const before = runner.state;
    const { lastActivity } = runner.activity;
    destination.state();
    destination.outlook();
    const caller = this.caller(runner, 'uncounted');
    caller.call(destination, false, 0, () => undefined);
    const { state } = runner;
    const same = before === state || (before.name === 'ready' && state.name === 'ready');
    if (!same && before.policy === 'on-demand') this.promises.broken('M: who does not count wakes and thaws nobody');
    if (runner.activity.lastActivity !== lastActivity) this.promises.broken('M: who does not count is no activity');
    if (caller.isOpen && before.policy === 'on-demand' && before.name !== 'ready')
      this.promises.broken(`M: who does not count is let in while it is ${before.name}`);
  }

  private ends(n: number): void {
    const caller = this.pick(n, (each) => each.isOpen);
    if (caller === undefined) return;
    const { activity } = caller.runner;
    const { lastActivity } = activity;
    caller.end();
    if (caller.kind === 'uncounted' && activity.lastActivity !== lastActivity)
      this.promises.broken('M: the end of what does not count is no activity');
  }

  private find(host: string) {
    const name = parseHost(host);
    const destination = name === null ? null : this.house.fleet.lookup(name);
    const runner = destination === null ? undefined : this.house.fleet.runner(destination.agent);
    return destination === null || runner === undefined ? null : { destination, runner };
  }

  /** Mostly its own hostname, and sometimes one that it registered. */
  private hostOf(name: string, n: number): string {
    const routes = this.house.fleet.routes.list(name);
    return n % 4 === 0 && routes.length > 0 ? (routes[n % routes.length]?.hostname ?? '') : `${name}.test`;
  }

  private caller(runner: AgentRunner, kind: SimCaller['kind']): SimCaller {
    this.callers = this.callers.filter(({ is }) => is === 'held' || is === 'in');
    const caller = new SimCaller(this.nextId++, runner, kind, this.house.clock.now(), {
      broken: (promise) => this.promises.broken(promise),
      onCut: (cut) => this.promises.cut(cut),
    });
    this.callers.push(caller);
    return caller;
  }

  private pick(n: number, fits: (caller: SimCaller) => boolean): SimCaller | undefined {
    const fitting = this.callers.filter(fits);
    return fitting[n % Math.max(1, fitting.length)];
  }

  private houseRules(): Loose {
    return { max_ready_agents: this.max, hold_max_requests: 5, limits: { in_flight: 6 } };
  }

  private async reload(): Promise<void> {
    const before = new Map(this.house.fleet.all().map((runner) => [runner.name, runner]));
    const answer = await this.house.reload(agentsOf(this.variant, this.gone), this.houseRules());
    if (!answer.ok) this.promises.broken(`script: the config is in order ${JSON.stringify(answer.failure)}`);
    // Another runner has the work of the one before.
    for (const runner of this.house.fleet.all()) {
      const old = before.get(runner.name);
      if (old !== undefined && old !== runner) this.notOurs.add(runner.name);
      if (old !== undefined && old !== runner && old.activity === runner.activity)
        this.callers = this.callers.map((caller) => (caller.runner === old ? caller.under(runner) : caller));
    }
  }

  private keep(runner: AgentRunner | undefined, state: 'asleep' | 'awake' | null): void {
    if (runner?.policy.kind !== 'on-demand') return;
    if (state === null) this.house.control.release(runner.name);
    else this.house.control.keep(runner.name, state, null);
  }

  private lift(): void {
    for (const runner of this.house.fleet.all()) this.keep(runner, null);
  }

  private restore(): void {
    this.lost = false;
    this.house.engine.restore();
  }

  /** kill -9, and its start anew. Its callers' connections go with it. */
  private async dies(): Promise<void> {
    lookOn(null);
    const next = this.house.killed();
    this.callers = [];
    [this.variant, this.max] = [0, Number(next.file['max_ready_agents'])];
    this.gone.clear();
    for (const name of NAMES) this.notOurs.add(name);
    this.house = next;
    this.promises.forgetDaemon();
    lookOn(this.promises);
    await next.open();
    for (const runner of next.fleet.all())
      if (runner.met && next.engine.truth(runner.name).tasks.some(({ frozen }) => frozen) && runner.state.name === 'sleeping')
        this.promises.broken(`E: ${runner.name} is found frozen`);
  }
}
